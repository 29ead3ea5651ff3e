// SPDX-License-Identifier: GPL-3.0-or-later
//! What every request works with: configuration, group, store, vault and the clock.

use std::sync::{Arc, Mutex, PoisonError};

use getrandom::SysRng;
use mfa_crypto::{Group, GroupError};
use mfa_proto::{ErrorAnswer, ErrorCode, Peer, TypedCode, UserName};
use tracing::{error, warn};

use crate::config::Config;
use crate::policy::lockout::LockoutRules;
use crate::policy::login::{self, Decision, LoginRules};
use crate::policy::record::Record;
use crate::policy::unknown::Unknown;
use crate::store::{Change, Store, StoreError};
use crate::vault::Vault;

/// Seconds since 1970 by the real-time clock; a parameter, so that tests set it.
pub type Clock = fn() -> u64;

/// The release's date, 2026-11-01. A clock before it is wrong, and steps computed from it would be
/// steps of the past.
pub const CLOCK_FLOOR: u64 = 1_793_491_200;

/// One running daemon.
pub struct Daemon {
    /// As it was read at start.
    pub config: Config,
    /// The name that authenticators show.
    pub issuer: String,
    /// The group of the key exchange, checked.
    pub group: Group,
    /// Users.
    pub store: Store,
    /// Their secrets' key.
    pub vault: Arc<Vault>,
    /// Names without a token.
    pub unknown: Arc<Mutex<Unknown>>,
    /// The time.
    pub clock: Clock,
    /// Exchanges computed at the same time: their arithmetic must not take both cores from logins.
    pub exchanges: tokio::sync::Semaphore,
}

/// Why a code was not even looked at.
#[derive(Debug)]
pub enum NotDecided {
    /// The clock is before [`CLOCK_FLOOR`].
    ClockTooEarly(u64),
    /// The store failed.
    Store(StoreError),
}

impl std::fmt::Display for NotDecided {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ClockTooEarly(now) => {
                write!(f, "this host's clock says {now} s since 1970, which is in the past; set it")
            }
            Self::Store(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for NotDecided {}

/// What became of a typed code.
#[derive(Debug)]
pub struct Checked {
    /// The decision. For a name without a token it is what one with only wrong codes would get.
    pub decision: Decision,
    /// Whether there was a confirmed token to check the code against. For the log.
    pub has_token: bool,
    /// Recovery codes that are left.
    pub recovery_codes_left: u8,
}

impl Daemon {
    /// The group that the configuration names: of RFC 7919, or a PEM file's.
    ///
    /// # Errors
    /// [`GroupError`], or the file cannot be read.
    pub fn load_group(named: &str) -> Result<Group, GroupLoadError> {
        if let Some(group) = Group::named(named) {
            return Ok(group);
        }
        if !named.starts_with('/') {
            return Err(GroupLoadError::Unknown(named.to_owned()));
        }
        let text = std::fs::read_to_string(named)
            .map_err(|error| GroupLoadError::Unreadable(named.to_owned(), error))?;
        Group::from_pem(&text, &mut SysRng)
            .map_err(|error| GroupLoadError::Refused(named.to_owned(), error))
    }

    /// The time that a code is checked at, sampled once, after the input has arrived.
    ///
    /// # Errors
    /// [`NotDecided::ClockTooEarly`].
    pub fn now(&self) -> Result<u64, NotDecided> {
        let now = (self.clock)();
        if now < CLOCK_FLOOR { Err(NotDecided::ClockTooEarly(now)) } else { Ok(now) }
    }

    /// Checks a code as one atomic, durable step: it is spent before this returns.
    ///
    /// # Errors
    /// [`NotDecided`]: deny.
    pub async fn check_code(
        &self,
        user: &UserName,
        typed: TypedCode,
    ) -> Result<Checked, NotDecided> {
        let now = self.now()?;
        let rules = self.login_rules();
        let vault = Arc::clone(&self.vault);
        let unknown = Arc::clone(&self.unknown);
        let name = user.clone();
        let decide = move |record: Option<Record>| {
            let typed = login::read(typed.as_str(), |code| vault.hash(&name, code));
            let Some(mut record) = record.filter(Record::has_active_token) else {
                let mut unknown = unknown.lock().unwrap_or_else(PoisonError::into_inner);
                let decision = unknown.decide(&name, &typed, now, &rules.lockout);
                return (
                    Change::Keep,
                    Checked { decision, has_token: false, recovery_codes_left: 0 },
                );
            };
            let before = record.clone();
            let decision = login::decide(&mut record, &typed, now, &rules, |token| {
                vault
                    .open(&name, token)
                    .inspect_err(|error| {
                        error!(user = %name, token = token.name, %error, "a stored secret does not open");
                    })
                    .ok()
            });
            let recovery_codes_left = u8::try_from(record.recovery.len()).unwrap_or(u8::MAX);
            let change = if record == before { Change::Keep } else { Change::Put(record) };
            (change, Checked { decision, has_token: true, recovery_codes_left })
        };
        self.store.update(user.clone(), decide).await.map_err(NotDecided::Store)
    }

    /// Wants a current code of `user` before something is done for him; it is spent by this.
    ///
    /// # Errors
    /// The refusal, the same for a missing, wrong or spent code and while locked.
    pub async fn require_code(
        &self,
        user: &UserName,
        typed: Option<TypedCode>,
        peer: Peer,
    ) -> Result<(), ErrorAnswer> {
        let needed = |message: &str| ErrorAnswer {
            code: ErrorCode::CodeNeeded,
            message: message.to_owned(),
        };
        let Some(typed) = typed else {
            return Err(needed("a current code of yours is needed for this"));
        };
        match self.check_code(user, typed).await {
            Ok(Checked { decision: Decision::Accepted { .. }, .. }) => Ok(()),
            Ok(outcome) => {
                warn!(%user, peer_uid = peer.uid, peer_pid = peer.pid, ?outcome, "refused: code needed");
                Err(needed("that code is not accepted; wait for the next one and try again"))
            }
            Err(error) => {
                error!(%user, %error, "cannot check a code");
                Err(ErrorAnswer {
                    code: ErrorCode::Unavailable,
                    message: "the code could not be checked; see the log of mfa-daemon".to_owned(),
                })
            }
        }
    }

    /// The configured figures of a decision.
    #[must_use]
    pub fn login_rules(&self) -> LoginRules {
        let lockout = &self.config.lockout;
        LoginRules {
            skew: self.config.token.skew_steps.get(),
            lockout: LockoutRules {
                free_attempts: lockout.free_attempts.get(),
                base_seconds: lockout.base_seconds.get(),
                max_seconds: lockout.max_seconds.get(),
                hard_limit: lockout.hard_limit.get(),
            },
        }
    }
}

/// Why the configured group is not used.
#[derive(Debug)]
pub enum GroupLoadError {
    /// Neither a name nor a path.
    Unknown(String),
    /// The file cannot be read.
    Unreadable(String, std::io::Error),
    /// The file's group is not safe, or not one.
    Refused(String, GroupError),
}

impl std::fmt::Display for GroupLoadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unknown(name) => {
                let known: Vec<_> = Group::names().collect();
                write!(
                    f,
                    "exchange.group: {name:?} is neither {} nor the absolute path of a PEM file",
                    known.join(", ")
                )
            }
            Self::Unreadable(path, error) => write!(f, "exchange.group: {path}: {error}"),
            Self::Refused(path, error) => write!(f, "exchange.group: {path}: {error}"),
        }
    }
}

impl std::error::Error for GroupLoadError {}
