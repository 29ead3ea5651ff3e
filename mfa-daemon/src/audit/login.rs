// SPDX-License-Identifier: GPL-3.0-or-later
//! What the trail tells of a login.

use mfa_proto::audit::{Act, ActResult};
use mfa_proto::login::Origin;
use mfa_proto::{Peer, UserName};

use super::Event;
use crate::policy::lockout::{Lock, LockoutRules};
use crate::policy::login::{By, Decision, Success};
use crate::policy::record::Record;

/// A login, or a code that is shown for something else, before it is decided.
#[derive(Clone, Copy)]
pub struct Attempted<'a> {
    /// Whose.
    pub user: &'a UserName,
    /// Where it comes from.
    pub origin: &'a Origin,
    /// Who asks.
    pub peer: Peer,
    /// Unix seconds.
    pub now: u64,
    /// A rule only observes it: it passes whatever is decided.
    pub observe: bool,
}

impl Attempted<'_> {
    fn event(&self, result: ActResult) -> Event {
        Event::new(Act::Login, result, self.peer, self.now).of(self.user).from(self.origin)
    }

    /// No code is asked for.
    #[must_use]
    pub fn spared(&self, result: ActResult, reason: &'static str) -> Event {
        self.event(result).because(reason)
    }

    /// It cannot be decided; `ignored`: a rule lets it pass all the same.
    #[must_use]
    pub fn undecided(&self, ignored: bool) -> Event {
        let event = self.event(if ignored { ActResult::Ignored } else { ActResult::Denied });
        event.because("unavailable").warning()
    }

    /// A code was checked. `record` is what the decision has left; there is none for a name that has
    /// nothing a code could be right for.
    #[must_use]
    pub fn decided(
        &self,
        decision: &Decision,
        record: Option<&Record>,
        rules: &LockoutRules,
    ) -> Event {
        match decision {
            Decision::Accepted(success) => self.accepted(success, record),
            Decision::Replayed => self.counted("replayed", record, rules).warning(),
            Decision::Wrong { clock_offset } => {
                let has_token = record.is_some_and(|record| !record.tokens.is_empty());
                let reason = if has_token { "wrong_code" } else { "no_token" };
                offset(self.counted(reason, record, rules), *clock_offset)
            }
            Decision::NotACode => self.denied("not_a_code"),
            Decision::ClockBehind => self.denied("clock_behind_last_login").warning(),
            Decision::Held => self.denied("held_after_restore").warning(),
            Decision::Locked(lock) => locked(self.denied("locked"), *lock),
        }
    }

    fn accepted(&self, success: &Success, record: Option<&Record>) -> Event {
        let mut event = self.event(ActResult::Accepted);
        if success.failures > 0 {
            event = event.figure("failures", success.failures);
        }
        event = offset(event, success.clock_offset);
        match &success.by {
            By::Token(token) if success.resynchronised => {
                event.token(token).because("resynchronised").warning()
            }
            By::Token(token) => event.token(token),
            By::Recovery => {
                let left = record.map_or(0, |record| record.recovery.len());
                event.because("recovery_code").figure("recovery_codes_left", left).warning()
            }
            By::Bypass => event.because("bypass_code").warning(),
        }
    }

    /// A denial that was counted; one that locks the account says so.
    fn counted(
        &self,
        reason: &'static str,
        record: Option<&Record>,
        rules: &LockoutRules,
    ) -> Event {
        let event = self.denied(reason);
        let Some(record) = record else { return event };
        let event = event.figure("failures", record.lockout.failures);
        match record.lockout.clone().lock_at(self.now, rules) {
            Lock::Open => event,
            lock => locked(event, lock),
        }
    }

    fn denied(&self, reason: &'static str) -> Event {
        if self.observe {
            self.event(ActResult::Ignored).because(reason).warning()
        } else {
            self.event(ActResult::Denied).because(reason)
        }
    }
}

/// Without seconds: until an administrator unlocks.
fn locked(event: Event, lock: Lock) -> Event {
    match lock {
        Lock::Wait(seconds) => event.figure("locked_seconds", seconds).warning(),
        Lock::Open | Lock::Hard => event.warning(),
    }
}

fn offset(event: Event, clock_offset: Option<i64>) -> Event {
    match clock_offset {
        Some(seconds) => event.figure("clock_offset", seconds),
        None => event,
    }
}

