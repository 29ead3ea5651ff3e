// SPDX-License-Identifier: GPL-3.0-or-later
//! The question that a login asks, for what measures it.

use mfa_proto::login::{Origin, Verify};
use mfa_proto::{Request, TypedCode, UserName};

/// `verify`, as sshd asks it for somebody from another host.
#[must_use]
pub fn verify(user: &str, code: &str) -> Request {
    Request::Verify(Verify {
        user: UserName::new(user).expect("a name"),
        code: TypedCode::new(code).expect("a code"),
        origin: Origin {
            service: "sshd".to_owned(),
            rhost: Some("192.0.2.1".to_owned()),
            tty: Some("ssh".to_owned()),
            session: None,
            ssh_key: None,
        },
    })
}
