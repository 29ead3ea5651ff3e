// SPDX-License-Identifier: GPL-3.0-or-later
//! A daemon that lies: only for answers that the real one never gives.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;

use mfa_proto::Request;
use mfa_proto::frame::{self, HEADER_LEN};
use mfa_proto::login::{Accepted, BeginAnswer, VerifyAnswer};
use serde::Serialize;
use tempfile::TempDir;

use crate::confine;

/// What is done with a question.
pub enum Reply {
    /// These bytes, then the connection closes.
    Bytes(Vec<u8>),
    /// The connection closes at once.
    Close,
    /// These bytes, and the connection stays open without another word.
    Hang(Vec<u8>),
}

/// Listens until the test ends.
pub struct FakeDaemon {
    socket: PathBuf,
    _home: Option<TempDir>,
    questions: Arc<Mutex<Vec<(&'static str, String)>>>,
}

impl FakeDaemon {
    /// Answers each question as `answer` says, given the question's number and text.
    #[must_use]
    pub fn start(answer: impl Fn(u64, &Request) -> Reply + Send + 'static) -> Self {
        Self::start_as(None, answer)
    }

    /// The same, as another uid: what the kernel tells those who connect. The directory is still that of
    /// whoever runs the test.
    #[must_use]
    pub fn start_as(
        uid: Option<u32>,
        answer: impl Fn(u64, &Request) -> Reply + Send + 'static,
    ) -> Self {
        let home = tempfile::tempdir().expect("a private directory");
        let socket = home.path().join("mfa.sock");
        Self { _home: Some(home), ..Self::start_at(socket, uid, answer) }
    }

    /// The same, at this path.
    #[must_use]
    pub fn start_at(
        socket: PathBuf,
        uid: Option<u32>,
        answer: impl Fn(u64, &Request) -> Reply + Send + 'static,
    ) -> Self {
        let listener = UnixListener::bind(&socket).expect("a socket");
        let questions = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&questions);
        let (ready, listens) = channel();
        // The thread ends with the test's process: it waits in accept.
        thread::spawn(move || {
            if let Some(uid) = uid {
                confine::become_in_this_thread(uid);
                confine::listen_again(&listener);
            }
            ready.send(()).expect("the test");
            let mut open = Vec::new();
            for stream in listener.incoming() {
                let mut stream = stream.expect("a connection");
                let Some((id, request, text)) = read(&mut stream) else { continue };
                seen.lock().expect("the list").push((name(&request), text));
                // That the other end is gone is its business.
                match answer(id, &request) {
                    Reply::Bytes(bytes) => drop(stream.write_all(&bytes)),
                    Reply::Close => {}
                    Reply::Hang(bytes) => {
                        drop(stream.write_all(&bytes));
                        open.push(stream);
                    }
                }
            }
        });
        listens.recv().expect("a listener");
        Self { socket, _home: None, questions }
    }

    /// Answers `begin` as the real one, and `verify` as `answer` says.
    #[must_use]
    pub fn after_prompt(answer: impl Fn(u64) -> Reply + Send + 'static) -> Self {
        Self::start(move |id, request| match request {
            Request::Begin(_) => prompt(id),
            _ => answer(id),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.socket.clone()
    }

    /// The types of the questions so far.
    #[must_use]
    pub fn questions(&self) -> Vec<String> {
        self.questions.lock().expect("the list").iter().map(|(name, _)| (*name).into()).collect()
    }

    /// All of them as they came.
    #[must_use]
    pub fn sent(&self) -> Vec<String> {
        self.questions.lock().expect("the list").iter().map(|(_, text)| text.clone()).collect()
    }
}

/// The real answer to `begin`.
#[must_use]
pub fn prompt(id: u64) -> Reply {
    answer(id, BeginAnswer::Prompt { digits: 6, observe: false })
}

/// A well-formed answer.
#[must_use]
pub fn answer(id: u64, answer: impl Serialize) -> Reply {
    Reply::Bytes(frame::encode(id, answer).expect("a frame").to_vec())
}

/// The frame that lets in.
#[must_use]
pub fn accepted(id: u64) -> Vec<u8> {
    let answer = VerifyAnswer::Accepted(Accepted::default());
    frame::encode(id, answer).expect("a frame").to_vec()
}

/// A frame of this text, whatever it is.
#[must_use]
pub fn framed(payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short text");
    [&length.to_be_bytes(), payload].concat()
}

fn read(stream: &mut UnixStream) -> Option<(u64, Request, String)> {
    let mut header = [0; HEADER_LEN];
    stream.read_exact(&mut header).ok()?;
    let mut payload = vec![0; frame::payload_len(header).ok()?];
    stream.read_exact(&mut payload).ok()?;
    let text = String::from_utf8_lossy(&payload).into_owned();
    frame::decode(&payload).ok().map(|frame| (frame.id, frame.body, text))
}

fn name(request: &Request) -> &'static str {
    match request {
        Request::Begin(_) => "begin",
        Request::Verify(_) => "verify",
        Request::Account(_) => "account",
        Request::LoginProvision(_) => "login_provision",
        Request::LoginConfirm(_) => "login_confirm",
        _ => "something else",
    }
}
