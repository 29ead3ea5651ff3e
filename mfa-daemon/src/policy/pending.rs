// SPDX-License-Identifier: GPL-3.0-or-later
//! Tokens whose first code was not seen yet. They are in memory only: they open nothing, an attempt
//! that is given up changes nothing, and what was shown to nobody's phone is never on the disk.
//! `docs/decisions/0002-pending-tokens-in-memory.md` weighs it.

use std::collections::HashMap;
use std::fmt;

use mfa_proto::{Blob, UserName};

use super::record::{Factor, Record, Token};

/// Attempts to confirm a pending token.
pub const TRIES: u8 = 5;

/// Seconds after which a pending token is forgotten.
pub const LIFETIME: u64 = 900;

/// Pending tokens at a time; a further one takes the place of the oldest.
const MAX: usize = 1024;

/// A token that waits for its first code.
#[derive(Clone)]
pub struct Pending {
    /// With its sealed secret.
    pub token: Token,
    /// What becomes of it.
    pub kind: Kind,
    /// Attempts that are left.
    pub tries_left: u8,
    /// When it was made, in seconds of a clock that is never set.
    pub since: u64,
}

/// What a pending token becomes.
#[derive(Clone, PartialEq, Eq)]
pub enum Kind {
    /// The user's first one, for which no code was asked: it must still be the first.
    First {
        /// The hash of the invite that allowed it: it must still be there, and goes with it.
        invite: Option<Blob>,
    },
    /// One more.
    Another,
    /// The new secret of the token of the same name, made at this moment.
    Rotation {
        /// `created` of the token that it replaces.
        of: u64,
    },
}

/// What became of the recovery codes when a token was activated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecoveryCodes {
    /// The user had none: he has the new set now.
    New,
    /// The user's are still good.
    Kept,
}

/// Why a right code no longer activates: the record is not what it was when the token was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// Another enrolment was completed first.
    NotFirst,
    /// The invite ended or was used.
    InviteGone,
    /// Another token has this name now.
    NameTaken,
    /// The user has all the tokens that he may have.
    TooMany,
    /// The token that was to be replaced is gone, or was replaced already.
    Replaced,
}

impl Obstacle {
    /// In a word, for the trail.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotFirst => "not_first",
            Self::InviteGone => "invite_gone",
            Self::NameTaken => "name_taken",
            Self::TooMany => "too_many",
            Self::Replaced => "replaced",
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFirst => "another enrolment was completed meanwhile; begin again",
            Self::InviteGone => {
                "the invite has ended or was used meanwhile; ask an administrator for a new one"
            }
            Self::NameTaken => "another token has got this name meanwhile; choose another name",
            Self::TooMany => "there are four tokens already; revoke one and begin again",
            Self::Replaced => {
                "the token was revoked or replaced meanwhile; look at mfa status and begin again"
            }
        })
    }
}

impl std::error::Error for Obstacle {}

impl Pending {
    /// Makes the token count, if the record still allows it. `factor` is as the first code leaves it:
    /// that code is spent. `recovery` are the hashes of a new set, for a user who has none.
    ///
    /// # Errors
    /// [`Obstacle`]; the record is as it was then.
    pub fn activate(
        &self,
        record: &mut Record,
        factor: Factor,
        now: u64,
        recovery: Vec<Blob>,
    ) -> Result<RecoveryCodes, Obstacle> {
        let token = Token { factor, last_used: Some(now), near: None, ..self.token.clone() };
        match &self.kind {
            Kind::First { .. } if !record.tokens.is_empty() => return Err(Obstacle::NotFirst),
            Kind::First { invite: Some(hash) }
                if !record.invite.as_ref().is_some_and(|it| it.hash == *hash && now < it.until) =>
            {
                return Err(Obstacle::InviteGone);
            }
            Kind::First { .. } | Kind::Another => {
                if record.token(&token.name).is_some() {
                    return Err(Obstacle::NameTaken);
                }
                if record.tokens.len() >= Record::MAX_TOKENS {
                    return Err(Obstacle::TooMany);
                }
                record.tokens.push(token);
            }
            Kind::Rotation { of } => {
                let old = record.token_mut(&token.name).filter(|old| old.created == *of);
                *old.ok_or(Obstacle::Replaced)? = token;
            }
        }
        // It is for a first token, and that is there now.
        record.invite = None;
        if record.recovery.is_empty() {
            record.recovery = recovery;
            Ok(RecoveryCodes::New)
        } else {
            Ok(RecoveryCodes::Kept)
        }
    }
}

/// Pending tokens, one a user.
#[derive(Default)]
pub struct PendingTokens(HashMap<UserName, Pending>);

