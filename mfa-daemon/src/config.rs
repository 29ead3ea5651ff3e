// SPDX-License-Identifier: GPL-3.0-or-later
//! `mfa.toml`: every key with its default and range. An unknown key or a bad value is an error that
//! names the line; there are no silent defaults for a file that cannot be read.

mod place;
mod rule;

use std::fmt;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mfa_crypto::{Algorithm, Digits, Period};
use serde::{Deserialize, Deserializer, de};

pub use self::rule::RuleError;
use crate::master_key::KeySource;
use crate::messages::configuration as messages;
use crate::metrics::serve::is_loopback;
pub use crate::policy::rule::Enrollment;
use crate::policy::rule::Rule;

/// Where the master key is kept unless the configuration says otherwise.
const DEFAULT_KEY_FILE: &str = "/var/lib/mfa/master.key";

/// The whole configuration.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the daemon listens, unless systemd passes a socket.
    pub socket: AbsolutePath,
    /// The name an authenticator shows beside the user's; the host name where absent.
    pub issuer: Option<String>,
    /// Members may administer, see `docs/protocol.md`.
    pub admin_group: String,
    /// Where users are kept.
    pub store: StoreConfig,
    /// What their secrets are sealed with.
    pub master_key: MasterKeyConfig,
    /// Enrolment's key exchange.
    pub exchange: ExchangeConfig,
    /// What new tokens are like.
    pub token: TokenConfig,
    /// What wrong codes lead to.
    pub lockout: LockoutConfig,
    /// Who may read what the daemon counts.
    pub metrics: MetricsConfig,
    /// `[[rule]]`, as written.
    #[serde(rename = "rule")]
    written: Vec<rule::Placed>,
    /// The rules, in their order.
    #[serde(skip)]
    pub rules: Arc<[Rule]>,
    /// The file that says all this.
    #[serde(skip)]
    pub source: Source,
}

/// Where a configuration is read, and read again.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Source {
    /// The file.
    pub path: PathBuf,
    /// Whether it must be there. The default path may be empty, since every key has a default; but what
    /// was there once and is gone is a mistake, and never a reason to forget all rules.
    pub required: bool,
}

/// `[store]`
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields, default)]
pub struct StoreConfig {
    /// `sqlite:/absolute/path`.
    pub url: StoreUrl,
}

/// `[master_key]`
#[derive(Deserialize, Debug, Clone, PartialEq, Eq, Default)]
#[serde(deny_unknown_fields, default)]
pub struct MasterKeyConfig {
    /// 32 bytes, made at the first start. Not beside `credential`.
    file: Option<AbsolutePath>,
    /// The name of a credential of the service, in place of a file.
    credential: Option<CredentialName>,
    /// The name of the credential with the key that `credential` takes the place of.
    old_credential: Option<CredentialName>,
}

/// `[exchange]`
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields, default)]
pub struct ExchangeConfig {
    /// A name of RFC 7919 or the absolute path of a PEM file.
    pub group: String,
    /// Seconds a session key lives.
    pub rekey_seconds: Within<10, 86_400>,
    /// Messages a session key lives.
    pub rekey_messages: Within<4, 1_000_000>,
}

/// `[token]`
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields, default)]
pub struct TokenConfig {
    /// The HMAC's hash.
    pub algorithm: Algorithm,
    /// Digits of a code.
    pub digits: Digits,
    /// Seconds of a step.
    pub period: Period,
    /// Steps accepted before and after the current one.
    pub skew_steps: Within<0, 10>,
    /// Days after which a login asks for a rotation; 0 for never.
    pub max_age_days: Within<0, 3650>,
    /// Who may make a first token, where no rule says otherwise.
    pub enrollment: Enrollment,
}

/// `[lockout]`. The ranges are a floor: guessing stays hopeless whatever is written, see
/// `docs/guessing.md`.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields, default)]
pub struct LockoutConfig {
    /// Wrong codes in a row without a wait.
    pub free_attempts: Within<1, 20>,
    /// Seconds to wait after those, doubling with each further one.
    pub base_seconds: Within<10, 3600>,
    /// The longest wait in seconds.
    pub max_seconds: Within<60, 86_400>,
    /// Wrong codes in a row after which only an administrator unlocks.
    pub hard_limit: Within<1, 1000>,
}

/// `[metrics]`
#[derive(Deserialize, Debug, Default)]
#[serde(deny_unknown_fields, default)]
pub struct MetricsConfig {
    /// Where they are served, unless systemd passes a socket; empty for nowhere.
    pub listen: Loopback,
}

/// An address and port that only this host reaches, or none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Loopback(Option<SocketAddr>);

/// A whole number from `LOW` to `HIGH`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Within<const LOW: u64, const HIGH: u64>(u64);

