// SPDX-License-Identifier: GPL-3.0-or-later
//! `users.json`: who has what, for spreadsheets, scripts and another daemon. One document, one user a
//! line; docs/users.schema.json describes it.
//!
//! ```text
//! {"mfa_users":1,"exported":1795468445,"issuer":"host.example","users":[
//! {"user":"alice","tokens":[{"name":"phone","factor":"totp","period":30,…}],…},
//! {"user":"bob",…}
//! ]}
//! ```

mod entry;
mod read;
mod write;

pub(crate) use entry::EntryProblem;
pub(crate) use read::feed;
pub(crate) use write::Document;

/// The version of the document that is written and read.
const VERSION: u64 = 1;