#[cfg(test)]
mod tests {
    use mfa_proto::Blob;
    use mfa_proto::audit::AuditEvent;

    use super::*;
    use crate::policy::record::{Factor, Lockout, Token};

    const NOW: u64 = 1_800_000_000;
    const RULES: LockoutRules =
        LockoutRules { free_attempts: 5, base_seconds: 30, max_seconds: 900, hard_limit: 100 };

    fn told(decision: &Decision, record: Option<&Record>, observe: bool) -> AuditEvent {
        let user = UserName::new("alice").unwrap();
        let origin = Origin { service: "sshd".into(), ..Origin::default() };
        let peer = Peer { uid: 0, gid: 0, pid: 7 };
        let attempted = Attempted { user: &user, origin: &origin, peer, now: NOW, observe };
        attempted.decided(decision, record, &RULES).numbered(1)
    }

    fn with_token(failures: u32) -> Record {
        Record {
            tokens: vec![Token {
                name: "phone".into(),
                factor: Factor::Hotp { counter: 0 },
                algorithm: mfa_crypto::Algorithm::Sha1,
                digits: mfa_crypto::Digits::default(),
                sealed: Blob::new([]),
                created: 0,
                last_used: None,
                near: None,
            }],
            lockout: Lockout { failures, last_failure: NOW, last_from: None },
            ..Record::default()
        }
    }

    fn success(by: By) -> Success {
        Success { by, failures: 0, last_failure: None, clock_offset: None, resynchronised: false }
    }

    #[test]
    fn each_decision_has_its_result_its_reason_and_its_weight() {
        use ActResult::{Accepted, Denied};
        let token = By::Token("phone".into());
        let again = Success { resynchronised: true, ..success(token.clone()) };
        let wrong = Decision::Wrong { clock_offset: None };
        let (one, five, hundred) = (with_token(1), with_token(5), with_token(100));
        for (decision, record, result, reason, warning) in [
            (Decision::Accepted(success(token)), Some(&one), Accepted, None, false),
            (Decision::Accepted(again), Some(&one), Accepted, Some("resynchronised"), true),
            (
                Decision::Accepted(success(By::Recovery)),
                Some(&one),
                Accepted,
                Some("recovery_code"),
                true,
            ),
            (
                Decision::Accepted(success(By::Bypass)),
                Some(&one),
                Accepted,
                Some("bypass_code"),
                true,
            ),
            (Decision::Replayed, Some(&one), Denied, Some("replayed"), true),
            (wrong.clone(), Some(&one), Denied, Some("wrong_code"), false),
            (wrong.clone(), Some(&five), Denied, Some("wrong_code"), true),
            (wrong.clone(), Some(&hundred), Denied, Some("wrong_code"), true),
            (wrong, None, Denied, Some("no_token"), false),
            (Decision::NotACode, Some(&one), Denied, Some("not_a_code"), false),
            (Decision::ClockBehind, Some(&one), Denied, Some("clock_behind_last_login"), true),
            (Decision::Held, Some(&one), Denied, Some("held_after_restore"), true),
            (Decision::Locked(Lock::Wait(9)), None, Denied, Some("locked"), true),
            (Decision::Locked(Lock::Hard), Some(&hundred), Denied, Some("locked"), true),
        ] {
            let event = told(&decision, record, false);
            let found = (event.result, event.reason.as_deref(), event.warning);
            assert_eq!(found, (result, reason, warning), "{decision:?}");
            let observed = told(&decision, record, true);
            if result == Denied {
                assert!(observed.result == ActResult::Ignored && observed.warning, "{decision:?}");
            } else {
                assert_eq!(observed, event);
            }
        }
    }

    #[test]
    fn the_wrong_code_that_locks_says_for_how_long_and_a_lock_without_an_end_has_no_seconds() {
        let wrong = Decision::Wrong { clock_offset: Some(-95) };
        let figures = |failures| told(&wrong, Some(&with_token(failures)), false).figures;
        let figure = |failures, name| figures(failures).get(name).copied();
        assert_eq!((figure(4, "failures"), figure(4, "locked_seconds")), (Some(4), None));
        assert_eq!((figure(5, "failures"), figure(5, "locked_seconds")), (Some(5), Some(30)));
        assert_eq!((figure(100, "failures"), figure(100, "locked_seconds")), (Some(100), None));
        assert_eq!(figure(4, "clock_offset"), Some(-95));
    }
}
