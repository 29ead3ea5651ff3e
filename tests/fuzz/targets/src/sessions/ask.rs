// SPDX-License-Identifier: GPL-3.0-or-later
//! Questions outside a session, and what is said inside one.

use mfa_crypto::{Moving, OtpUri, hotp, step};
use mfa_daemon::session::Exchange;
use mfa_proto::exchange::{MovingFactor, SealedRequest};
use mfa_proto::login::{Begin, Origin, Verify};
use mfa_proto::status::Revoke;
use mfa_proto::{Request, TypedCode, UserName, frame};

use super::History;
use super::client::{About, Client};
use crate::house;

/// Names of tokens.
const TOKENS: [&str; 3] = ["phone", "key", ""];

impl History<'_, '_> {
    /// A code: of an active token or one that waits, now or near it; the last one again; a recovery code;
    /// anything.
    fn code(&mut self, user: &UserName) -> TypedCode {
        let text = match self.input.below(8) {
            0..=3 => {
                let which = usize::from(self.input.byte());
                let offset = self.input.signed() / 32;
                let uris = self.watch.secrets_of(user);
                match uris.get(which % uris.len().max(1)) {
                    Some(uri) => code_of(uri, offset),
                    None => "000000".to_owned(),
                }
            }
            4 => self.last_code.clone(),
            5 => {
                let which = usize::from(self.input.byte());
                self.watch.recovery_code(user, which).unwrap_or_else(|| "ABCD-EFGH-JKM".to_owned())
            }
            6 => format!("{:06}", u32::from(self.input.byte()) * 3_907),
            _ => String::from_utf8_lossy(self.input.text()).chars().take(16).collect(),
        };
        let typed = TypedCode::new(&text).unwrap_or_else(|| TypedCode::new("").expect("short"));
        self.last_code = typed.as_str().to_owned();
        typed
    }

    pub(super) fn inner(&mut self, about: &About) -> SealedRequest {
        let name = TOKENS[usize::from(self.input.below(3))].to_owned();
        let shown = self.input.below(2) == 1;
        let code = shown.then(|| self.code(&about.user));
        match self.input.below(5) {
            0 => {
                let moving =
                    if self.input.seldom() { MovingFactor::Hotp } else { MovingFactor::Totp };
                SealedRequest::Provision { name, moving, code, invite: None }
            }
            1 => SealedRequest::Rotate { name: (!name.is_empty()).then_some(name), code },
            2 => SealedRequest::RecoveryCodes { code },
            _ => SealedRequest::Confirm { name, code: self.code(&about.user) },
        }
    }

    pub(super) fn verify(&mut self) {
        let user = self.user();
        let code = self.code(&user);
        let before = self.watched();
        let question = Verify { user: user.clone(), code: code.clone(), origin: origin() };
        let answer = self.house.ask(&mut self.connection, Request::Verify(question));
        if !self.may(&user) {
            self.unchanged(&before);
            assert_eq!(answer["code"], "not_permitted", "{answer}");
            self.met.refused += 1;
        } else if answer["type"] == "accepted" {
            self.opened(&user, code.as_str(), &before);
        } else {
            assert!(
                ["wrong", "replayed", "locked"].iter().any(|kind| answer["type"] == *kind),
                "{answer}"
            );
            self.nothing_spent(&before);
        }
    }

    pub(super) fn begin(&mut self) {
        let user = self.user();
        let before = self.watched();
        let question = Begin { user: user.clone(), origin: origin() };
        let answer = self.house.ask(&mut self.connection, Request::Begin(question));
        self.unchanged(&before);
        if self.may(&user) {
            let record = self.house.record(&user);
            let asked = record.is_some_and(|record| record.is_asked("sshd", house::now()));
            assert_eq!(answer["type"], if asked { "prompt" } else { "skip" }, "{answer}");
        } else {
            assert_eq!(answer["code"], "not_permitted", "{answer}");
        }
    }

    pub(super) fn params(&mut self) {
        let was_open = matches!(self.connection.exchange, Exchange::Open(_));
        let answer = self.house.ask(&mut self.connection, Request::Params {});
        assert_eq!(answer["type"], "params");
        assert_eq!(matches!(self.connection.exchange, Exchange::Open(_)), was_open);
    }

    pub(super) fn administer(&mut self) {
        let user = self.user();
        let request = match self.input.below(4) {
            0 => Request::AdminUnlock { user: user.clone() },
            1 => Request::AdminReset { user: user.clone() },
            2 => Request::Status { user: user.clone() },
            _ => {
                let code = self.input.seldom().then(|| self.code(&user));
                Request::Revoke(Revoke { user: user.clone(), name: TOKENS[0].to_owned(), code })
            }
        };
        let before = self.watched();
        let answer = self.house.ask(&mut self.connection, request);
        if !self.may(&user) {
            self.unchanged(&before);
            assert_eq!(answer["code"], "not_permitted", "{answer}");
        }
        self.others_unchanged(&user, &before);
    }

    /// Any request as it may come, but those of an administrator that take the daemon apart. The exchange is
    /// left out: without the client's half of it nothing could be foreseen of it.
    pub(super) fn anything(&mut self) {
        let Ok(frame) = frame::decode::<Request>(self.input.text()) else { return };
        match &frame.body {
            Request::KexInit(_)
            | Request::KexFinish(_)
            | Request::Sealed(_)
            | Request::Params {}
            | Request::AdminReload {}
            | Request::AdminRekey(_)
            | Request::AdminBackup {}
            | Request::AdminBackupPart(_)
            | Request::AdminRestoreBegin {}
            | Request::AdminRestorePart(_)
            | Request::AdminRestoreCommit {}
            | Request::AdminCheck {} => return,
            _ => {}
        }
        let before = self.watched();
        let answer = self.house.ask(&mut self.connection, frame.body);
        assert!(answer["type"].is_string());
        match self.connection.peer.uid {
            0 => self.watch.learn_nothing(),
            65534 => self.others_unchanged(&self.users[1].clone(), &before),
            _ => self.unchanged(&before),
        }
        let open = matches!(self.connection.exchange, Exchange::Open(_));
        assert_eq!(open, matches!(self.client, Client::Open { .. }));
    }
}

fn origin() -> Origin {
    Origin { service: "sshd".to_owned(), ..Origin::default() }
}

pub(super) fn code_of(uri: &OtpUri, offset: i64) -> String {
    let at = match uri.moving {
        Moving::Totp { period } => step(house::now(), period),
        Moving::Hotp { counter } => counter,
    };
    let at = at.saturating_add_signed(offset);
    hotp(&uri.secret, uri.algorithm, uri.digits, at).as_str().to_owned()
}
