// SPDX-License-Identifier: GPL-3.0-or-later
//! Where the line goes: behind the password's, where nothing jumps over it and nothing ends the stack
//! before it.
//!
//! Behind the password, since in front of it everybody who knows a name could use up the attempts of its
//! owner. A jump counts lines, so a line may only stand where no jump passes; a jump that ends right at it
//! is how Debian's stack goes on after a right password.

use super::lines::{Line, lines};
use super::{Turned, line};

/// Modules that ask for a password.
const PASSWORD: [&str; 10] = [
    "pam_unix.so",
    "pam_sss.so",
    "pam_ldap.so",
    "pam_krb5.so",
    "pam_winbind.so",
    "pam_systemd_home.so",
    "pam_userdb.so",
    "pam_pwdfile.so",
    "pam_tcb.so",
    "pam_himmelblau.so",
];

/// Files within files; Linux-PAM goes no deeper.
const DEPTH_MAX: usize = 16;

/// A file with the line in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Edit {
    pub(crate) after: Vec<u8>,
    /// Ours.
    pub(crate) line: String,
    /// `include` made `substack`, so that a success in there does not end the whole stack.
    pub(crate) turned: Option<Turned>,
    /// Why a login can do without the code all the same.
    pub(crate) flaws: Vec<String>,
}

/// Why the line has no place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum NoPlace {
    /// Nothing in it asks for a password.
    NoPassword,
    /// Jumps pass over every place behind the password.
    JumpedOver,
    /// A file that is included cannot be read, or files include each other.
    Unreadable(String),
}

/// The text of a file that is included.
pub(crate) type Included<'a> = dyn Fn(&str) -> Option<Vec<u8>> + 'a;

/// What a line brings into the stack.
pub(super) struct Brought<'a> {
    pub(super) line: &'a Line,
    /// For each of its entries the entries that its longest jump leaves out.
    jumps: Vec<usize>,
    asks_password: bool,
}

/// How far jumps reach, in entries, and how many entries there are so far.
#[derive(Default)]
pub(super) struct Reach {
    reached: usize,
    entries: usize,
}

impl Reach {
    pub(super) fn goes_past(&mut self, brings: &Brought<'_>) {
        for jump in &brings.jumps {
            self.entries += 1;
            self.reached = self.reached.max(self.entries + jump);
        }
    }

    /// Whether a jump passes over what comes next.
    pub(super) fn is_further(&self) -> bool {
        self.reached > self.entries
    }
}

/// `text` with a line with these options. `flaws` tells what is wrong with a stack that begins with the
/// text that it is given. Of all places the first without a flaw is taken; where there is none, the first.
pub(crate) fn add(
    text: &[u8],
    options: &[String],
    included: &Included<'_>,
    flaws: &dyn Fn(&[u8]) -> Vec<String>,
) -> Result<Edit, NoPlace> {
    let mut first = None;
    let turned = turn(text, included);
    let variants = [Some((text.to_vec(), None)), turned.map(|(text, turned)| (text, Some(turned)))];
    for (text, turned) in variants.into_iter().flatten() {
        for at in places(&text, included)? {
            let after = insert(&text, at, &line(options));
            let flaws = flaws(&after);
            let is_good = flaws.is_empty();
            let edit = Edit { after, line: line(options), turned: turned.clone(), flaws };
            if is_good {
                return Ok(edit);
            }
            first.get_or_insert(edit);
        }
    }
    first.ok_or(NoPlace::JumpedOver)
}

/// The bytes before which the line may stand, the nearest to the password first.
fn places(text: &[u8], included: &Included<'_>) -> Result<Vec<usize>, NoPlace> {
    let all = lines(text);
    let brought = brought(&all, included, 0)?;
    let password =
        brought.iter().rposition(|line| line.asks_password).ok_or(NoPlace::NoPassword)?;
    let mut places = Vec::new();
    let mut reach = Reach::default();
    for (number, brings) in brought.iter().enumerate() {
        reach.goes_past(brings);
        let end = brings.line.range.end;
        // What follows a backslash at the end of the file would belong to that line.
        let is_open = text.get(..end).is_some_and(|head| head.trim_ascii_end().ends_with(b"\\"));
        if number >= password && !reach.is_further() && !is_open {
            places.push(end);
        }
    }
    Ok(places)
}

/// What the lines of a file bring into the auth stack, in their order.
pub(super) fn brought<'a>(
    lines: &'a [Line],
    included: &Included<'_>,
    depth: usize,
) -> Result<Vec<Brought<'a>>, NoPlace> {
    let mut found = Vec::new();
    for line in lines {
        if let Some(name) = line.includes() {
            let (jumps, asks_password) = inside(name, included, depth)?;
            found.push(Brought { line, jumps, asks_password });
        } else if !line.is_auth() {
            continue;
        } else if let Some(name) = line.substack() {
            // Jumps inside stay inside, and from outside it is one entry.
            let (_, asks_password) = inside(name, included, depth)?;
            found.push(Brought { line, jumps: vec![0], asks_password });
        } else {
            let asks_password = PASSWORD.iter().any(|module| line.loads(module));
            found.push(Brought { line, jumps: vec![line.longest_jump()], asks_password });
        }
    }
    Ok(found)
}

fn inside(
    name: &str,
    included: &Included<'_>,
    depth: usize,
) -> Result<(Vec<usize>, bool), NoPlace> {
    let unreadable = || NoPlace::Unreadable(name.to_owned());
    if depth >= DEPTH_MAX {
        return Err(unreadable());
    }
    let text = included(name).ok_or_else(unreadable)?;
    let lines = lines(&text);
    let brought = brought(&lines, included, depth + 1)?;
    let asks_password = brought.iter().any(|line| line.asks_password);
    Ok((brought.into_iter().flat_map(|line| line.jumps).collect(), asks_password))
}

/// `text` with the last `include` that brings the password made a substack.
fn turn(text: &[u8], included: &Included<'_>) -> Option<(Vec<u8>, Turned)> {
    let all = lines(text);
    let brought = brought(&all, included, 0).ok()?;
    let line = brought.iter().rev().find(|line| line.asks_password)?.line;
    if !line.control().eq_ignore_ascii_case("include") {
        return None;
    }
    let from = std::str::from_utf8(text.get(line.range.clone())?).ok()?;
    let at = from.find(line.control())?;
    let (head, rest) = from.split_at_checked(at)?;
    let to = format!("{head}substack{}", rest.get(line.control().len()..)?);
    let mut turned = text.get(..line.range.start)?.to_vec();
    turned.extend_from_slice(to.as_bytes());
    turned.extend_from_slice(text.get(line.range.end..)?);
    Some((turned, Turned { from: from.to_owned(), to }))
}

/// `text` with `line` before the byte `at`, which begins a line or is the end.
fn insert(text: &[u8], at: usize, line: &str) -> Vec<u8> {
    let (before, after) = text.split_at_checked(at).unwrap_or((text, &[]));
    let mut new = before.to_vec();
    if before.last().is_some_and(|byte| *byte != b'\n') {
        // The last line has no end, and so has none afterwards.
        new.push(b'\n');
        new.extend_from_slice(line.as_bytes());
    } else {
        new.extend_from_slice(line.as_bytes());
        new.push(b'\n');
    }
    new.extend_from_slice(after);
    new
}