impl PendingTokens {
    /// Keeps a pending token in place of an earlier one of the same user.
    pub fn put(&mut self, user: UserName, pending: Pending) {
        let now = pending.since;
        self.0.retain(|_, other| is_alive(other, now));
        if self.0.len() >= MAX && !self.0.contains_key(&user) {
            let oldest = self.0.iter().min_by_key(|(_, pending)| pending.since);
            if let Some(oldest) = oldest.map(|(user, _)| user.clone()) {
                self.0.remove(&oldest);
            }
        }
        self.0.insert(user, pending);
    }

    /// The user's pending token of this name. It stays until it is [`done`](Self::done), so that a
    /// commit that fails costs nobody his enrolment; that it counts once is seen to by the record.
    #[must_use]
    pub fn get(&self, user: &UserName, name: &str, now: u64) -> Option<&Pending> {
        self.0.get(user).filter(|found| found.token.name == name && is_alive(found, now))
    }

    /// Counts a wrong code for this token, and forgets it with the last one. Returns the tries left.
    pub fn wrong(&mut self, user: &UserName, token: &Token) -> u8 {
        let Some(pending) = self.same(user, token) else { return 0 };
        pending.tries_left = pending.tries_left.saturating_sub(1);
        let left = pending.tries_left;
        if left == 0 {
            self.0.remove(user);
        }
        left
    }

    /// Forgets this token, but not one that took its place.
    pub fn done(&mut self, user: &UserName, token: &Token) {
        if self.same(user, token).is_some() {
            self.0.remove(user);
        }
    }

    /// Forgets whatever is pending for a user.
    pub fn forget(&mut self, user: &UserName) {
        self.0.remove(user);
    }

    /// Forgets all of them.
    pub fn forget_all(&mut self) {
        self.0.clear();
    }

    /// All of them, to be changed.
    pub fn each_mut(&mut self) -> impl Iterator<Item = (&UserName, &mut Token)> {
        self.0.iter_mut().map(|(user, pending)| (user, &mut pending.token))
    }

    /// No two sealings are alike: each has a nonce of its own.
    fn same(&mut self, user: &UserName, token: &Token) -> Option<&mut Pending> {
        self.0.get_mut(user).filter(|found| found.token.sealed == token.sealed)
    }
}

fn is_alive(pending: &Pending, now: u64) -> bool {
    now.saturating_sub(pending.since) < LIFETIME
}

#[cfg(test)]
mod tests {
    use mfa_crypto::{Algorithm, Digits, Period};

    use super::*;
    use crate::policy::record::Invite;

    const NOW: u64 = 1_800_000_000;

    fn user(n: usize) -> UserName {
        UserName::new(format!("user{n}")).unwrap()
    }

    fn token(name: &str, created: u64) -> Token {
        Token {
            name: name.to_owned(),
            factor: Factor::Totp { period: Period::default(), last_step: None, drift: 0 },
            algorithm: Algorithm::Sha1,
            digits: Digits::default(),
            sealed: Blob::new(format!("{name} {created}")),
            created,
            last_used: None,
            near: None,
        }
    }

    fn pending(name: &str, kind: Kind, since: u64) -> Pending {
        Pending { token: token(name, since), kind, tries_left: TRIES, since }
    }

    fn spent() -> Factor {
        Factor::Totp { period: Period::default(), last_step: Some(NOW / 30), drift: 0 }
    }

    fn activate(kind: Kind, record: &mut Record) -> Result<RecoveryCodes, Obstacle> {
        let before = record.clone();
        let pending = pending("phone", kind, 7);
        let result = pending.activate(record, spent(), NOW, vec![Blob::new([7])]);
        assert!(result.is_ok() || *record == before, "a refusal changed the record");
        result
    }

    fn with_tokens(names: &[&str]) -> Record {
        let tokens = names.iter().map(|name| token(name, 5)).collect();
        Record { tokens, ..Record::default() }
    }

    #[test]
    fn there_is_one_a_user_and_the_newest_counts() {
        let mut all = PendingTokens::default();
        all.put(user(1), pending("phone", Kind::Another, 10));
        all.put(user(1), pending("key", Kind::Another, 11));
        all.put(user(2), pending("phone", Kind::Another, 12));
        assert!(all.get(&user(1), "phone", 12).is_none());
        assert!(all.get(&user(1), "key", 12).is_some());
        all.forget(&user(1));
        assert!(all.get(&user(1), "key", 12).is_none());
        assert!(all.get(&user(2), "phone", 12).is_some());
    }

