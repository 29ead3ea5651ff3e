// SPDX-License-Identifier: GPL-3.0-or-later
//! A small PAM host: a transaction with a private configuration and a conversation of its own.

use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::path::Path;
use std::ptr;

/// What a host does when the module asks.
pub trait Conversation {
    /// A prompt.
    fn prompt(&mut self, text: &str, echo: bool) -> Answer;
    /// A text, and what comes back of it: nothing, from a program that does it right.
    fn tell(&mut self, text: &str, error: bool) -> Answer;
}

/// What a conversation function answers to a prompt.
pub enum Answer {
    /// This text.
    Text(CString),
    /// This text and two more that nobody asked for.
    Surplus(CString),
    /// This text, each digit written as a letter from `a` on: the code stands in the response alone, and
    /// nowhere else in this program.
    Masked(CString),
    /// A response without a text.
    NullText,
    /// No response at all, but success.
    NullResponses,
    /// This result, without a response.
    Result(c_int),
}

/// Answers every prompt with this, and takes every text.
pub struct OneCode(pub CString);

impl Conversation for OneCode {
    fn prompt(&mut self, _: &str, _: bool) -> Answer {
        Answer::Text(self.0.clone())
    }

    fn tell(&mut self, _: &str, _: bool) -> Answer {
        Answer::NullText
    }
}

/// What a host asks of its stack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Call {
    /// `pam_authenticate`
    Authenticate,
    /// `pam_setcred`
    SetCred,
    /// `pam_acct_mgmt`
    AcctMgmt,
    /// `pam_chauthtok`
    ChAuthTok,
    /// `pam_open_session`
    OpenSession,
    /// `pam_close_session`
    CloseSession,
}

impl Call {
    /// All of them, with the names that `pam-host` takes.
    pub const ALL: [(&'static str, Self); 6] = [
        ("authenticate", Self::Authenticate),
        ("setcred", Self::SetCred),
        ("acct_mgmt", Self::AcctMgmt),
        ("chauthtok", Self::ChAuthTok),
        ("open_session", Self::OpenSession),
        ("close_session", Self::CloseSession),
    ];
}

/// `pam_set_item`'s numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i32)]
pub enum Item {
    /// The terminal.
    Tty = 3,
    /// The host at the other end.
    RHost = 4,
}

/// `PAM_SILENT`
pub const SILENT: c_int = 0x8000;

/// `PAM_CHANGE_EXPIRED_AUTHTOK`
pub const CHANGE_EXPIRED: c_int = 0x0020;

const PAM_USER: c_int = 2;
const PAM_CONV: c_int = 5;
const PAM_FAIL_DELAY: c_int = 10;
const PAM_SUCCESS: c_int = 0;
const PAM_BUF_ERR: c_int = 5;
const PAM_CONV_ERR: c_int = 19;
const PAM_ESTABLISH_CRED: c_int = 2;
const PAM_DATA_SILENT: c_int = 0x4000_0000;

/// The names of the results, by number.
const RESULTS: [&str; 32] = [
    "PAM_SUCCESS",
    "PAM_OPEN_ERR",
    "PAM_SYMBOL_ERR",
    "PAM_SERVICE_ERR",
    "PAM_SYSTEM_ERR",
    "PAM_BUF_ERR",
    "PAM_PERM_DENIED",
    "PAM_AUTH_ERR",
    "PAM_CRED_INSUFFICIENT",
    "PAM_AUTHINFO_UNAVAIL",
    "PAM_USER_UNKNOWN",
    "PAM_MAXTRIES",
    "PAM_NEW_AUTHTOK_REQD",
    "PAM_ACCT_EXPIRED",
    "PAM_SESSION_ERR",
    "PAM_CRED_UNAVAIL",
    "PAM_CRED_EXPIRED",
    "PAM_CRED_ERR",
    "PAM_NO_MODULE_DATA",
    "PAM_CONV_ERR",
    "PAM_AUTHTOK_ERR",
    "PAM_AUTHTOK_RECOVERY_ERR",
    "PAM_AUTHTOK_LOCK_BUSY",
    "PAM_AUTHTOK_DISABLE_AGING",
    "PAM_TRY_AGAIN",
    "PAM_IGNORE",
    "PAM_ABORT",
    "PAM_AUTHTOK_EXPIRED",
    "PAM_MODULE_UNKNOWN",
    "PAM_BAD_ITEM",
    "PAM_CONV_AGAIN",
    "PAM_INCOMPLETE",
];

/// The name of a result.
#[must_use]
pub fn result_name(result: c_int) -> &'static str {
    usize::try_from(result).ok().and_then(|n| RESULTS.get(n)).copied().unwrap_or("?")
}

#[repr(C)]
struct PamHandle {
    _opaque: [u8; 0],
}

#[repr(C)]
struct PamMessage {
    style: c_int,
    text: *const c_char,
}

#[repr(C)]
struct PamResponse {
    text: *mut c_char,
    unused: c_int,
}

