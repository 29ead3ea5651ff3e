// SPDX-License-Identifier: GPL-3.0-or-later
//! What must hold of the records, whatever was asked.

use std::collections::HashSet;

use mfa_crypto::{OtpUri, RecoveryCode, hotp};
use mfa_daemon::policy::record::{Factor, Record, Token};
use mfa_proto::UserName;
use mfa_proto::exchange::SealedRequest;
use serde_json::Value;

use super::History;
use super::client::About;

/// What was told to clients, and what was spent.
#[derive(Default)]
pub(super) struct Watch {
    /// Secrets that wait for their first code, by user and name: the last one counts.
    pending: Vec<(UserName, String, OtpUri)>,
    /// Secrets of active tokens, by what is stored of them.
    active: Vec<(Vec<u8>, UserName, OtpUri)>,
    recovery: Vec<(UserName, String)>,
    /// Token and step, or counter, of every code that opened something.
    spent: HashSet<(Vec<u8>, u64)>,
}

/// The records, before something is asked.
pub(super) type Records = [Option<Record>; 2];

impl Watch {
    pub(super) fn secrets_of(&self, user: &UserName) -> Vec<OtpUri> {
        let active = self.active.iter().filter(|(_, owner, _)| owner == user).map(|(.., uri)| uri);
        let pending = self.pending.iter().filter(|(owner, ..)| owner == user).map(|(.., uri)| uri);
        active.chain(pending).cloned().collect()
    }

    pub(super) fn recovery_code(&self, user: &UserName, which: usize) -> Option<String> {
        let own = self.recovery.iter().filter(|(owner, _)| owner == user);
        let codes: Vec<_> = own.map(|(_, code)| code).collect();
        codes.get(which % codes.len().max(1)).map(|code| (*code).clone())
    }

    fn secret_of(&self, token: &Token) -> Option<&OtpUri> {
        let stored = token.sealed.as_bytes();
        self.active.iter().find(|(sealed, ..)| sealed == stored).map(|(.., uri)| uri)
    }

    /// After root may have done anything.
    pub(super) fn learn_nothing(&mut self) {
        self.recovery.clear();
    }

    /// A token's code was taken: it is the code of the step or counter that is spent now, and of no other
    /// that opened something before.
    fn spend(&mut self, token: &Token, code: &str) {
        let at = mark(token).expect("something is spent");
        if let Some(uri) = self.secret_of(token) {
            let right = hotp(&uri.secret, uri.algorithm, uri.digits, at);
            assert_eq!(right.as_str(), code.replace(' ', ""));
        }
        assert!(self.spent.insert((token.sealed.as_bytes().to_vec(), at)), "one code, two logins");
    }
}

impl History<'_, '_> {
    pub(super) fn watched(&self) -> Records {
        [self.house.record(&self.users[0]), self.house.record(&self.users[1])]
    }

    pub(super) fn unchanged(&self, before: &Records) {
        assert!(self.watched() == *before);
    }

    pub(super) fn others_unchanged(&self, user: &UserName, before: &Records) {
        let now = self.watched();
        for (at, other) in self.users.iter().enumerate() {
            assert!(other == user || now[at] == before[at]);
        }
    }

    /// Failures may have been counted, and no more.
    pub(super) fn nothing_spent(&self, before: &Records) {
        for (before, now) in before.iter().zip(self.watched()) {
            let (before, now) = (before.clone().unwrap_or_default(), now.unwrap_or_default());
            assert!(marks(&before) == marks(&now));
            assert_eq!(before.recovery.len(), now.recovery.len());
            assert_eq!(now.check(), Ok(()));
        }
    }

    /// Exactly one thing opened the login, and it was a code's to open.
    pub(super) fn opened(&mut self, user: &UserName, code: &str, before: &Records) {
        self.met.opened += 1;
        self.others_unchanged(user, before);
        let at = self.users.iter().position(|known| known == user).expect("one of them");
        let before = before[at].clone().expect("a record");
        let now = self.watched()[at].clone().expect("a record");
        assert_eq!(now.check(), Ok(()));
        let advanced: Vec<_> = now
            .tokens
            .iter()
            .filter(|token| before.token(&token.name).is_none_or(|was| was.factor != token.factor))
            .collect();
        match advanced[..] {
            [token] => {
                let was = before.token(&token.name).expect("no new token");
                assert!(was.sealed == token.sealed && mark(was) < mark(token));
                self.watch.spend(token, code);
                assert_eq!(now.lockout.failures, 0);
            }
            [] => {
                let bypassed = before.bypasses != now.bypasses;
                assert!(bypassed || before.recovery.len() == now.recovery.len() + 1);
                if !bypassed && let Ok(code) = RecoveryCode::parse(code) {
                    let shown = code.display();
                    self.watch.recovery.retain(|(owner, known)| owner != user || *known != **shown);
                }
            }
            _ => panic!("two tokens by one code"),
        }
    }

