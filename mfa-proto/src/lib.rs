// SPDX-License-Identifier: GPL-3.0-or-later
//! What travels on the socket of `mfa-daemon`, and nothing else: frames, messages, the checks each
//! end makes of the other, and a blocking client. `docs/protocol.md` is the text of it.

#![forbid(unsafe_code)]

pub mod admin;
pub mod client;
pub mod exchange;
pub mod field;
pub mod frame;
pub mod login;
pub mod peer;
pub mod request;
pub mod status;

pub use client::{Client, ClientError, Deadline};
pub use field::{Blob, TypedCode, UserName};
pub use frame::{FRAME_MAX, Frame, FrameError, VERSION};
pub use peer::Peer;
pub use request::{ErrorAnswer, ErrorCode, Request};

/// Where the packaged daemon listens.
pub const DEFAULT_SOCKET: &str = "/run/mfa/mfa.sock";