/// A path that does not depend on where the daemon was started.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AbsolutePath(PathBuf);

/// The name of a credential, systemd.exec(5): a file name. Of letters, digits, `.`, `_` and `-`, so that
/// it stands in a command as it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CredentialName(String);

/// `store.url`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StoreUrl {
    /// A database file.
    Sqlite(PathBuf),
}

/// Why there is no configuration.
#[derive(Debug)]
pub enum ConfigError {
    /// The file cannot be read.
    Unreadable(PathBuf, io::Error),
    /// The file is not as it must be.
    Invalid {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: u32,
        /// What stands there.
        written: String,
        /// What is wrong with it.
        error: Box<toml::de::Error>,
    },
    /// The values are each in range but do not fit each other.
    Contradiction {
        /// The file.
        path: PathBuf,
        /// That of one of them.
        line: u32,
        /// What is wrong.
        what: &'static str,
    },
    /// A rule contradicts itself.
    Rule(PathBuf, RuleError),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(path, error) => {
                write!(f, "cannot read the configuration {}: {error}", path.display())
            }
            Self::Invalid { path, line, written, error } => {
                let what = error.message().trim_end().replace('\n', ", ");
                write!(f, "{}: line {line}, {written:?}: {what}", path.display())
            }
            Self::Contradiction { path, line, what } => {
                write!(f, "{}: line {line}: {what}", path.display())
            }
            Self::Rule(path, RuleError { line, what }) => {
                write!(f, "{}: the rule at line {line}: {what}", path.display())
            }
        }
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads and checks the file. Where it is there, the configuration's own source requires it.
    ///
    /// # Errors
    /// [`ConfigError`] names file and line.
    pub fn load(source: &Source) -> Result<Self, ConfigError> {
        let Source { path, required } = source;
        let (text, found) = match fs::read_to_string(path) {
            Ok(text) => (text, true),
            Err(error) if error.kind() == io::ErrorKind::NotFound && !required => {
                (String::new(), false)
            }
            Err(error) => return Err(ConfigError::Unreadable(path.to_owned(), error)),
        };
        let mut config = Self::parse(&text, path)?;
        config.source.required = found;
        Ok(config)
    }

    /// Takes over from `running` what only a start can change, and names the keys that are written
    /// otherwise here: they wait for one.
    pub fn keep_until_restart(&mut self, running: &Self) -> Vec<&'static str> {
        let mut waiting = Vec::new();
        keep(&mut self.socket, &running.socket, "socket", &mut waiting);
        keep(&mut self.store.url, &running.store.url, "store.url", &mut waiting);
        keep(&mut self.master_key, &running.master_key, "master_key", &mut waiting);
        keep(&mut self.metrics.listen, &running.metrics.listen, "metrics.listen", &mut waiting);
        waiting
    }

    /// Checks the text of a file; `path` is for messages.
    ///
    /// # Errors
    /// [`ConfigError`] names file and line.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let mut config: Self = toml::from_str(text).map_err(|error| {
            let line = place::line_at(text, error.span().map_or(0, |span| span.start));
            let written = place::quote(text, line);
            ConfigError::Invalid { path: path.to_owned(), line, written, error: Box::new(error) }
        })?;
        config.rules = rule::rules(std::mem::take(&mut config.written), text)
            .map_err(|error| ConfigError::Rule(path.to_owned(), error))?
            .into();
        if let Some((places, what)) = config.contradiction() {
            let lines = places.iter().filter_map(|(table, key)| place::line_of(text, table, key));
            let line = lines.max().unwrap_or(1);
            return Err(ConfigError::Contradiction { path: path.to_owned(), line, what });
        }
        config.source = Source { path: path.to_owned(), required: true };
        Ok(config)
    }

    /// The keys that do not fit each other, as table and key, and what is wrong with them.
    fn contradiction(&self) -> Option<(Vec<(&'static str, &'static str)>, &'static str)> {
        let lockout = &self.lockout;
        if self.issuer.as_deref() == Some("") {
            return Some((vec![("", "issuer")], messages::EMPTY_ISSUER));
        }
        if self.admin_group.is_empty() {
            return Some((vec![("", "admin_group")], messages::EMPTY_ADMIN_GROUP));
        }
        if self.master_key.file.is_some() && self.master_key.credential.is_some() {
            return Some((
                vec![("master_key", "file"), ("master_key", "credential")],
                messages::TWO_KEYS,
            ));
        }
        if self.master_key.old_credential.is_some() && self.master_key.credential.is_none() {
            return Some((vec![("master_key", "old_credential")], messages::OLD_KEY_ALONE));
        }
        if lockout.max_seconds.get() < lockout.base_seconds.get() {
            return Some((
                vec![("lockout", "max_seconds"), ("lockout", "base_seconds")],
                messages::WAITS_SHRINK,
            ));
        }
        if lockout.hard_limit.get() < lockout.free_attempts.get() {
            return Some((
                vec![("lockout", "hard_limit"), ("lockout", "free_attempts")],
                messages::LIMIT_TOO_EARLY,
            ));
        }
        None
    }
}

