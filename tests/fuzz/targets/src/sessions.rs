// SPDX-License-Identifier: GPL-3.0-or-later
//! Histories of requests in the daemon's session, exchange and login logic, with time set by the input.

mod ask;
mod client;
mod watch;

use std::cell::RefCell;

use mfa_daemon::requests::Connection;
use mfa_proto::{Peer, UserName};

use crate::bytes::Bytes;
use crate::house::{self, House};
use crate::scripted_rng::ScriptedRng;

use self::client::Client;
use self::watch::Watch;

/// Requests of one history.
const LENGTH: u32 = 80;

/// Runs with one daemon; then a new one, since users of other names add up.
const RUNS: u32 = 5_000;

thread_local! {
    static HOUSE: RefCell<Option<(House, u32)>> = const { RefCell::new(None) };
}

/// Who asks: root, the second of the users, and somebody who is neither.
const PEERS: [u32; 3] = [0, 65534, 12_345];

/// What the histories of a corpus have met, to show that they are about something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Met {
    /// Logins that a code opened.
    pub opened: u32,
    /// Tokens that their first code made count.
    pub confirmed: u32,
    /// Keys that were replaced.
    pub rekeyed: u32,
    /// Sessions that ended, or were not there.
    pub over: u32,
    /// Refusals to somebody who may not.
    pub refused: u32,
}

/// One history. Every byte decides something, and whatever is decided, of the daemon holds:
///
/// - only a code of an active token at its step, or a recovery code, opens a login; one code opens one;
/// - a token that waits for its first code opens none, and counts only after a right one;
/// - whoever is neither root nor the user himself is refused, and changes nothing;
/// - nothing is sealed or opened without both confirmations, or after anything went wrong;
/// - no key lives longer than its messages.
pub(crate) fn sessions(input: &[u8]) {
    let _ = met(input);
}

/// The same; tells what was met.
#[must_use]
pub fn met(input: &[u8]) -> Met {
    HOUSE.with_borrow_mut(|kept| {
        let (house, runs) = match kept.take() {
            Some((house, runs)) if runs < RUNS => (house, runs),
            _ => (House::new(), 0),
        };
        let (house, _) = kept.insert((house, runs + 1));
        let users = [name("alice"), name("nobody")];
        house.forget(&users);
        let mut history = History {
            house,
            input: Bytes::new(input),
            users,
            connection: Connection::new(peer(0)),
            client: Client::None,
            watch: Watch::default(),
            met: Met::default(),
            rng: ScriptedRng::new(input.len() as u64),
            last_code: String::new(),
            last_sealed: None,
        };
        for _ in 0..LENGTH {
            if history.input.is_empty() {
                break;
            }
            history.step();
        }
        history.met
    })
}

struct History<'h, 'i> {
    house: &'h House,
    input: Bytes<'i>,
    users: [UserName; 2],
    connection: Connection,
    /// The other end of the connection, as far as it has come.
    client: Client,
    watch: Watch,
    met: Met,
    rng: ScriptedRng,
    last_code: String,
    last_sealed: Option<mfa_proto::exchange::Sealed>,
}

impl History<'_, '_> {
    fn step(&mut self) {
        match self.input.below(12) {
            0 => house::pass(u64::from(self.input.byte()) * 2),
            1 => house::pass(30),
            2 => {
                let uid = PEERS[usize::from(self.input.below(3))];
                self.connection = Connection::new(peer(uid));
                self.client = Client::None;
            }
            3 => self.begin_exchange(),
            4 => self.finish_exchange(),
            5 | 6 => self.say_sealed(),
            7 => self.verify(),
            8 => self.begin(),
            9 => self.params(),
            10 => self.administer(),
            _ => self.anything(),
        }
    }

    fn user(&mut self) -> UserName {
        self.users[usize::from(self.input.below(2))].clone()
    }

    /// Whether the peer may speak for this user at all.
    fn may(&self, user: &UserName) -> bool {
        let uid = self.connection.peer.uid;
        uid == 0 || uid == 65534 && user.as_str() == "nobody"
    }
}

fn name(text: &str) -> UserName {
    UserName::new(text).expect("a name")
}

fn peer(uid: u32) -> Peer {
    Peer { uid, gid: uid, pid: 1 }
}
