// SPDX-License-Identifier: GPL-3.0-or-later
//! Every key, every mistake, and the floor.

use mfa_proto::status::GraceTie;

use super::*;
use crate::policy::rule::{GraceTerms, Matchers, Terms};

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("/etc/mfa/mfa.toml"))
}

#[test]
fn an_empty_file_gives_the_defaults_of_the_documentation() {
    let config = parse("").unwrap();
    assert_eq!(config.socket.as_path(), Path::new("/run/mfa/mfa.sock"));
    assert_eq!(config.master_key.source(None), KeySource::File("/var/lib/mfa/master.key".into()));
    assert_eq!(config.token.digits.get(), 6);
    assert_eq!(config.token.period.get(), 30);
    assert_eq!(config.lockout.max_seconds.get(), 900);
    assert_eq!(config.metrics.listen.get(), None);
    assert_eq!(parse("[metrics]\nlisten = \"\"").unwrap().metrics.listen.get(), None);
}

#[test]
fn every_key_is_read() {
    let config = parse(
        r#"
        socket = "/x/s"
        issuer = "host.example"
        admin_group = "wheel"
        [store]
        url = "sqlite:/x/db"
        [master_key]
        file = "/x/key"
        [exchange]
        group = "ffdhe2048"
        rekey_seconds = 60
        rekey_messages = 8
        [token]
        algorithm = "SHA256"
        digits = 8
        period = 60
        skew_steps = 2
        max_age_days = 90
        enrollment = "admin"
        [lockout]
        free_attempts = 3
        base_seconds = 10
        max_seconds = 120
        hard_limit = 30
        [metrics]
        listen = "[::1]:9464"
        [[rule]]
        name = "first"
        users = ["alice"]
        groups = ["ops"]
        services = ["sshd"]
        hosts = ["192.0.2.0/24", "local"]
        grace_seconds = 60
        grace_for = ["ssh_key", "tty", "host"]
        enroll_from = 2026-12-01
        enroll_until = 2027-01-01T12:00:00+01:00
        enrollment = "invite"
        observe = true
        unavailable = "ignore"

        [[rule]]
        required = true
        "#,
    )
    .unwrap();
    assert_eq!(config.socket.as_path(), Path::new("/x/s"));
    assert_eq!(config.issuer.as_deref(), Some("host.example"));
    assert_eq!(config.admin_group, "wheel");
    assert_eq!(config.store.url, StoreUrl::Sqlite("/x/db".into()));
    assert_eq!(config.master_key.source(None), KeySource::File("/x/key".into()));
    assert_eq!(config.exchange.group, "ffdhe2048");
    assert_eq!(config.exchange.rekey_seconds.get(), 60);
    assert_eq!(config.exchange.rekey_messages.get(), 8);
    assert_eq!(config.token.algorithm, Algorithm::Sha256);
    assert_eq!(config.token.digits.get(), 8);
    assert_eq!(config.token.period.get(), 60);
    assert_eq!(config.token.skew_steps.get(), 2);
    assert_eq!(config.token.max_age_days.get(), 90);
    assert_eq!(config.token.enrollment, Enrollment::Admin);
    assert_eq!(config.lockout.free_attempts.get(), 3);
    assert_eq!(config.lockout.hard_limit.get(), 30);
    assert_eq!(config.metrics.listen.get(), Some("[::1]:9464".parse().unwrap()));
    let [first, second] = &*config.rules else { panic!("two rules") };
    assert_eq!((first.line, first.name.as_deref()), (27, Some("first")));
    assert_eq!(first.matches.hosts.as_ref().map(Vec::len), Some(2));
    assert_eq!(
        first.terms,
        Terms {
            required: false,
            exempt_until: None,
            grace: Some(GraceTerms {
                seconds: 60,
                ties: vec![GraceTie::SshKey, GraceTie::Tty, GraceTie::Host],
            }),
            enroll_from: Some(1_796_083_200),
            enroll_until: Some(1_798_801_200),
            enrollment: Some(Enrollment::Invite),
            observe: true,
            ignore_unavailable: true,
        }
    );
    assert_eq!((second.line, &second.matches), (41, &Matchers::default()));
    assert_eq!(second.terms, Terms { required: true, ..Terms::PLAIN });
}

