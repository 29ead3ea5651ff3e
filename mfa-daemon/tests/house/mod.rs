// SPDX-License-Identifier: GPL-3.0-or-later
//! A daemon inside the test, with clocks that the test sets and callers of any uid, and a client
//! written from `docs/protocol.md` to speak to it: on its real socket, or as if from another uid.

#![expect(dead_code, reason = "each test program uses its own part of this")]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "this is test code outside of test functions"
)]

use std::cell::Cell;
use std::sync::Arc;

use data_encoding::BASE64;
use getrandom::SysRng;
use mfa_crypto::{Binding, ClientExchange, Confirm, Group, Moving, OtpUri, Session, hotp, step};
use mfa_daemon::clock_sync::{ClockState, ClockWatch};
use mfa_daemon::config::{Config, Source, StoreUrl};
use mfa_daemon::daemon::{Clocks, Daemon, Settings};
use mfa_daemon::exchanges::Exchanges;
use mfa_daemon::guests::Guests;
use mfa_daemon::policy::record::Record;
use mfa_daemon::requests::{self, Connection};
use mfa_daemon::server::{self, Queue};
use mfa_daemon::store::{self, Moment, StoreLock};
use mfa_daemon::systemd::Watched;
use mfa_proto::frame::{self, HEADER_LEN};
use mfa_proto::{Peer, Request, UserName};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// A user of every host, and his uid.
pub(crate) const NOBODY: (&str, u32) = ("nobody", 65534);

/// When a test begins, by the real-time clock.
pub(crate) const BEGIN: u64 = 1_800_000_000;

// The daemon runs on the test's own thread, so each test has clocks of its own.
thread_local! {
    static NOW: Cell<u64> = const { Cell::new(BEGIN) };
    static UPTIME: Cell<u64> = const { Cell::new(1_000) };
}

/// Both clocks go on.
pub(crate) fn pass(seconds: u64) {
    NOW.set(NOW.get() + seconds);
    UPTIME.set(UPTIME.get() + seconds);
}

pub(crate) fn now() -> u64 {
    NOW.get()
}

/// Somebody sets the host's clock.
pub(crate) fn set_clock(now: u64) {
    NOW.set(now);
}

pub(crate) struct House {
    runtime: Runtime,
    pub(crate) daemon: Arc<Daemon>,
    stop: watch::Sender<bool>,
    lock: StoreLock,
    pub(crate) home: tempfile::TempDir,
}

impl House {
    pub(crate) fn new(more_configuration: &str) -> Self {
        Self::on(tempfile::tempdir().unwrap(), more_configuration)
    }

    /// A daemon on what an earlier one has left, or what a test has put there.
    pub(crate) fn on(home: tempfile::TempDir, more_configuration: &str) -> Self {
        let at = home.path().display();
        let file = home.path().join("mfa.toml");
        let configuration = format!(
            "socket = \"{at}/mfa.sock\"\nissuer = \"house\"\n\
             [store]\nurl = \"sqlite:{at}/mfa.db\"\n\
             [master_key]\nfile = \"{at}/master.key\"\n\
             [exchange]\ngroup = \"ffdhe2048\"\n{more_configuration}"
        );
        std::fs::write(&file, configuration).unwrap();
        let config = Config::load(&Source { path: file, required: true }).unwrap();
        let metrics = Arc::default();
        let StoreUrl::Sqlite(database) = &config.store.url;
        let at = Moment { now: now(), skew: config.token.skew_steps.get() };
        let (store, vault, lock) =
            store::open(database, &config.master_key.source(None), at, &metrics).unwrap();
        let listen_at = config.socket.as_path().to_owned();
        let settings = Settings { config, issuer: "house".to_owned(), group: group() };
        let watch = ClockWatch::new(|| ClockState::Synchronised);
        let clocks = Clocks { clock: || NOW.get(), uptime: || UPTIME.get(), watch };
        let exchanges = Exchanges::start().unwrap();
        let daemon = Arc::new(Daemon::new(settings, (store, vault), clocks, metrics, exchanges));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (stop, stopped) = watch::channel(false);
        {
            let _inside = runtime.enter();
            let listener = UnixListener::bind(listen_at).unwrap();
            runtime.spawn(server::serve(
                listener,
                Queue::Ends,
                Arc::clone(&daemon),
                stopped,
                Watched::by_nobody(),
                Guests::start().unwrap(),
            ));
        }
        Self { runtime, daemon, stop, lock, home }
    }

    /// Ends the daemon and leaves what it kept.
    pub(crate) fn end(self) -> tempfile::TempDir {
        let Self { runtime, daemon, stop, lock, home } = self;
        let _ = stop.send(true);
        drop((runtime, daemon, lock));
        std::fs::remove_file(home.path().join("mfa.sock")).unwrap();
        home
    }

