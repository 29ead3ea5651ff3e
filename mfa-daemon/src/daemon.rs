// SPDX-License-Identifier: GPL-3.0-or-later
//! What every request works with: configuration, group, store, vault and the clock.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use getrandom::SysRng;
use mfa_crypto::{Group, GroupError};
use mfa_proto::login::Origin;
use mfa_proto::rekey::Rekeyed;
use mfa_proto::{Peer, TypedCode, UserName};
use tracing::error;

use crate::audit::Attempted;
use crate::caller;
use crate::clock_sync::ClockWatch;
use crate::config::Config;
use crate::exchanges::Exchanges;
use crate::metrics::Metrics;
use crate::policy::due;
use crate::policy::grace::Graces;
use crate::policy::lockout::LockoutRules;
use crate::policy::login::{self, Attempt, By, Decision, LoginRules, Success};
use crate::policy::pending::PendingTokens;
use crate::policy::record::Record;
use crate::policy::rule::{self, Login, Rule, Terms};
use crate::policy::unknown::Unknown;
use crate::store::{Change, Step, Store, StoreError};
use crate::vault::Vault;

/// Seconds since 1970 by the real-time clock; a parameter, so that tests set it.
pub type Clock = fn() -> u64;

/// The release's date, 2026-11-01. A clock before it is wrong, and steps computed from it would be
/// steps of the past.
pub const CLOCK_FLOOR: u64 = 1_793_491_200;

/// One running daemon.
pub struct Daemon {
    /// What the configuration says, replaced as a whole by a reload.
    pub settings: RwLock<Arc<Settings>>,
    /// Held while they are.
    pub reloading: tokio::sync::Mutex<()>,
    /// Users.
    pub store: Store,
    /// Their secrets' key.
    pub vault: Arc<Vault>,
    /// Names without a token.
    pub unknown: Arc<Mutex<Unknown>>,
    /// Tokens that wait for their first code.
    pub pending: Arc<Mutex<PendingTokens>>,
    /// Where users are not asked again for a while.
    pub graces: Mutex<Graces>,
    /// Whether this host's clock is synchronised.
    pub clock_watch: ClockWatch,
    /// The time.
    pub clock: Clock,
    /// Seconds of a clock that is never set, `CLOCK_BOOTTIME`: for what lasts so long and no longer.
    pub uptime: Clock,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Where the arithmetic of exchanges is done: it must not take both cores from logins.
    pub exchanges: Exchanges,
    /// What concerns all rows, an import, a restore, a new master key, at the same time: one.
    pub imports: Arc<tokio::sync::Semaphore>,
    /// How far the new master key has come.
    pub rekey: Mutex<Rekeyed>,
}

/// The clocks of a daemon's host.
pub struct Clocks {
    /// [`Daemon::clock`].
    pub clock: Clock,
    /// [`Daemon::uptime`].
    pub uptime: Clock,
    /// [`Daemon::clock_watch`].
    pub watch: ClockWatch,
}

/// What the configuration comes to. A request keeps the one it began with to its end.
pub struct Settings {
    /// As it was read.
    pub config: Config,
    /// The name that authenticators show.
    pub issuer: String,
    /// The group of the key exchange, checked.
    pub group: Group,
}

/// Why a code was not even looked at.
#[derive(Debug)]
pub enum NotDecided {
    /// The clock is before [`CLOCK_FLOOR`].
    ClockTooEarly(u64),
    /// The store failed.
    Store(StoreError),
    /// The name service does not say which groups the user is in, so which rule holds is not known.
    Groups(nix::errno::Errno),
}

impl std::fmt::Display for NotDecided {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ClockTooEarly(now) => {
                write!(f, "this host's clock says {now} s since 1970, which is in the past; set it")
            }
            Self::Store(error) => write!(f, "{error}"),
            Self::Groups(error) => write!(
                f,
                "the name service does not tell the user's groups ({}), and a rule depends on them",
                error.desc()
            ),
        }
    }
}

impl std::error::Error for NotDecided {}

/// What a success makes of the count of wrong codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// It starts from zero: the owner is told what was counted.
    Told,
    /// It stays: nobody is told here, and the next login has to.
    Kept,
}

/// How a code comes to be checked.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// Who asks.
    pub peer: Peer,
    /// What a success makes of the count.
    pub count: Count,
    /// A rule only observes this login: it passes whatever is decided.
    pub observe: bool,
}

/// What became of a typed code.
#[derive(Debug)]
pub struct Checked {
    /// The decision. For a name without a token it is what one with only wrong codes would get.
    pub decision: Decision,
    /// Recovery codes that are left.
    pub recovery_codes_left: u8,
    /// Whether the token that was accepted is older than `max_age_days`.
    pub rotation_due: bool,
}

/// Where the command `mfa` comes from, for rules: the service `mfa`, on this host.
#[must_use]
pub fn command() -> Origin {
    Origin { service: "mfa".to_owned(), ..Origin::default() }
}

impl Daemon {
    /// One that has served nobody yet.
    #[must_use]
    pub fn new(
        settings: Settings,
        (store, vault): (Store, Vault),
        clocks: Clocks,
        metrics: Arc<Metrics>,
        exchanges: Exchanges,
    ) -> Self {
        Self {
            settings: RwLock::new(Arc::new(settings)),
            reloading: tokio::sync::Mutex::default(),
            store,
            vault: Arc::new(vault),
            unknown: Arc::default(),
            pending: Arc::default(),
            graces: Mutex::default(),
            clock_watch: clocks.watch,
            clock: clocks.clock,
            uptime: clocks.uptime,
            metrics,
            exchanges,
            imports: Arc::new(tokio::sync::Semaphore::new(1)),
            rekey: Mutex::default(),
        }
    }