#[test]
fn a_rule_that_contradicts_itself_is_refused_with_its_line() {
    let good = "[[rule]]\nexempt_until = 2026-12-31";
    assert_eq!(parse(good).unwrap().rules[0].terms.exempt_until, Some(1_798_675_200));
    for (bad, reason) in [
        ("users = []", "empty list"),
        ("hosts = []", "empty list"),
        ("required = true\nexempt_until = 2026-12-31", "required"),
        ("required = true\nenroll_until = 2026-12-31", "required"),
        ("exempt_until = 2026-12-31\nenroll_until = 2026-12-31", "no deadline"),
        ("enroll_from = 2026-12-31\nenroll_until = 2026-12-30", "before enroll_from"),
        ("grace_seconds = 60", "grace needs both"),
        ("grace_for = [\"tty\"]", "grace needs both"),
        ("grace_seconds = 60\ngrace_for = []", "grace needs both"),
    ] {
        let error = parse(&format!("\n[[rule]]\n{bad}")).unwrap_err().to_string();
        assert!(error.starts_with("/etc/mfa/mfa.toml: the rule at line 2: "), "{error}");
        assert!(error.contains(reason), "{bad}: {error}");
    }
}

#[test]
fn a_rule_behind_one_that_fits_everybody_is_refused_since_no_login_meets_it() {
    let behind = "[[rule]]\nobserve = true\n[[rule]]\nusers = [\"alice\"]\nrequired = true";
    let error = parse(behind).unwrap_err().to_string();
    assert!(error.starts_with("/etc/mfa/mfa.toml: the rule at line 3: "), "{error}");
    assert!(error.contains("fits everybody"), "{error}");
    let last = "[[rule]]\nusers = [\"alice\"]\nrequired = true\n[[rule]]\nobserve = true";
    assert_eq!(parse(last).unwrap().rules.len(), 2);
}

#[test]
fn the_floor_cannot_be_configured_away() {
    for switch in [
        "[lockout]\nenabled = false",
        "[lockout]\nfree_attempts = 21",
        "[lockout]\nbase_seconds = 9",
        "[lockout]\nmax_seconds = 59",
        "[lockout]\nhard_limit = 0",
        "[lockout]\nhard_limit = 1001",
        "[token]\nallow_reuse = true",
        "[token]\nsecret_bytes = 10",
        "[[rule]]\nexempt = true",
        "[[rule]]\nlockout = false",
        "[[rule]]\nreplay = true",
    ] {
        assert!(parse(switch).is_err(), "{switch}");
    }
    for algorithm in [Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha512] {
        assert!(algorithm.secret_len() * 8 >= 160, "{algorithm}");
    }
}

#[test]
fn every_mistake_is_an_error_that_names_file_and_line() {
    for (bad, line, reason) in [
        ("\nsokcet = \"/x\"", 2, "unknown field `sokcet`"),
        ("[token]\ndigits = 5", 2, "digits"),
        ("[token]\ndigits = -6", 2, "digits"),
        ("[token]\nperiod = 14", 2, "period"),
        ("[token]\nskew_steps = 11", 2, "from 0 to 10"),
        ("[token]\nalgorithm = \"MD5\"", 2, "MD5"),
        ("[token]\nenrollment = \"nobody\"", 2, "nobody"),
        ("[lockout]\n\nfree_attempts = 0", 3, "from 1 to 20"),
        ("socket = \"relative\"", 1, "not an absolute path"),
        ("[store]\nurl = \"mysql://x\"", 2, "mysql"),
        ("[store]\nurl = \"sqlite:relative\"", 2, "absolute path"),
        ("socket = \"/a\"\nsocket = \"/b\"", 2, "duplicate key"),
        ("[token]\nmax_age_days = 3651", 2, "from 0 to 3650"),
        ("[metrics]\nlisten = \"0.0.0.0:9464\"", 2, "loopback"),
        ("[metrics]\nlisten = \"192.0.2.1:9464\"", 2, "loopback"),
        ("[metrics]\nlisten = \"localhost:9464\"", 2, "loopback"),
        ("[metrics]\nlisten = \"127.0.0.1\"", 2, "loopback"),
        ("[metrics]\nlisten = \"127.0.0.1:0\"", 2, "loopback"),
        ("[master_key]\ncredential = \"a/b\"", 2, "a/b"),
        ("[master_key]\ncredential = \"\"", 2, "name of a credential"),
        ("[[rule]]\nuser = [\"alice\"]", 2, "user"),
        ("[[rule]]\nusers = [\"a/b\"]", 2, "user name"),
        ("[[rule]]\nhosts = [\"10.0.0.0/33\"]", 2, "10.0.0.0/33"),
        ("[[rule]]\ngrace_for = [\"shoe\"]", 2, "shoe"),
        ("[[rule]]\nexempt_until = 2026-12-31T10:00:00", 2, "offset"),
        ("[[rule]]\nexempt_until = true", 2, ""),
        ("[[rule]]\nunavailable = \"maybe\"", 2, "maybe"),
        ("[token\n", 1, ""),
    ] {
        let error = parse(bad).unwrap_err().to_string();
        assert!(error.starts_with("/etc/mfa/mfa.toml: "), "{error}");
        assert!(error.contains(&format!("line {line}")), "{bad}: {error}");
        assert!(error.contains(reason), "{bad}: {error}");
        assert!(!error.contains('\n'), "{error:?}");
    }
    let error = parse("\n[token]\ndigits = 5 # few").unwrap_err().to_string();
    assert!(error.contains("line 3, \"digits = 5 # few\": "), "{error}");
}

