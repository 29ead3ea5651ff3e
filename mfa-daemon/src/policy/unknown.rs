// SPDX-License-Identifier: GPL-3.0-or-later
//! Names without a token are counted and locked like the others, so that a lock tells nothing about
//! a name. In memory, and only so many: where there are more, the oldest is forgotten.

use std::collections::{HashMap, VecDeque};

use mfa_proto::UserName;

use super::lockout::{Lock, LockoutRules};
use super::login::{Decision, Typed};
use super::record::Lockout;

/// Names that are remembered; with the longest possible ones about 1.5 MB.
const NAMES_MAX: usize = 4096;

/// What is counted of names without a token.
#[derive(Default)]
pub struct Unknown {
    counts: HashMap<UserName, Lockout>,
    /// In the order in which they came.
    order: VecDeque<UserName>,
}

impl Unknown {
    /// What an account whose codes are all wrong would be told.
    pub fn decide(
        &mut self,
        user: &UserName,
        typed: &Typed,
        now: u64,
        rules: &LockoutRules,
    ) -> Decision {
        let mut lockout = self.counts.get(user).cloned().unwrap_or_default();
        match lockout.lock_at(now, rules) {
            Lock::Open => {}
            lock => return Decision::Locked(lock),
        }
        if matches!(typed, Typed::Neither) {
            return Decision::NotACode;
        }
        // Nobody is ever told of it, so where it came from is not kept.
        lockout.count_failure(now, None);
        if self.counts.insert(user.clone(), lockout).is_none() {
            self.order.push_back(user.clone());
            if self.order.len() > NAMES_MAX
                && let Some(oldest) = self.order.pop_front()
            {
                self.counts.remove(&oldest);
            }
        }
        Decision::Wrong { clock_offset: None }
    }
}

#[cfg(test)]
mod tests {
    use mfa_crypto::Code;

    use super::*;

    const RULES: LockoutRules =
        LockoutRules { free_attempts: 5, base_seconds: 30, max_seconds: 900, hard_limit: 100 };

    fn code() -> Typed {
        Typed::Code(Code::parse("123456").unwrap())
    }

    const WRONG: Decision = Decision::Wrong { clock_offset: None };

    #[test]
    fn a_name_without_a_token_locks_like_one_whose_codes_are_wrong() {
        let mut unknown = Unknown::default();
        let nobody = UserName::new("nobody").unwrap();
        for _ in 0..5 {
            assert_eq!(unknown.decide(&nobody, &Typed::Neither, 1000, &RULES), Decision::NotACode);
            assert_eq!(unknown.decide(&nobody, &code(), 1000, &RULES), WRONG);
        }
        let locked = unknown.decide(&nobody, &code(), 1000, &RULES);
        assert_eq!(locked, Decision::Locked(Lock::Wait(30)));
        let other = UserName::new("other").unwrap();
        assert_eq!(unknown.decide(&other, &code(), 1000, &RULES), WRONG);
        assert_eq!(unknown.decide(&nobody, &code(), 1030, &RULES), WRONG);
    }

    #[test]
    fn a_flood_of_names_keeps_the_newest_in_bounded_memory() {
        let mut unknown = Unknown::default();
        for n in 0..2 * NAMES_MAX {
            let name = UserName::new(format!("name{n}")).unwrap();
            unknown.decide(&name, &code(), 1000, &RULES);
        }
        assert_eq!(unknown.counts.len(), NAMES_MAX);
        assert_eq!(unknown.order.len(), NAMES_MAX);
        assert!(unknown.counts.contains_key(&UserName::new("name8191").unwrap()));
    }
}
