// SPDX-License-Identifier: GPL-3.0-or-later
//! `mfa.toml`.

use std::path::Path;

use mfa_daemon::config::{Config, ConfigError, StoreUrl};
use mfa_daemon::policy::rule::{self, Login};
use mfa_proto::UserName;

/// What is taken has its figures in their ranges and none that contradict each other, means the same when
/// it is read again, and is refused with an unknown key beside it. What is refused names a line that is
/// there. A rule that is found is one of the file's.
pub(crate) fn configuration(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let path = Path::new("/etc/mfa/mfa.toml");
    match Config::parse(text, path) {
        Ok(config) => {
            check(&config);
            // Behind it: a byte order mark may stand at the beginning alone.
            let again = Config::parse(&format!("{text}\n# again\n"), path).expect("as before");
            assert_eq!(again.rules.len(), config.rules.len());
            assert_eq!(format!("{:?}", again.lockout), format!("{:?}", config.lockout));
            let strange = format!("no_such_key = 1\n{text}");
            assert!(Config::parse(&strange, path).is_err());
        }
        Err(error) => {
            let said = error.to_string();
            assert!(said.starts_with("/etc/mfa/mfa.toml: "));
            let line = match &error {
                ConfigError::Invalid { line, .. } | ConfigError::Contradiction { line, .. } => {
                    *line
                }
                ConfigError::Rule(_, error) => error.line,
                ConfigError::Unreadable(..) => panic!("nothing is read"),
            };
            // The end of a text may be named by the line behind its last one.
            let lines = u32::try_from(text.matches('\n').count()).expect("short") + 1;
            assert!((1..=lines).contains(&line), "{said}");
            assert!(!said.chars().any(char::is_control), "{said:?}");
        }
    }
}

fn check(config: &Config) {
    assert!(config.socket.as_path().is_absolute());
    let StoreUrl::Sqlite(database) = &config.store.url;
    assert!(database.is_absolute());
    assert!(config.issuer.as_deref() != Some("") && !config.admin_group.is_empty());
    let (token, lockout) = (&config.token, &config.lockout);
    assert!((6..=8).contains(&token.digits.get()) && (15..=300).contains(&token.period.get()));
    assert!(token.skew_steps.get() <= 10 && token.max_age_days.get() <= 3650);
    assert!((1..=20).contains(&lockout.free_attempts.get()));
    assert!(
        lockout.base_seconds.get() >= 10 && lockout.max_seconds.get() >= lockout.base_seconds.get()
    );
    assert!((lockout.free_attempts.get()..=1000).contains(&lockout.hard_limit.get()));
    assert!(config.exchange.rekey_seconds.get() >= 10 && config.exchange.rekey_messages.get() >= 4);
    for name in ["alice", "backup", "root"] {
        let user = UserName::new(name).expect("a name");
        for (service, rhost) in [("sshd", Some("192.0.2.7")), ("sudo", None), ("", Some("::1"))] {
            let login = Login { user: &user, service, rhost };
            let found = rule::find(&config.rules, &login, |group| Ok::<_, ()>(group == "staff"));
            let found = found.expect("groups are known");
            assert!(found.is_none_or(|at| at < config.rules.len()));
        }
    }
}