type ConversationFunction = unsafe extern "C" fn(
    c_int,
    *mut *const PamMessage,
    *mut *mut PamResponse,
    *mut c_void,
) -> c_int;

#[repr(C)]
struct PamConv {
    function: Option<ConversationFunction>,
    data: *mut c_void,
}

#[link(name = "pam")]
unsafe extern "C" {
    fn pam_start_confdir(
        service: *const c_char,
        user: *const c_char,
        conversation: *const PamConv,
        confdir: *const c_char,
        handle: *mut *mut PamHandle,
    ) -> c_int;
    fn pam_end(handle: *mut PamHandle, status: c_int) -> c_int;
    fn pam_set_item(handle: *mut PamHandle, item: c_int, value: *const c_void) -> c_int;
    fn pam_putenv(handle: *mut PamHandle, name_value: *const c_char) -> c_int;
    fn pam_authenticate(handle: *mut PamHandle, flags: c_int) -> c_int;
    fn pam_setcred(handle: *mut PamHandle, flags: c_int) -> c_int;
    fn pam_acct_mgmt(handle: *mut PamHandle, flags: c_int) -> c_int;
    fn pam_chauthtok(handle: *mut PamHandle, flags: c_int) -> c_int;
    fn pam_open_session(handle: *mut PamHandle, flags: c_int) -> c_int;
    fn pam_close_session(handle: *mut PamHandle, flags: c_int) -> c_int;
}

/// A transaction as its own conversation sees it.
#[derive(Clone, Copy)]
pub struct Handle(*mut PamHandle);

impl Handle {
    /// Changes who it is about.
    pub fn set_user(self, name: &CStr) {
        // SAFETY: the handle is valid while its conversation runs; libpam copies the name.
        let result = unsafe { pam_set_item(self.0, PAM_USER, name.as_ptr().cast()) };
        assert_eq!(result, PAM_SUCCESS, "pam_set_item(PAM_USER)");
    }
}

/// From `pam_start` to `pam_end`.
pub struct Transaction<C> {
    handle: *mut PamHandle,
    /// What libpam points to, beside its own copy of [`PamConv`]; owned, freed on drop.
    conversation: *mut C,
    status: c_int,
}

impl<C: Conversation> Transaction<C> {
    /// Starts one. Without `user` the stack asks for a name.
    ///
    /// # Errors
    /// The result of `pam_start_confdir`.
    pub fn start(
        confdir: &Path,
        service: &str,
        user: Option<&CStr>,
        conversation: C,
    ) -> Result<Self, c_int> {
        let service = CString::new(service).expect("a service");
        let confdir = CString::new(confdir.as_os_str().as_encoded_bytes()).expect("a path");
        let conversation = Box::into_raw(Box::new(conversation));
        let pam_conv = PamConv { function: Some(converse::<C>), data: conversation.cast() };
        let mut handle = ptr::null_mut();
        // SAFETY: every string is NUL-terminated and outlives the call, `user` may be null, libpam
        // copies `pam_conv`, and `conversation` lives until `pam_end`.
        let status = unsafe {
            pam_start_confdir(
                service.as_ptr(),
                user.map_or(ptr::null(), CStr::as_ptr),
                &raw const pam_conv,
                confdir.as_ptr(),
                &raw mut handle,
            )
        };
        let transaction = Self { handle, conversation, status };
        if status != PAM_SUCCESS {
            return Err(status);
        }
        transaction.set(PAM_FAIL_DELAY, (no_delay as FailDelay) as *const c_void);
        Ok(transaction)
    }

    /// For its conversation.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle(self.handle)
    }

    /// Ends it as a child does that its parent made in the middle.
    pub fn end_silently(mut self) {
        self.status |= PAM_DATA_SILENT;
    }

    /// Sets an item.
    pub fn set_item(&self, item: Item, value: &CStr) {
        self.set(item as c_int, value.as_ptr().cast());
    }

    /// Sets a variable of the handle's environment, as `NAME=VALUE`.
    pub fn put_variable(&self, name_value: &CStr) {
        // SAFETY: `handle` is valid, the text is NUL-terminated, and libpam copies it.
        let result = unsafe { pam_putenv(self.handle, name_value.as_ptr()) };
        assert_eq!(result, PAM_SUCCESS, "pam_putenv");
    }

    /// Takes the conversation function away, as a program without one.
    pub fn without_conversation(&self) {
        let none = PamConv { function: None, data: ptr::null_mut() };
        self.set(PAM_CONV, (&raw const none).cast());
    }

    /// Makes one call of the stack.
    pub fn call(&mut self, call: Call, flags: c_int) -> c_int {
        let (function, flags): (unsafe extern "C" fn(*mut PamHandle, c_int) -> c_int, c_int) =
            match call {
                Call::Authenticate => (pam_authenticate, flags),
                Call::SetCred => (pam_setcred, flags | PAM_ESTABLISH_CRED),
                Call::AcctMgmt => (pam_acct_mgmt, flags),
                Call::ChAuthTok => (pam_chauthtok, flags),
                Call::OpenSession => (pam_open_session, flags),
                Call::CloseSession => (pam_close_session, flags),
            };
        // SAFETY: `handle` comes from `pam_start_confdir` and `pam_end` was not called yet.
        self.status = unsafe { function(self.handle, flags) };
        self.status
    }

    fn set(&self, item: c_int, value: *const c_void) {
        // SAFETY: `handle` is valid; libpam copies strings and `pam_conv`, and a function pointer
        // lives for ever.
        let result = unsafe { pam_set_item(self.handle, item, value) };
        assert_eq!(result, PAM_SUCCESS, "pam_set_item({item})");
    }
}

