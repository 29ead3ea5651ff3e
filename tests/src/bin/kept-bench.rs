// SPDX-License-Identifier: GPL-3.0-or-later
//! Verifications over connections that are kept: `kept-bench SOCKET USERS CONNECTIONS FROM EACH`.
//! Each line of USERS is a user with a counting token and its secret in base16; the users are dealt
//! out to the connections, and each of them is verified EACH times, with the codes of the counters
//! FROM and up. A connection asks when its last question is answered. Prints how many were accepted,
//! how many not, the seconds of all, and the median, 95th and 99th of a verification in nanoseconds.
//!
//! Questions are written and answers are read beforehand and afterwards: the cores are the daemon's.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "test code")]

use std::io::{self, Write};
use std::time::Instant;
use std::{env, fs};

use mfa_crypto::{Algorithm, Digits, Secret, hotp};
use mfa_proto::frame::{self, HEADER_LEN};
use mfa_proto::login::VerifyAnswer;
use mfa_tests::question;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::task::JoinSet;

type Question = Vec<u8>;

/// What came back, and after how many nanoseconds.
struct Answered {
    payload: Vec<u8>,
    nanoseconds: u128,
}

fn main() {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [socket, users, connections, from, each] = arguments.as_slice() else {
        panic_with("usage: kept-bench SOCKET USERS CONNECTIONS FROM EACH")
    };
    let (connections, from, each): (usize, u64, u64) =
        (connections.parse().unwrap(), from.parse().unwrap(), each.parse().unwrap());
    let text = fs::read_to_string(users).unwrap();
    let mut hands: Vec<Vec<Question>> = (0..connections).map(|_| Vec::new()).collect();
    for counter in from..from + each {
        for (line, hand) in text.lines().zip((0..connections).cycle()) {
            hands.get_mut(hand).expect("a connection").push(question(line, counter));
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    let (answered, seconds) = runtime.block_on(play(socket, hands));
    tell(&answered, seconds);
}

fn panic_with(why: &str) -> ! {
    drop(writeln!(io::stderr(), "kept-bench: {why}"));
    std::process::exit(2)
}

fn question(line: &str, counter: u64) -> Question {
    let (user, secret) = line.split_once(' ').expect("a user and a secret");
    let secret = Secret::new(data_encoding::HEXLOWER.decode(secret.as_bytes()).unwrap());
    let code = hotp(&secret, Algorithm::Sha1, Digits::default(), counter);
    frame::encode(counter, question::verify(user, code.as_str())).unwrap().to_vec()
}

async fn play(socket: &str, hands: Vec<Vec<Question>>) -> (Vec<Answered>, f64) {
    let mut streams = Vec::new();
    for _ in &hands {
        streams.push(UnixStream::connect(socket).await.unwrap());
    }
    let begun = Instant::now();
    let mut connections: JoinSet<_> =
        streams.into_iter().zip(hands).map(|(stream, hand)| converse(stream, hand)).collect();
    let mut answered = Vec::new();
    while let Some(of_one) = connections.join_next().await {
        answered.extend(of_one.unwrap());
    }
    (answered, begun.elapsed().as_secs_f64())
}

async fn converse(mut stream: UnixStream, hand: Vec<Question>) -> Vec<Answered> {
    let mut answered = Vec::with_capacity(hand.len());
    let mut buffer = vec![0; 4096];
    for question in hand {
        let begun = Instant::now();
        stream.write_all(&question).await.unwrap();
        let payload = answer(&mut stream, &mut buffer).await;
        answered.push(Answered { payload, nanoseconds: begun.elapsed().as_nanos() });
    }
    answered
}

async fn answer(stream: &mut UnixStream, buffer: &mut [u8]) -> Vec<u8> {
    let mut got = 0;
    loop {
        let read = stream.read(buffer.get_mut(got..).expect("room")).await.unwrap();
        assert!(read > 0, "the daemon has closed the connection");
        got += read;
        let Some((header, payload)) = buffer.split_first_chunk::<HEADER_LEN>() else { continue };
        let whole = (got >= HEADER_LEN).then(|| frame::payload_len(*header).unwrap());
        if let Some(payload) = whole.and_then(|len| payload.get(..len))
            && got >= HEADER_LEN + payload.len()
        {
            return payload.to_vec();
        }
    }
}

fn tell(answered: &[Answered], seconds: f64) {
    let accepted = |answer: &&Answered| {
        let answer = frame::decode::<VerifyAnswer>(&answer.payload);
        answer.is_ok_and(|answer| matches!(answer.body, VerifyAnswer::Accepted(_)))
    };
    let right = answered.iter().filter(accepted).count();
    let mut times: Vec<_> = answered.iter().map(|answer| answer.nanoseconds).collect();
    times.sort_unstable();
    let at = |percent: usize| times.get(times.len() * percent / 100).expect("a verification");
    let refused = answered.len() - right;
    let line = format!("{right} {refused} {seconds} {} {} {}", at(50), at(95), at(99));
    writeln!(io::stdout().lock(), "{line}").unwrap();
}
