// SPDX-License-Identifier: GPL-3.0-or-later
//! What travels on the socket of `mfa-daemon`, and nothing else: frames, messages, the checks each
//! end makes of the other, and a blocking client. `docs/protocol.md` is the text of it.

#![forbid(unsafe_code)]

#[cfg(feature = "all-messages")]
pub mod about;
pub mod account;
#[cfg(feature = "all-messages")]
pub mod admin;
#[cfg(feature = "all-messages")]
pub mod audit;
#[cfg(feature = "all-messages")]
pub mod blob;
pub mod client;
#[cfg(feature = "all-messages")]
pub mod exchange;
#[cfg(feature = "all-messages")]
pub mod explain;
pub mod field;
pub mod frame;
#[cfg(feature = "all-messages")]
pub mod keep;
pub mod login;
pub mod peer;
pub mod refusal;
#[cfg(feature = "all-messages")]
pub mod rekey;
#[cfg(feature = "all-messages")]
pub mod request;
#[cfg(feature = "all-messages")]
pub mod stats;
#[cfg(feature = "all-messages")]
pub mod status;
#[cfg(feature = "all-messages")]
pub mod transfer;

#[cfg(feature = "all-messages")]
pub use blob::Blob;
pub use client::{Client, ClientError, Deadline, TrustedSocket};
pub use field::{SecretText, TypedCode, UserName};
pub use frame::{FRAME_MAX, Frame, FrameError, VERSION};
pub use peer::Peer;
pub use refusal::{ErrorAnswer, ErrorCode};
#[cfg(feature = "all-messages")]
pub use request::Request;

/// Where the packaged daemon listens.
pub const DEFAULT_SOCKET: &str = "/run/mfa/mfa.sock";