impl<C> Drop for Transaction<C> {
    fn drop(&mut self) {
        if !self.handle.is_null() {
            // SAFETY: `handle` comes from `pam_start_confdir` and is not used afterwards.
            unsafe { pam_end(self.handle, self.status) };
        }
        // SAFETY: it comes from `Box::into_raw`, and libpam, which had it, has let go of it.
        drop(unsafe { Box::from_raw(self.conversation) });
    }
}

/// `PAM_FAIL_DELAY` of libpam's `pam_set_item(3)`.
type FailDelay = extern "C" fn(c_int, c_uint, *mut c_void);

/// No test waits for the delays that other modules ask for.
extern "C" fn no_delay(_: c_int, _: c_uint, _: *mut c_void) {}

/// The conversation function, see pam_conv(3).
///
/// # Safety
/// `messages` and `responses` as libpam hands them over, `data` from [`Transaction::start`].
unsafe extern "C" fn converse<C: Conversation>(
    count: c_int,
    messages: *mut *const PamMessage,
    responses: *mut *mut PamResponse,
    data: *mut c_void,
) -> c_int {
    // The module under test sends one message at a time, which every program understands; so do the
    // others in these stacks.
    if count != 1 || messages.is_null() || responses.is_null() {
        return PAM_CONV_ERR;
    }
    // SAFETY: `data` is the `C` of this transaction, which nobody else uses during the call.
    let conversation = unsafe { &mut *data.cast::<C>() };
    // SAFETY: one pointer to a message is there.
    let message = unsafe { *messages };
    // SAFETY: the message is valid during the call.
    let message = unsafe { &*message };
    // SAFETY: its text is NUL-terminated.
    let text = unsafe { CStr::from_ptr(message.text) }.to_string_lossy();
    let answer = match message.style {
        1 => conversation.prompt(&text, false),
        2 => conversation.prompt(&text, true),
        3 => conversation.tell(&text, true),
        4 => conversation.tell(&text, false),
        // A choice or binary data, which hardly any program understands.
        style => unreachable!("a message of the style {style}"),
    };
    let text = match answer {
        Answer::Result(result) => return result,
        Answer::NullResponses => {
            // SAFETY: `responses` points to a place for a pointer.
            unsafe { *responses = ptr::null_mut() };
            return PAM_SUCCESS;
        }
        Answer::NullText => ptr::null_mut(),
        // SAFETY: the text is NUL-terminated; the copy comes from malloc, as libpam's side frees.
        Answer::Text(ref text) | Answer::Surplus(ref text) => unsafe {
            libc::strdup(text.as_ptr())
        },
        Answer::Masked(ref text) => unmasked(text),
    };
    let number = if matches!(answer, Answer::Surplus(_)) { 3 } else { 1 };
    // SAFETY: no arguments to get wrong; the caller frees.
    let response = unsafe { libc::calloc(number, size_of::<PamResponse>()) }.cast::<PamResponse>();
    if response.is_null() {
        return PAM_BUF_ERR;
    }
    // SAFETY: just allocated for one `PamResponse`.
    unsafe { response.write(PamResponse { text, unused: 0 }) };
    for surplus in 1..number {
        // SAFETY: within the array of `number` that was just allocated.
        let place = unsafe { response.add(surplus) };
        // SAFETY: a place for a response; nobody frees its text, which lives for ever.
        unsafe { place.write(PamResponse { text: c"000000".as_ptr().cast_mut(), unused: -1 }) };
    }
    // SAFETY: `responses` points to a place for a pointer.
    unsafe { *responses = response };
    PAM_SUCCESS
}

/// A copy from malloc, in which the letters are digits again.
fn unmasked(text: &CStr) -> *mut c_char {
    // SAFETY: the text is NUL-terminated.
    let copy = unsafe { libc::strdup(text.as_ptr()) };
    assert!(!copy.is_null(), "no memory");
    for (at, byte) in text.to_bytes().iter().enumerate() {
        if (b'a'..=b'j').contains(byte) {
            // SAFETY: `at` is within the copy, before its NUL.
            let place = unsafe { copy.add(at) }.cast::<u8>();
            // SAFETY: the copy is this function's own; volatile, so that no other copy is made of it.
            unsafe { place.write_volatile(byte - b'a' + b'0') };
        }
    }
    copy
}
