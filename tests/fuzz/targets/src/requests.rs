// SPDX-License-Identifier: GPL-3.0-or-later
//! The daemon's reader of requests.

use mfa_proto::frame::{self, HEADER_LEN};
use mfa_proto::{FRAME_MAX, Request, UserName};

use crate::json;

/// A length is in range or refused before anything is allocated. A payload that is taken has each key once,
/// says everything that was understood, and means the same when it is written and read again. An error's
/// place quotes nothing.
pub(crate) fn requests(input: &[u8]) {
    if let Some((header, _)) = input.split_first_chunk::<HEADER_LEN>()
        && let Ok(len) = frame::payload_len(*header)
    {
        assert!((1..=FRAME_MAX).contains(&len));
    }
    if input.len() > FRAME_MAX {
        return;
    }
    let frame = match frame::decode::<Request>(input) {
        Ok(frame) => frame,
        Err(error) => {
            assert!(error.place().len() < 80, "{}", error.place());
            return;
        }
    };
    let said = json::read(input).expect("JSON with each key once");
    let written = frame::encode(frame.id, &frame.body).expect("no longer than it was");
    let payload = &written[HEADER_LEN..];
    let understood = json::read(payload).expect("JSON");
    assert!(json::is_part(&understood, &said), "{understood} of {said}");
    let again = frame::decode::<Request>(payload).expect("what was written is read");
    assert_eq!(again.id, frame.id);
    assert_eq!(frame::encode(again.id, &again.body).expect("as before"), written);
    let (name, user) = frame.body.about();
    assert_eq!(understood["type"], name);
    assert!(user.is_none_or(|user| (1..=UserName::MAX_BYTES).contains(&user.as_str().len())));
}
