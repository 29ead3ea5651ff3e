// SPDX-License-Identifier: GPL-3.0-or-later
//! The configuration as a whole, read and checked apart: at start, and again while the daemon runs. A
//! new one takes the place of the old at once, and one with a mistake takes no place at all.

use std::fmt;
use std::sync::{Arc, PoisonError};

use mfa_proto::Peer;
use mfa_proto::audit::{Act, ActResult};
use tracing::{error, warn};

use crate::audit::Event;
use crate::config::{Config, ConfigError, Source};
use crate::daemon::{Daemon, GroupLoadError, Settings};

/// Why there are no settings.
#[derive(Debug)]
pub enum SettingsError {
    /// The file.
    Config(ConfigError),
    /// The group that it names.
    Group(GroupLoadError),
    /// It names no issuer and this host has no name.
    HostName,
    /// The thread that read it ended without an answer.
    Interrupted,
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => write!(f, "{error}"),
            Self::Group(error) => write!(f, "{error}"),
            Self::HostName => write!(f, "this host has no usable name; set issuer in mfa.toml"),
            Self::Interrupted => write!(f, "the configuration was not read to its end; try again"),
        }
    }
}

impl std::error::Error for SettingsError {}

/// What became of a reload: the keys that are written otherwise than they run, and wait for a restart.
#[derive(Debug, PartialEq, Eq)]
pub struct Reloaded {
    /// As they stand in the documentation: `store.url`.
    pub waiting: Vec<&'static str>,
}

impl Settings {
    /// Reads the file and checks all that it says. The group of a PEM file takes seconds.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn load(source: &Source) -> Result<Self, SettingsError> {
        let config = Config::load(source).map_err(SettingsError::Config)?;
        let issuer = issuer(&config).ok_or(SettingsError::HostName)?;
        let group = Daemon::load_group(&config.exchange.group).map_err(SettingsError::Group)?;
        Ok(Self { config, issuer, group })
    }
}

impl Daemon {
    /// Reads the configuration again because `peer` asked for it, and writes into the trail what came
    /// of it. Requests under way end with what they began with.
    ///
    /// # Errors
    /// [`SettingsError`]; everything is as it was then.
    pub async fn reload(&self, peer: Peer) -> Result<Reloaded, SettingsError> {
        let reloaded = self.replace_settings().await;
        let now = (self.clock)();
        let event = match &reloaded {
            Ok(Reloaded { waiting }) => Event::new(Act::Reload, ActResult::Done, peer, now)
                .figure("needs_restart", i64::try_from(waiting.len()).unwrap_or(i64::MAX)),
            Err(error) => {
                error!(%error, "not reloaded: the old configuration holds");
                Event::new(Act::Reload, ActResult::Denied, peer, now).because("mistake")
            }
        };
        // It is in the log where it cannot be stored, and what was read holds all the same.
        let _ = self.store.note(event).await;
        reloaded
    }

    async fn replace_settings(&self) -> Result<Reloaded, SettingsError> {
        // One after the other: otherwise what was read first could be put in place last.
        let _turn = self.reloading.lock().await;
        let source = self.settings().config.source.clone();
        let mut settings = tokio::task::spawn_blocking(move || Settings::load(&source))
            .await
            .map_err(|_| SettingsError::Interrupted)??;
        let waiting = settings.config.keep_until_restart(&self.settings().config);
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
        if !waiting.is_empty() {
            warn!(
                keys = waiting.join(", "),
                "changed in the configuration, but only a restart applies it"
            );
        }
        Ok(Reloaded { waiting })
    }
}

fn issuer(config: &Config) -> Option<String> {
    config.issuer.clone().or_else(|| {
        let name = nix::unistd::gethostname().ok()?.into_string().ok()?;
        (!name.is_empty()).then_some(name)
    })
}
