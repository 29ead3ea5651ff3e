// SPDX-License-Identifier: GPL-3.0-or-later
//! `mfa.toml`: every key with its default and range. An unknown key or a bad value is an error that
//! names the line; there are no silent defaults for a file that cannot be read.

mod rule;

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mfa_crypto::{Algorithm, Digits, Period};
use serde::{Deserialize, Deserializer, de};

pub use self::rule::RuleError;
pub use crate::policy::rule::Enrollment;
use crate::policy::rule::Rule;

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
    /// `[[rule]]`, as written.
    #[serde(rename = "rule")]
    written: Vec<rule::Placed>,
    /// The rules, in their order.
    #[serde(skip)]
    pub rules: Arc<[Rule]>,
}

/// `[store]`
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields, default)]
pub struct StoreConfig {
    /// `sqlite:/absolute/path`.
    pub url: StoreUrl,
}

/// `[master_key]`
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields, default)]
pub struct MasterKeyConfig {
    /// 32 bytes, made at the first start.
    pub file: AbsolutePath,
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

/// A whole number from `LOW` to `HIGH`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Within<const LOW: u64, const HIGH: u64>(u64);

/// A path that does not depend on where the daemon was started.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AbsolutePath(PathBuf);

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
    /// The file is not as it must be; the text names the line.
    Invalid(PathBuf, Box<toml::de::Error>),
    /// The values are each in range but do not fit each other.
    Contradiction(PathBuf, &'static str),
    /// A rule contradicts itself.
    Rule(PathBuf, RuleError),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(path, error) => {
                write!(f, "cannot read the configuration {}: {error}", path.display())
            }
            Self::Invalid(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Contradiction(path, what) => write!(f, "{}: {what}", path.display()),
            Self::Rule(path, RuleError { line, what }) => {
                write!(f, "{}: the rule at line {line}: {what}", path.display())
            }
        }
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads and checks the file. A missing file is an error only where `path` was asked for by
    /// name; the default path may be absent, since every key has a default.
    ///
    /// # Errors
    /// [`ConfigError`] names file and line.
    pub fn load(path: &Path, required: bool) -> Result<Self, ConfigError> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !required => String::new(),
            Err(error) => return Err(ConfigError::Unreadable(path.to_owned(), error)),
        };
        Self::parse(&text, path)
    }

    /// Checks the text of a file; `path` is for messages.
    ///
    /// # Errors
    /// [`ConfigError`] names file and line.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let mut config: Self = toml::from_str(text)
            .map_err(|error| ConfigError::Invalid(path.to_owned(), Box::new(error)))?;
        config.rules = rule::rules(std::mem::take(&mut config.written), text)
            .map_err(|error| ConfigError::Rule(path.to_owned(), error))?
            .into();
        if config.issuer.as_deref() == Some("") || config.admin_group.is_empty() {
            return Err(ConfigError::Contradiction(
                path.to_owned(),
                "issuer and admin_group may be left out, but not empty",
            ));
        }
        let lockout = &config.lockout;
        if lockout.max_seconds.get() < lockout.base_seconds.get() {
            return Err(ConfigError::Contradiction(
                path.to_owned(),
                "lockout.max_seconds is less than lockout.base_seconds",
            ));
        }
        if lockout.hard_limit.get() < lockout.free_attempts.get() {
            return Err(ConfigError::Contradiction(
                path.to_owned(),
                "lockout.hard_limit is less than lockout.free_attempts",
            ));
        }
        Ok(config)
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
            written: Vec::new(),
            rules: Arc::default(),
        }
    }
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self { url: StoreUrl::Sqlite("/var/lib/mfa/mfa.db".into()) }
    }
}

impl Default for MasterKeyConfig {
    fn default() -> Self {
        Self { file: AbsolutePath("/var/lib/mfa/master.key".into()) }
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
        u64::try_from(number).ok().filter(|n| (LOW..=HIGH).contains(n)).map(Self).ok_or_else(|| {
            de::Error::custom(format_args!("{number} is not a number from {LOW} to {HIGH}"))
        })
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
            Err(de::Error::custom(format_args!("{} is not an absolute path", path.display())))
        }
    }
}

impl<'de> Deserialize<'de> for StoreUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let url = String::deserialize(deserializer)?;
        match url.split_once(':') {
            Some(("sqlite", path)) if path.starts_with('/') => Ok(Self::Sqlite(path.into())),
            _ => Err(de::Error::custom(format_args!(
                "{url:?} is not sqlite: and an absolute path (other stores are not supported yet)"
            ))),
        }
    }
}

#[cfg(test)]
mod tests;