#[test]
fn keys_that_do_not_fit_each_other_are_refused_with_the_line_of_the_last() {
    for (bad, line, reason) in [
        ("\n[lockout]\nbase_seconds = 61\nmax_seconds = 60", 4, "max_seconds"),
        ("\n[lockout]\nmax_seconds = 60\nbase_seconds = 61", 4, "max_seconds"),
        ("[lockout]\nhard_limit = 4", 2, "free_attempts"),
        ("[master_key]\ncredential = \"k\"\nfile = \"/x/key\"", 3, "not in both"),
        ("[master_key]\nold_credential = \"k\"", 2, "needs credential"),
        ("issuer = \"\"", 1, "not empty"),
        ("\n\nadmin_group = \"\"", 3, "not empty"),
    ] {
        let error = parse(bad).unwrap_err().to_string();
        assert!(error.contains(&format!("line {line}: ")), "{bad}: {error}");
        assert!(error.contains(reason), "{bad}: {error}");
    }
    assert!(parse("[lockout]\nbase_seconds = 60\nmax_seconds = 60").is_ok());
    assert!(parse("[lockout]\nhard_limit = 5").is_ok());
}

#[test]
fn a_credential_is_a_file_where_systemd_has_put_it() {
    let config = parse("[master_key]\ncredential = \"mfa.master-key\"").unwrap();
    let source = |directory: Option<&str>| config.master_key.source(directory.map(Path::new));
    let name = "mfa.master-key".to_owned();
    let path = Some("/run/c/mfa.master-key".into());
    assert_eq!(source(None), KeySource::Credential { name: name.clone(), path: None, old: None });
    let passed = KeySource::Credential { name: name.clone(), path: path.clone(), old: None };
    assert_eq!(source(Some("/run/c")), passed);
    let config = "[master_key]\ncredential = \"mfa.master-key\"\nold_credential = \"mfa.old\"";
    let passed = KeySource::Credential { name, path, old: Some("/run/c/mfa.old".into()) };
    assert_eq!(parse(config).unwrap().master_key.source(Some(Path::new("/run/c"))), passed);
}

#[test]
fn a_missing_file_is_an_error_only_where_it_was_named() {
    let nowhere = |required| Source { path: "/nonexistent/mfa.toml".into(), required };
    assert!(Config::load(&nowhere(false)).is_ok());
    assert!(matches!(Config::load(&nowhere(true)), Err(ConfigError::Unreadable(..))));
}

#[test]
fn a_file_that_was_there_is_missed_when_it_is_gone() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("mfa.toml");
    let found = |source: &Source| Config::load(source).map(|config| config.source);
    let none_yet = found(&Source { path: path.clone(), required: false }).unwrap();
    assert!(!none_yet.required);
    fs::write(&path, "[token]\ndigits = 8\n").unwrap();
    let there = found(&none_yet).unwrap();
    assert_eq!(there, Source { path: path.clone(), required: true });
    fs::remove_file(&path).unwrap();
    assert!(matches!(found(&there), Err(ConfigError::Unreadable(..))));
    assert!(found(&none_yet).is_ok());
}

#[test]
fn what_only_a_start_can_change_is_kept_and_named() {
    let running = parse("[token]\ndigits = 8").unwrap();
    let mut same = parse("[token]\ndigits = 7").unwrap();
    assert!(same.keep_until_restart(&running).is_empty());
    assert_eq!(same.token.digits.get(), 7);
    for (changed, key) in [
        ("socket = \"/x/s\"", "socket"),
        ("[store]\nurl = \"sqlite:/x/db\"", "store.url"),
        ("[master_key]\nfile = \"/x/key\"", "master_key"),
        ("[metrics]\nlisten = \"127.0.0.1:9464\"", "metrics.listen"),
    ] {
        let mut config = parse(changed).unwrap();
        assert_eq!(config.keep_until_restart(&running), [key]);
        assert!(config.keep_until_restart(&running).is_empty(), "{key} was not kept");
    }
}
