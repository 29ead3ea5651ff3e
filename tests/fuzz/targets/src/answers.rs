// SPDX-License-Identifier: GPL-3.0-or-later
//! The client's reader of answers: the real client on a real socket, and a daemon that says anything.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::time::Duration;

use mfa_proto::account::AccountAnswer;
use mfa_proto::exchange::ExchangeAnswer;
use mfa_proto::frame::{self, HEADER_LEN};
use mfa_proto::login::{Begin, BeginAnswer, LoginRequest, Origin, VerifyAnswer};
use mfa_proto::status::StatusAnswer;
use mfa_proto::transfer::TransferAnswer;
use mfa_proto::{Client, ClientError, Deadline, FRAME_MAX, UserName};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::answer::Answer;
use crate::json;

struct Place {
    _home: tempfile::TempDir,
    socket: PathBuf,
    listener: UnixListener,
}

thread_local! {
    static PLACE: Place = {
        let home = tempfile::tempdir().expect("a directory");
        let socket = home.path().join("s");
        let listener = UnixListener::bind(&socket).expect("a socket");
        Place { _home: home, socket, listener }
    };
}

/// The first byte says which answer is awaited, and whether the rest comes in a frame or is all that comes;
/// `"id":1` in it stands for the number of the question.
///
/// An answer is taken only with the question's number, with each key once, and says everything that is
/// understood. Nothing that is said makes the client wait, or take more than a frame.
pub(crate) fn answers(input: &[u8]) {
    let Some((&kind, said)) = input.split_first() else { return };
    let framed = kind & 0x80 == 0;
    if said.len() > FRAME_MAX + 16 {
        return;
    }
    PLACE.with(|place| match kind % 6 {
        0 => call::<VerifyAnswer>(place, framed, said),
        1 => call::<BeginAnswer>(place, framed, said),
        2 => call::<ExchangeAnswer>(place, framed, said),
        3 => call::<StatusAnswer>(place, framed, said),
        4 => call::<TransferAnswer>(place, framed, said),
        _ => call::<AccountAnswer>(place, framed, said),
    });
    module_reads_alike(said);
}

fn call<A: DeserializeOwned + Serialize>(place: &Place, framed: bool, said: &[u8]) {
    let deadline = Deadline::after(Duration::from_secs(20));
    let mut client = Client::connect(&place.socket, deadline).expect("a connection");
    let (mut daemon, _) = place.listener.accept().expect("a connection");
    let user = UserName::new("alice").expect("a name");
    let question = LoginRequest::Begin(Begin { user, origin: Origin::default() });
    let id = client.ask(question, deadline).expect("asked");
    let mut asked = [0; 512];
    let _ = daemon.read(&mut asked).expect("the question");
    let payload = with_id(said, id);
    let mut sent = Vec::new();
    if framed {
        sent.extend(u32::try_from(payload.len()).expect("short").to_be_bytes());
    }
    sent.extend(&payload);
    // The client may have closed already, for too long a length say.
    let _ = daemon.write_all(&sent);
    let _ = daemon.shutdown(Shutdown::Write);
    match client.answer::<A>(id, deadline) {
        Ok(answer) => {
            let payload = &sent[HEADER_LEN..];
            // What follows the frame is not looked at.
            let len = frame::payload_len(*sent.first_chunk().expect("a header")).expect("a length");
            let said = json::read(&payload[..len]).expect("JSON with each key once");
            assert_eq!(said["id"], id);
            assert_eq!(said["v"], 1);
            let written = frame::encode(id, answer).expect("no longer than it was");
            let understood = json::read(&written[HEADER_LEN..]).expect("JSON");
            assert!(json::is_part(&understood, &said), "{understood} of {said}");
        }
        Err(ClientError::Refused(refusal)) => {
            let len = frame::payload_len(*sent.first_chunk().expect("a header")).expect("a length");
            let said = json::read(&sent[HEADER_LEN..][..len]).expect("JSON with each key once");
            assert_eq!((&said["id"], &said["type"]), (&0.into(), &"error".into()));
            assert_eq!(said["message"], refusal.message);
        }
        Err(ClientError::Closed | ClientError::Answer(_) | ClientError::WrongId) => {}
        Err(error) => panic!("{error:?}"),
    }
}

/// The module's own small reader takes nothing that the types of the protocol do not say.
fn module_reads_alike(said: &[u8]) {
    one_alike::<VerifyAnswer>(said);
    one_alike::<BeginAnswer>(said);
    one_alike::<AccountAnswer>(said);
}

fn one_alike<A: DeserializeOwned + crate::answer::AnswerTo + PartialEq + std::fmt::Debug>(
    said: &[u8],
) {
    let small = frame::decode::<Answer>(said).ok();
    let small = small.and_then(|frame| Some((frame.id, frame.body.read::<A>().ok()?)));
    let large = frame::decode::<A>(said).ok().map(|frame| (frame.id, frame.body));
    if let Some(small) = small {
        // The large one takes an absent field for null, the small one does not.
        assert_eq!(Some(small), large);
    }
}

fn with_id(said: &[u8], id: u64) -> Vec<u8> {
    const PLACEHOLDER: &[u8] = b"\"id\":1";
    match said.windows(PLACEHOLDER.len()).position(|part| part == PLACEHOLDER) {
        Some(at) => {
            let number = format!("\"id\":{id}");
            [&said[..at], number.as_bytes(), &said[at + PLACEHOLDER.len()..]].concat()
        }
        None => said.to_vec(),
    }
}