    /// A caller on the real socket: root, or whoever runs the test and the daemon.
    pub(crate) fn connect(&self) -> Caller<'_> {
        let path = self.daemon.settings().config.socket.as_path().to_owned();
        let stream = self.runtime.block_on(UnixStream::connect(path)).unwrap();
        let uid = nix::unistd::geteuid().as_raw();
        Caller { house: self, way: Way::Socket(stream), uid, id: 40 }
    }

    /// A caller of another uid.
    pub(crate) fn caller(&self, uid: u32) -> Caller<'_> {
        let peer = Peer { uid, gid: uid, pid: 1 };
        let connection = Connection::new(peer);
        Caller { house: self, way: Way::Direct(Box::new(connection)), uid, id: 40 }
    }

    pub(crate) fn ask(&self, request: Value) -> Value {
        self.connect().ask(request)
    }

    /// Asks all of it at once, as root on as many connections.
    pub(crate) fn together(&self, requests: &[Value]) -> Vec<Value> {
        let callers: Vec<_> = requests
            .iter()
            .map(|request| {
                let mut request = request.clone();
                request["v"] = json!(1);
                request["id"] = json!(1);
                let request = frame::decode::<Request>(request.to_string().as_bytes()).unwrap();
                let daemon = Arc::clone(&self.daemon);
                let peer = Peer { uid: 0, gid: 0, pid: 1 };
                self.runtime.spawn(async move {
                    let mut connection = Connection::new(peer);
                    requests::answer(&daemon, &mut connection, request.id, request.body).await
                })
            })
            .collect();
        let answers = callers.into_iter().map(|caller| {
            let bytes = self.runtime.block_on(caller).unwrap().unwrap();
            serde_json::from_slice(&bytes[HEADER_LEN..]).unwrap()
        });
        answers.collect()
    }

    pub(crate) fn verify(&self, user: &str, code: &str) -> String {
        let answer = self.ask(json!({"type": "verify", "user": user, "code": code,
            "origin": {"service": "test"}}));
        answer["type"].as_str().unwrap().to_owned()
    }

    pub(crate) fn record(&self, user: &str) -> Option<Record> {
        self.daemon.store.get(&UserName::new(user).unwrap()).unwrap()
    }

    /// Gives a user a token through root's hands.
    pub(crate) fn enroll(&self, user: &str, name: &str) -> OtpUri {
        let mut talk = Talk::open(self.connect(), user, "enroll").unwrap();
        let uri = talk.provision(name);
        let confirmed = talk.confirm(name, &code(&uri));
        assert_eq!(confirmed["type"], "confirmed", "{confirmed}");
        pass(30);
        uri
    }
}

/// Somebody with a connection.
pub(crate) struct Caller<'h> {
    house: &'h House,
    way: Way,
    uid: u32,
    id: u64,
}

enum Way {
    Socket(UnixStream),
    Direct(Box<Connection>),
}

impl Caller<'_> {
    pub(crate) fn ask(&mut self, mut request: Value) -> Value {
        self.id += 1;
        request["v"] = json!(1);
        request["id"] = json!(self.id);
        let payload = request.to_string();
        let runtime = &self.house.runtime;
        let answer: Value = match &mut self.way {
            Way::Socket(stream) => runtime.block_on(exchange_frames(stream, payload.as_bytes())),
            Way::Direct(connection) => {
                let request = frame::decode::<Request>(payload.as_bytes()).unwrap();
                let bytes = runtime.block_on(async {
                    let answer =
                        requests::answer(&self.house.daemon, connection, request.id, request.body);
                    let bytes = answer.await.unwrap();
                    // What is logged and counted after the answer.
                    tokio::task::yield_now().await;
                    bytes
                });
                serde_json::from_slice(&bytes[HEADER_LEN..]).unwrap()
            }
        };
        assert_eq!(answer["id"], self.id, "{answer}");
        answer
    }
}

async fn exchange_frames(stream: &mut UnixStream, payload: &[u8]) -> Value {
    let length = u32::try_from(payload.len()).unwrap();
    stream.write_all(&length.to_be_bytes()).await.unwrap();
    stream.write_all(payload).await.unwrap();
    let mut header = [0; HEADER_LEN];
    stream.read_exact(&mut header).await.unwrap();
    let mut answer = vec![0; usize::try_from(u32::from_be_bytes(header)).unwrap()];
    stream.read_exact(&mut answer).await.unwrap();
    serde_json::from_slice(&answer).unwrap()
}

/// A caller inside a session.
pub(crate) struct Talk<'h> {
    pub(crate) caller: Caller<'h>,
    user: String,
    id: Value,
    pub(crate) session: Session,
}

impl<'h> Talk<'h> {
    /// The whole exchange; the refusal where there is one.
    pub(crate) fn open(mut caller: Caller<'h>, user: &str, purpose: &str) -> Result<Self, Value> {
        let (exchange, hello) = ClientExchange::start(&group(), &mut SysRng).unwrap();
        let reply = caller.ask(json!({"type": "kex_init", "purpose": purpose, "user": user,
            "group": base64(&group().fingerprint()), "client_public": base64(&hello.public),
            "client_nonce": base64(&hello.nonce)}));
        if reply["type"] != "kex_reply" {
            return Err(reply);
        }
        let id = reply["session"].clone();
        let (session, confirm) =
            finish(exchange, purpose, user, caller.uid, &reply, &bytes(&id)).unwrap();
        let done = caller.ask(json!({"type": "kex_finish", "session": id,
            "client_confirm": base64(&confirm)}));
        assert_eq!(done["type"], "kex_done", "{done}");
        Ok(Self { caller, user: user.to_owned(), id, session })
    }

