// SPDX-License-Identifier: GPL-3.0-or-later
//! Users on their way in: what every format comes to.

use mfa_proto::UserName;
use mfa_proto::transfer::{ImportedAccount, ImportedToken};

use crate::failure::Failure;

/// One user with everything that he brings.
pub(crate) struct Incoming {
    pub(crate) user: UserName,
    /// One at least.
    pub(crate) tokens: Vec<ImportedToken>,
    pub(crate) account: Option<ImportedAccount>,
}

/// Where users go.
pub(crate) trait Sink {
    /// Takes one.
    ///
    /// # Errors
    /// Nothing more is to come then.
    fn take(&mut self, user: Incoming) -> Result<(), Failure>;
}

/// Takes everybody.
#[cfg(any(test, feature = "fuzzing"))]
#[derive(Default)]
pub(crate) struct Taken(pub(crate) Vec<Incoming>);

#[cfg(any(test, feature = "fuzzing"))]
impl Sink for Taken {
    fn take(&mut self, user: Incoming) -> Result<(), Failure> {
        self.0.push(user);
        Ok(())
    }
}
