// SPDX-License-Identifier: GPL-3.0-or-later
//! Databases of every released schema, made by the daemons of that time; see `make.py`.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "this is test code outside of test functions"
)]

use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use data_encoding::HEXLOWER;
use mfa_crypto::OtpUri;
use rusqlite::Connection;
use serde_json::Value;

/// A database and what is known of it.
#[derive(Clone, Copy)]
pub(crate) struct Released {
    pub(crate) schema: i64,
    sql: &'static str,
    known: &'static str,
}

/// All of them.
pub(crate) const RELEASED: [Released; 2] = [
    Released { schema: 1, sql: include_str!("schema1.sql"), known: include_str!("schema1.json") },
    Released { schema: 2, sql: include_str!("schema2.sql"), known: include_str!("schema2.json") },
];

impl Released {
    /// Puts database and master key where a daemon finds them.
    pub(crate) fn put(self, directory: &Path) {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).unwrap();
        let database = Connection::open(directory.join("mfa.db")).unwrap();
        database.execute_batch(self.sql).unwrap();
        let key = HEXLOWER.decode(self.text("master_key").as_bytes()).unwrap();
        let mut file = std::fs::OpenOptions::new();
        let path = directory.join("master.key");
        let mut file = file.write(true).create_new(true).mode(0o600).open(path).unwrap();
        std::io::Write::write_all(&mut file, &key).unwrap();
    }

    fn known(self) -> Value {
        serde_json::from_str(self.known).unwrap()
    }

    /// When it was made, in Unix seconds.
    pub(crate) fn made(self) -> u64 {
        self.known()["made"].as_u64().unwrap()
    }

    /// A code that was issued: a key of the file.
    pub(crate) fn text(self, key: &str) -> String {
        self.known()[key].as_str().unwrap().to_owned()
    }

    pub(crate) fn token(self, user: &str, name: &str) -> OtpUri {
        OtpUri::parse(self.known()["tokens"][user][name].as_str().unwrap()).unwrap()
    }

    /// The recovery codes that a user was shown. The first of alice's is used.
    pub(crate) fn recovery(self, user: &str) -> Vec<String> {
        serde_json::from_value(self.known()["recovery"][user].clone()).unwrap()
    }
}