fn keep<T: Clone + PartialEq>(
    written: &mut T,
    running: &T,
    key: &'static str,
    waiting: &mut Vec<&'static str>,
) {
    if written != running {
        waiting.push(key);
        written.clone_from(running);
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            socket: AbsolutePath(mfa_proto::DEFAULT_SOCKET.into()),
            issuer: None,
            admin_group: "mfa-admin".to_owned(),
            store: StoreConfig::default(),
            master_key: MasterKeyConfig::default(),
            exchange: ExchangeConfig::default(),
            token: TokenConfig::default(),
            lockout: LockoutConfig::default(),
            metrics: MetricsConfig::default(),
            written: Vec::new(),
            rules: Arc::default(),
            source: Source::default(),
        }
    }
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self { url: StoreUrl::Sqlite("/var/lib/mfa/mfa.db".into()) }
    }
}

impl MasterKeyConfig {
    /// Where the key is, `credentials` being the directory in which systemd passes credentials.
    #[must_use]
    pub fn source(&self, credentials: Option<&Path>) -> KeySource {
        let passed = |name: &String| credentials.map(|directory| directory.join(name));
        match (&self.credential, &self.file) {
            (Some(CredentialName(name)), _) => KeySource::Credential {
                name: name.clone(),
                path: passed(name),
                old: self.old_credential.as_ref().and_then(|CredentialName(name)| passed(name)),
            },
            (None, Some(file)) => KeySource::File(file.as_path().to_owned()),
            (None, None) => KeySource::File(DEFAULT_KEY_FILE.into()),
        }
    }
}

impl Default for ExchangeConfig {
    fn default() -> Self {
        Self {
            group: "ffdhe3072".to_owned(),
            rekey_seconds: Within(120),
            rekey_messages: Within(64),
        }
    }
}

impl Default for TokenConfig {
    fn default() -> Self {
        Self {
            algorithm: Algorithm::Sha1,
            digits: Digits::default(),
            period: Period::default(),
            skew_steps: Within(1),
            max_age_days: Within(0),
            enrollment: Enrollment::Oneself,
        }
    }
}

impl Default for LockoutConfig {
    fn default() -> Self {
        Self {
            free_attempts: Within(5),
            base_seconds: Within(30),
            max_seconds: Within(900),
            hard_limit: Within(100),
        }
    }
}

impl<const LOW: u64, const HIGH: u64> Within<LOW, HIGH> {
    /// The number.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0
    }
}

impl<'de, const LOW: u64, const HIGH: u64> Deserialize<'de> for Within<LOW, HIGH> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = i64::deserialize(deserializer)?;
        u64::try_from(number)
            .ok()
            .filter(|n| (LOW..=HIGH).contains(n))
            .map(Self)
            .ok_or_else(|| de::Error::custom(messages::out_of_range(number, LOW, HIGH)))
    }
}

impl AbsolutePath {
    /// The path.
    #[must_use]
    pub fn as_path(&self) -> &Path {
        &self.0
    }
}

impl<'de> Deserialize<'de> for AbsolutePath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let path = PathBuf::deserialize(deserializer)?;
        if path.is_absolute() {
            Ok(Self(path))
        } else {
            Err(de::Error::custom(messages::relative(&path)))
        }
    }
}

impl Loopback {
    /// The address.
    #[must_use]
    pub fn get(self) -> Option<SocketAddr> {
        self.0
    }
}

impl<'de> Deserialize<'de> for Loopback {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() {
            return Ok(Self(None));
        }
        let address = text.parse().ok().filter(|at: &SocketAddr| at.port() != 0 && is_loopback(at));
        address
            .map(|address| Self(Some(address)))
            .ok_or_else(|| de::Error::custom(messages::not_loopback(&text)))
    }
}

impl<'de> Deserialize<'de> for CredentialName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let known = |c: char| c.is_ascii_alphanumeric() || ['.', '_', '-'].contains(&c);
        if (1..=255).contains(&name.len())
            && !name.starts_with(['.', '-'])
            && name.chars().all(known)
        {
            Ok(Self(name))
        } else {
            Err(de::Error::custom(messages::not_a_credential(&name)))
        }
    }
}

impl<'de> Deserialize<'de> for StoreUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let url = String::deserialize(deserializer)?;
        match url.split_once(':') {
            Some(("sqlite", path)) if path.starts_with('/') => Ok(Self::Sqlite(path.into())),
            _ => Err(de::Error::custom(messages::not_a_store(&url))),
        }
    }
}

#[cfg(test)]
mod tests;