    /// What was said inside a session, and what came of it.
    pub(super) fn judge(
        &mut self,
        about: &About,
        inner: &SealedRequest,
        inside: &Value,
        before: &Records,
    ) {
        self.others_unchanged(&about.user, before);
        assert!(self.may(&about.user));
        let at = self.users.iter().position(|known| *known == about.user).expect("one of them");
        let now = self.watched()[at].clone().unwrap_or_default();
        let before = before[at].clone().unwrap_or_default();
        assert_eq!(now.check(), Ok(()));
        match (inside["type"].as_str().expect("a type"), inner) {
            ("provisioned", SealedRequest::Provision { .. } | SealedRequest::Rotate { .. }) => {
                assert_eq!(now.tokens.len(), before.tokens.len());
                let name = inside["name"].as_str().expect("a name").to_owned();
                let uri = OtpUri::parse(inside["uri"].as_str().expect("a URI")).expect("a URI");
                assert_eq!(uri.account, about.user.as_str());
                self.watch.pending.retain(|(user, other, _)| *user != about.user || *other != name);
                self.watch.pending.push((about.user.clone(), name, uri));
                self.note_spent(&before, &now, inner);
            }
            ("confirmed", SealedRequest::Confirm { name, code }) => {
                let waiting = &mut self.watch.pending;
                let at = waiting
                    .iter()
                    .position(|(user, other, _)| *user == about.user && other == name);
                let (.., uri) = waiting.remove(at.expect("it was told before"));
                let token = now.token(name).expect("it is active");
                assert!(before.token(name).is_none_or(|was| was.sealed != token.sealed));
                let sealed = token.sealed.as_bytes().to_vec();
                self.watch.active.push((sealed, about.user.clone(), uri));
                self.watch.spend(token, code.as_str());
                self.met.confirmed += 1;
                self.take_codes(about, &inside["recovery_codes"]);
            }
            ("recovery_codes", SealedRequest::RecoveryCodes { .. }) => {
                self.watch.recovery.retain(|(user, _)| *user != about.user);
                self.take_codes(about, &inside["codes"]);
                assert_eq!(now.recovery.len(), 10);
                self.note_spent(&before, &now, inner);
            }
            ("wrong_code", SealedRequest::Confirm { .. }) => assert!(now == before),
            ("rekey_reply", SealedRequest::RekeyInit { .. }) => assert!(now == before),
            ("rekeyed", SealedRequest::RekeyFinish { .. }) => {
                assert!(now == before);
                self.met.rekeyed += 1;
            }
            // A code may have been shown with it, and spent, or counted where it was wrong.
            ("refused", _) => {
                assert_eq!(names(&now), names(&before));
                self.note_spent(&before, &now, inner);
            }
            (answer, _) => panic!("{answer}"),
        }
    }

    /// The code that was shown with something, where one was taken.
    fn note_spent(&mut self, before: &Record, now: &Record, inner: &SealedRequest) {
        let code = match inner {
            SealedRequest::Provision { code, .. }
            | SealedRequest::Rotate { code, .. }
            | SealedRequest::RecoveryCodes { code } => code.as_ref(),
            _ => None,
        };
        for token in &now.tokens {
            if before.token(&token.name).is_some_and(|was| was.factor != token.factor) {
                let code = code.expect("nothing is spent without a code");
                self.watch.spend(token, code.as_str());
            }
        }
    }

    fn take_codes(&mut self, about: &About, codes: &Value) {
        let codes = codes.as_array().expect("codes");
        let codes = codes.iter().map(|code| code.as_str().expect("text").to_owned());
        self.watch.recovery.extend(codes.map(|code| (about.user.clone(), code)));
    }
}

fn names(record: &Record) -> Vec<&str> {
    record.tokens.iter().map(|token| token.name.as_str()).collect()
}

fn marks(record: &Record) -> Vec<(&str, Option<u64>)> {
    record.tokens.iter().map(|token| (token.name.as_str(), mark(token))).collect()
}

/// The last step or counter that is spent.
fn mark(token: &Token) -> Option<u64> {
    match token.factor {
        Factor::Totp { last_step, .. } => last_step,
        Factor::Hotp { counter } => counter.checked_sub(1),
    }
}
