// SPDX-License-Identifier: GPL-3.0-or-later
//! Bytes on the daemon's real socket.

use std::cell::RefCell;
use std::time::Duration;

use mfa_proto::frame::{self, HEADER_LEN};
use mfa_proto::{Request, UserName};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::house::House;
use crate::json;

/// Runs with one daemon; then a new one, since what root has it do to itself adds up.
const RUNS: u32 = 2_000;

/// More than any run here needs.
const LATE: Duration = Duration::from_secs(20);

thread_local! {
    static HOUSE: RefCell<Option<(House, u32)>> = const { RefCell::new(None) };
}

/// The daemon answers every whole request in its turn and with its number, the first frame that is none with
/// `malformed`, and nothing after it; then it closes. It goes on serving others.
pub(crate) fn connections(input: &[u8]) {
    if input.len() > 100_000 {
        return;
    }
    HOUSE.with_borrow_mut(|kept| {
        let (house, runs) = match kept.take() {
            Some((house, runs)) if runs < RUNS => (house, runs),
            _ => (House::new(), 0),
        };
        house.forget(&[UserName::new("alice").expect("a name")]);
        let answered = house.runtime.block_on(converse(&house, input));
        compare(&expected(input), &answered);
        let about = frame::encode(3, json!({"type": "about"})).expect("a request");
        let alive = house.runtime.block_on(converse(&house, &about));
        assert!(
            matches!(&alive[..], [one] if one["type"] == "about" && one["id"] == 3),
            "{alive:?}"
        );
        *kept = Some((house, runs + 1));
    });
}

/// The numbers of the requests that are answered, and 0 for the refusal that ends it.
fn expected(mut input: &[u8]) -> Vec<u64> {
    let mut ids = Vec::new();
    while let Some((header, rest)) = input.split_first_chunk::<HEADER_LEN>() {
        let request = match frame::payload_len(*header) {
            Ok(len) => match rest.split_at_checked(len) {
                Some((payload, behind)) => {
                    input = behind;
                    frame::decode::<Request>(payload)
                }
                // Half a frame is not answered.
                None => return ids,
            },
            Err(error) => Err(error),
        };
        match request {
            Ok(request) => ids.push(request.id),
            Err(_) => {
                ids.push(0);
                return ids;
            }
        }
    }
    ids
}

fn compare(expected: &[u64], answered: &[Value]) {
    let ids: Vec<_> =
        answered.iter().map(|answer| answer["id"].as_u64().expect("a number")).collect();
    assert_eq!(ids, expected, "{answered:?}");
    for answer in answered {
        assert_eq!(answer["v"], 1);
        if answer["id"] == 0 && answer["type"] == "error" && expected.last() == Some(&0) {
            assert!(answer["message"].as_str().expect("words").chars().count() <= 300);
        }
    }
}

async fn converse(house: &House, input: &[u8]) -> Vec<Value> {
    let path = house.daemon.settings().config.socket.as_path().to_owned();
    let stream = UnixStream::connect(path).await.expect("a connection");
    let (mut from, mut to) = stream.into_split();
    let writing = async {
        // The daemon may close before it has read all.
        let _ = to.write_all(input).await;
        let _ = to.shutdown().await;
    };
    let mut bytes = Vec::new();
    let reading = async {
        // A daemon that closes with something unread resets the connection, after its answers.
        let _ = from.read_to_end(&mut bytes).await;
    };
    let both = async { tokio::join!(writing, reading) };
    timeout(LATE, both).await.expect("closed by the daemon in time");
    let (mut answers, mut rest) = (Vec::new(), &bytes[..]);
    while let Some((header, behind)) = rest.split_first_chunk::<HEADER_LEN>() {
        let len = frame::payload_len(*header).expect("a length");
        let (payload, behind) = behind.split_at_checked(len).expect("a whole answer");
        answers.push(json::read(payload).expect("JSON with each key once"));
        rest = behind;
    }
    assert!(rest.is_empty());
    answers
}