    /// What holds now.
    pub fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

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

    /// The time that `terms` are looked at. Where they have dates, a clock that is set back would
    /// bring an exemption back that has ended.
    ///
    /// # Errors
    /// [`NotDecided::ClockTooEarly`]: deny.
    pub fn now_for(&self, terms: &Terms) -> Result<u64, NotDecided> {
        if terms.has_dates() { self.now() } else { Ok((self.clock)()) }
    }

    /// The rule that a login meets, if any. Without rules this costs nothing; the name service, which
    /// may block, is asked apart and only where a rule has groups.
    ///
    /// # Errors
    /// [`NotDecided::Groups`]: deny.
    pub async fn rule_for(
        &self,
        user: &UserName,
        origin: &Origin,
    ) -> Result<Option<Rule>, NotDecided> {
        let settings = self.settings();
        let rules = &settings.config.rules;
        if rules.is_empty() {
            return Ok(None);
        }
        let find = |rules: &[Rule], user: &UserName, origin: &Origin| {
            let rhost = origin.rhost.as_deref();
            let login = Login { user, service: &origin.service, rhost };
            rule::find(rules, &login, |group| caller::is_in_group(user, group))
        };
        let found = if rules.iter().any(|rule| rule.matches.groups.is_some()) {
            let (rules, user, origin) = (Arc::clone(rules), user.clone(), origin.clone());
            tokio::task::spawn_blocking(move || find(&rules, &user, &origin))
                .await
                .unwrap_or(Err(nix::errno::Errno::ECANCELED))
        } else {
            find(rules, user, origin)
        };
        found.map(|at| rules.get(at?).cloned()).map_err(NotDecided::Groups)
    }

    /// What holds for a login.
    ///
    /// # Errors
    /// Those of [`Daemon::rule_for`].
    pub async fn terms_for(&self, user: &UserName, origin: &Origin) -> Result<Terms, NotDecided> {
        Ok(self.rule_for(user, origin).await?.map_or(Terms::PLAIN, |rule| rule.terms))
    }

    /// The graces, to be looked at or changed.
    pub fn graces(&self) -> MutexGuard<'_, Graces> {
        self.graces.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a user asked again everywhere; says how many graces that ended.
    pub fn end_grace(&self, user: &UserName) -> u32 {
        self.graces().end(user, (self.uptime)())
    }

    /// Checks a code as one atomic, durable step: it is spent, and what was decided is in the trail,
    /// before this returns.
    ///
    /// # Errors
    /// [`NotDecided`]: deny.
    pub async fn check_code(
        &self,
        user: &UserName,
        typed: TypedCode,
        origin: &Origin,
        asked: Asked,
    ) -> Result<Checked, NotDecided> {
        let now = self.now()?;
        self.clock_watch.look((self.uptime)());
        let rules = self.login_rules();
        let max_age_days = self.settings().config.token.max_age_days.get();
        let vault = Arc::clone(&self.vault);
        let unknown = Arc::clone(&self.unknown);
        let (name, origin) = (user.clone(), origin.clone());
        let decide = move |record: Option<Record>| {
            let Asked { peer, count, observe } = asked;
            let attempted = Attempted { user: &name, origin: &origin, peer, now, observe };
            let typed = login::read(
                typed.as_str(),
                |code| vault.hash(&name, code),
                |code| vault.hash_scratch(&name, code),
            );
            let Some(mut record) = record.filter(|record| record.is_asked(&origin.service, now))
            else {
                let mut unknown = unknown.lock().unwrap_or_else(PoisonError::into_inner);
                let decision = unknown.decide(&name, &typed, now, &rules.lockout);
                let event = Some(attempted.decided(&decision, None, &rules.lockout));
                let answer = Checked { decision, recovery_codes_left: 0, rotation_due: false };
                return Step { change: Change::Keep, event, answer };
            };
            let before = record.clone();
            let attempt = Attempt { now, service: &origin.service, rhost: origin.rhost.as_deref() };
            let decision = login::decide(&mut record, &typed, &attempt, &rules, |token| {
                vault
                    .open(&name, token)
                    .inspect_err(|error| {
                        error!(user = %name, token = token.name, %error, "a stored secret does not open");
                    })
                    .ok()
            });
            if count == Count::Kept && matches!(decision, Decision::Accepted(_)) {
                record.lockout = before.lockout.clone();
            }
            let event = Some(attempted.decided(&decision, Some(&record), &rules.lockout));
            let recovery_codes_left = u8::try_from(record.recovery.len()).unwrap_or(u8::MAX);
            let rotation_due = match &decision {
                Decision::Accepted(Success { by: By::Token(name), .. }) => {
                    record.token(name).is_some_and(|token| due::is_old(token, max_age_days, now))
                }
                _ => false,
            };
            let change = if record == before { Change::Keep } else { Change::Put(record) };
            Step { change, event, answer: Checked { decision, recovery_codes_left, rotation_due } }
        };
        self.store.act(user.clone(), decide).await.map_err(NotDecided::Store)
    }

    /// The configured figures of a decision.
    #[must_use]
    pub fn login_rules(&self) -> LoginRules {
        let settings = self.settings();
        let lockout = &settings.config.lockout;
        LoginRules {
            skew: settings.config.token.skew_steps.get(),
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