    /// Says something sealed; the outer refusal where the session has ended.
    pub(crate) fn try_say(&mut self, inner: &Value) -> Result<Value, Value> {
        let message = self.session.seal(inner.to_string().as_bytes()).unwrap();
        let answer = self.caller.ask(json!({"type": "sealed", "session": self.id,
            "seq": message.seq, "ciphertext": base64(&message.ciphertext)}));
        if answer["type"] != "sealed" {
            return Err(answer);
        }
        let seq = answer["seq"].as_u64().unwrap();
        let plain = self.session.open(seq, &bytes(&answer["ciphertext"])).unwrap();
        Ok(serde_json::from_slice(&plain).unwrap())
    }

    pub(crate) fn say(&mut self, inner: &Value) -> Value {
        self.try_say(inner).unwrap()
    }

    pub(crate) fn provision(&mut self, name: &str) -> OtpUri {
        self.provisioned(&json!({"type": "provision", "name": name, "moving": "totp"}))
    }

    /// Something whose answer is a new secret.
    pub(crate) fn provisioned(&mut self, request: &Value) -> OtpUri {
        let answer = self.say(request);
        assert_eq!(answer["type"], "provisioned", "{answer}");
        OtpUri::parse(answer["uri"].as_str().unwrap()).unwrap()
    }

    pub(crate) fn confirm(&mut self, name: &str, code: &str) -> Value {
        self.say(&json!({"type": "confirm", "name": name, "code": code}))
    }

    /// The first flight of a rekey, and what its last one needs.
    pub(crate) fn offer_rekey(&mut self) -> Offered {
        let (exchange, hello) = ClientExchange::start(&group(), &mut SysRng).unwrap();
        let reply = self.say(&json!({"type": "rekey_init", "client_public": base64(&hello.public),
            "client_nonce": base64(&hello.nonce)}));
        assert_eq!(reply["type"], "rekey_reply", "{reply}");
        Offered { exchange, reply }
    }

    /// The new session and the confirm of an offered rekey, bound to `purpose`.
    pub(crate) fn agree(
        &self,
        offered: Offered,
        purpose: &str,
    ) -> Result<(Session, Confirm), mfa_crypto::ExchangeError> {
        let Offered { exchange, reply } = offered;
        finish(exchange, purpose, &self.user, self.caller.uid, &reply, &bytes(&self.id))
    }

    /// A whole rekey.
    pub(crate) fn rekey(&mut self) {
        let offered = self.offer_rekey();
        let (new, confirm) = self.agree(offered, "rekey").unwrap();
        let done = self.say(&json!({"type": "rekey_finish", "client_confirm": base64(&confirm)}));
        assert_eq!(done["type"], "rekeyed", "{done}");
        self.session.replace(new).unwrap();
    }
}

/// A rekey between its flights.
pub(crate) struct Offered {
    exchange: ClientExchange,
    pub(crate) reply: Value,
}

fn finish(
    exchange: ClientExchange,
    purpose: &str,
    user: &str,
    uid: u32,
    reply: &Value,
    id: &[u8],
) -> Result<(Session, Confirm), mfa_crypto::ExchangeError> {
    exchange.finish(
        &Binding { purpose, user, uid },
        &bytes(&reply["server_public"]),
        &bytes(&reply["server_nonce"]),
        &bytes(&reply["server_confirm"]),
        id,
    )
}

fn group() -> Group {
    Group::named("ffdhe2048").unwrap()
}

pub(crate) fn base64(bytes: &[u8]) -> Value {
    json!(BASE64.encode(bytes))
}

pub(crate) fn bytes(value: &Value) -> Vec<u8> {
    BASE64.decode(value.as_str().unwrap().as_bytes()).unwrap()
}

/// The code of a token now.
pub(crate) fn code(uri: &OtpUri) -> String {
    let counter = match uri.moving {
        Moving::Totp { period } => step(now(), period),
        Moving::Hotp { counter } => counter,
    };
    hotp(&uri.secret, uri.algorithm, uri.digits, counter).as_str().to_owned()
}

/// A code that is none of a token's near now.
pub(crate) fn wrong(uri: &OtpUri) -> String {
    let Moving::Totp { period } = uri.moving else { panic!("a counter token") };
    let current = step(now(), period);
    let near: Vec<_> = (current - 20..=current + 20)
        .map(|at| hotp(&uri.secret, uri.algorithm, uri.digits, at).as_str().to_owned())
        .collect();
    (0..).map(|n| format!("{n:06}")).find(|code| !near.contains(code)).unwrap()
}
