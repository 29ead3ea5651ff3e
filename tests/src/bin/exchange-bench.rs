// SPDX-License-Identifier: GPL-3.0-or-later
//! Exchanges and enrolments against a daemon. `exchange-bench SOCKET exchange COUNT`: so many key
//! exchanges, one after the other. `exchange-bench SOCKET enroll COUNT`: so many enrolments at once,
//! each of a user without a token, from `params` to the confirmed token; it says `ready` and waits
//! until its standard input ends. Prints the seconds of all of them.

#![expect(clippy::unwrap_used, clippy::panic, reason = "test code")]

use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::{env, fs, process, thread};

use getrandom::SysRng;
use mfa_crypto::{Binding, ClientExchange, Group, Moving, OtpUri, Session, hotp, step};
use mfa_proto::exchange::{
    ExchangeAnswer, KexFinish, KexInit, MovingFactor, Purpose, Sealed, SealedAnswer, SealedRequest,
};
use mfa_proto::{Blob, Client, Deadline, Request, TypedCode, UserName};

/// Far more than any of them takes.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [socket, what, count] = arguments.as_slice() else {
        panic!("usage: exchange-bench SOCKET exchange|enroll COUNT")
    };
    let (socket, count) = (Path::new(socket), count.parse().unwrap());
    let seconds = match what.as_str() {
        "exchange" => {
            let begun = Instant::now();
            for _ in 0..count {
                Channel::open(socket, "exchanging");
            }
            begun.elapsed()
        }
        "enroll" => enrolments(socket, count),
        other => panic!("neither exchange nor enroll: {other}"),
    };
    writeln!(io::stdout().lock(), "{}", seconds.as_secs_f64()).unwrap();
}

fn enrolments(socket: &Path, count: usize) -> Duration {
    let barrier = Arc::new(Barrier::new(count + 1));
    let enrolments: Vec<_> = (0..count)
        .map(|number| {
            let (socket, barrier) = (socket.to_owned(), Arc::clone(&barrier));
            thread::spawn(move || {
                barrier.wait();
                enroll(&socket, &format!("new-{}-{number}", process::id()));
            })
        })
        .collect();
    let mut out = io::stdout();
    writeln!(out, "ready").unwrap();
    out.flush().unwrap();
    io::stdin().read_to_end(&mut Vec::new()).unwrap();
    let begun = Instant::now();
    barrier.wait();
    for enrolment in enrolments {
        enrolment.join().unwrap();
    }
    begun.elapsed()
}

fn enroll(socket: &Path, user: &str) {
    let mut channel = Channel::open(socket, user);
    let name = "phone".to_owned();
    let provision = SealedRequest::Provision {
        name: name.clone(),
        moving: MovingFactor::Totp,
        code: None,
        invite: None,
    };
    let SealedAnswer::Provisioned { uri, .. } = channel.ask(&provision) else {
        panic!("no token for {user}")
    };
    let token = OtpUri::parse(uri.as_str()).unwrap();
    let Moving::Totp { period } = token.moving else { panic!("another kind of token") };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let code = hotp(&token.secret, token.algorithm, token.digits, step(now, period));
    let code = TypedCode::new(code.as_str()).unwrap();
    match channel.ask(&SealedRequest::Confirm { name, code }) {
        SealedAnswer::Confirmed { .. } => {}
        _ => panic!("the token of {user} is not confirmed"),
    }
}

/// As the kernel tells the daemon.
fn own_uid() -> u32 {
    fs::metadata("/proc/self").unwrap().uid()
}

/// The client's side of a session, as `mfa enroll` has it.
struct Channel {
    client: Client,
    session: Session,
    id: Blob,
}

impl Channel {
    fn open(socket: &Path, user: &str) -> Self {
        let deadline = Deadline::after(PATIENCE);
        let mut client = Client::connect(socket, deadline).unwrap();
        let mut call = |request: Request| client.call(&request, deadline).unwrap();
        let ExchangeAnswer::Params(params) = call(Request::Params {}) else {
            panic!("no group is offered")
        };
        let group = Group::named(&params.group.unwrap()).unwrap();
        let (exchange, hello) = ClientExchange::start(&group, &mut SysRng).unwrap();
        let user = UserName::new(user).unwrap();
        let init = KexInit {
            purpose: Purpose::Enroll,
            user: user.clone(),
            group: Blob::new(group.fingerprint()),
            client_public: Blob::new(hello.public),
            client_nonce: Blob::new(hello.nonce),
        };
        let reply = match call(Request::KexInit(init)) {
            ExchangeAnswer::KexReply(reply) => reply,
            other => panic!("kex_init: {other:?}"),
        };
        let binding =
            Binding { purpose: Purpose::Enroll.as_str(), user: user.as_str(), uid: own_uid() };
        let (session, confirm) = exchange
            .finish(
                &binding,
                reply.server_public.as_bytes(),
                reply.server_nonce.as_bytes(),
                reply.server_confirm.as_bytes(),
                reply.session.as_bytes(),
            )
            .unwrap();
        let id = reply.session;
        let finish = KexFinish { session: id.clone(), client_confirm: Blob::new(confirm) };
        let ExchangeAnswer::KexDone {} = call(Request::KexFinish(finish)) else {
            panic!("the exchange is not finished")
        };
        Self { client, session, id }
    }

    fn ask(&mut self, request: &SealedRequest) -> SealedAnswer {
        let message = self.session.seal(&serde_json::to_vec(request).unwrap()).unwrap();
        let sealed = Request::Sealed(Sealed {
            session: self.id.clone(),
            seq: message.seq,
            ciphertext: Blob::new(message.ciphertext),
        });
        let ExchangeAnswer::Sealed(answer) =
            self.client.call(&sealed, Deadline::after(PATIENCE)).unwrap()
        else {
            panic!("no sealed answer")
        };
        let plain = self.session.open(answer.seq, answer.ciphertext.as_bytes()).unwrap();
        serde_json::from_slice(&plain).unwrap()
    }
}