    #[test]
    fn it_is_forgotten_when_its_time_is_over() {
        let mut all = PendingTokens::default();
        all.put(user(1), pending("phone", Kind::Another, 10));
        assert!(all.get(&user(1), "phone", 10 + LIFETIME - 1).is_some());
        assert!(all.get(&user(1), "phone", 10 + LIFETIME).is_none());
        all.put(user(2), pending("phone", Kind::Another, 10 + LIFETIME));
        assert_eq!(all.0.len(), 1, "what nobody asks for stays for ever");
    }

    #[test]
    fn a_flood_of_names_drops_the_oldest() {
        let mut all = PendingTokens::default();
        for n in 0..MAX + 10 {
            all.put(user(n), pending("phone", Kind::Another, u64::try_from(n).unwrap() / 2));
        }
        assert_eq!(all.0.len(), MAX);
        let found = |n| all.get(&user(n), "phone", 520).is_some();
        assert!(!found(0) && !found(9) && found(10) && found(MAX + 9));
    }

    #[test]
    fn five_wrong_codes_end_it_and_those_for_an_earlier_one_do_not_count() {
        let mut all = PendingTokens::default();
        let old = pending("phone", Kind::Another, 10);
        all.put(user(1), old.clone());
        let new = pending("phone", Kind::Another, 11);
        all.put(user(1), new.clone());
        assert_eq!(all.wrong(&user(1), &old.token), 0);
        all.done(&user(1), &old.token);
        for left in (0..TRIES).rev() {
            assert!(all.get(&user(1), "phone", 11).is_some());
            assert_eq!(all.wrong(&user(1), &new.token), left);
        }
        assert!(all.get(&user(1), "phone", 11).is_none());
        all.put(user(1), new.clone());
        all.done(&user(1), &new.token);
        assert!(all.get(&user(1), "phone", 11).is_none());
    }

    #[test]
    fn a_first_token_must_still_be_the_first_one() {
        let first = || Kind::First { invite: None };
        let mut record = Record::default();
        assert_eq!(activate(first(), &mut record), Ok(RecoveryCodes::New));
        assert_eq!((record.tokens[0].factor, record.tokens[0].last_used), (spent(), Some(NOW)));
        assert_eq!(record.recovery, [Blob::new([7])]);
        assert_eq!(activate(first(), &mut record), Err(Obstacle::NotFirst));
        assert_eq!(activate(first(), &mut with_tokens(&["key"])), Err(Obstacle::NotFirst));
    }

    #[test]
    fn an_invite_must_still_be_good_and_goes_with_the_first_token() {
        let kind = || Kind::First { invite: Some(Blob::new([1])) };
        let invited = |hash: u8, until| Record {
            invite: Some(Invite { hash: Blob::new([hash]), until }),
            ..Record::default()
        };
        let mut record = invited(1, NOW + 1);
        assert_eq!(activate(kind(), &mut record), Ok(RecoveryCodes::New));
        assert_eq!(record.invite, None);
        for mut gone in [invited(1, NOW), invited(2, NOW + 1), Record::default()] {
            assert_eq!(activate(kind(), &mut gone), Err(Obstacle::InviteGone));
        }
    }

    #[test]
    fn one_more_needs_a_free_name_and_room_and_leaves_recovery_codes() {
        let mut record = with_tokens(&["one", "two", "three"]);
        record.recovery = vec![Blob::new([9])];
        assert_eq!(activate(Kind::Another, &mut record), Ok(RecoveryCodes::Kept));
        assert_eq!((record.tokens.len(), &record.recovery), (4, &vec![Blob::new([9])]));
        assert_eq!(activate(Kind::Another, &mut record), Err(Obstacle::NameTaken));
        let mut full = with_tokens(&["one", "two", "three", "four"]);
        assert_eq!(activate(Kind::Another, &mut full), Err(Obstacle::TooMany));
    }

    #[test]
    fn a_rotation_replaces_the_very_token_that_it_was_begun_for() {
        let mut record = with_tokens(&["key", "phone"]);
        assert_eq!(activate(Kind::Rotation { of: 4 }, &mut record), Err(Obstacle::Replaced));
        assert_eq!(activate(Kind::Rotation { of: 5 }, &mut record), Ok(RecoveryCodes::New));
        assert_eq!(record.tokens.len(), 2);
        assert_eq!((record.tokens[0].created, record.tokens[1].created), (5, 7));
        assert_eq!(activate(Kind::Rotation { of: 5 }, &mut record), Err(Obstacle::Replaced));
        let mut gone = with_tokens(&["key"]);
        assert_eq!(activate(Kind::Rotation { of: 5 }, &mut gone), Err(Obstacle::Replaced));
    }
}
