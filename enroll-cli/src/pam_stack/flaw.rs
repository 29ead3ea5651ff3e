// SPDX-License-Identifier: GPL-3.0-or-later
//! Every way through a stack: is there one without a right code, or none with it?
//!
//! Each module may return what [`role::codes`] says. All results of all lines are tried; what the walks
//! have in common is walked once, so that a stack of some dozen lines takes no time.

use std::collections::HashSet;

use super::control::{Action, Code};
use super::dispatch::{Step, Walk, steps};
use super::options;
use super::read::{Entry, Line};
use super::role::{self, Role, role};

/// How a login can do without a right code, or cannot be done at all.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Flaw {
    /// A success of an earlier line ends the stack or jumps over the module.
    Skipped(Line),
    /// The same, and nothing else asks for anything.
    Open(Line),
    /// A login whose code was wrong, or could not be checked, goes on and can succeed.
    NotHeld(Line),
    /// A right code logs in without anything else.
    CodeAlone(Line),
    /// Whom the module does not ask (`nullok`, an exemption) nothing else asks either.
    NothingAlone(Line),
    /// The module is asked twice in one login, and one code opens one login.
    Twice(Line),
    /// No result of any module lets anybody in.
    NobodyIn,
    /// An option that the module refuses: it denies every login.
    Option { line: Line, option: String },
}

/// What is wrong with how `stack` uses the module. Nothing, where it does not use it.
pub(crate) fn flaws(stack: &[Entry]) -> Vec<Flaw> {
    flaws_where(stack, |_| true)
}

/// The same, where only some lines have their module installed: the others return
/// `PAM_MODULE_UNKNOWN`.
pub(crate) fn flaws_where(stack: &[Entry], installed: impl Fn(&Line) -> bool) -> Vec<Flaw> {
    let steps = steps(stack);
    if !steps.iter().any(|step| step.line.is_some_and(|line| role(line) == Role::Mfa)) {
        return Vec::new();
    }
    let mut found = Vec::new();
    let ends = ends(&steps, installed);
    // A line that keeps everybody from the module is named once, not with each of its consequences.
    for step in 0..steps.len() {
        let Some(line) = steps.get(step).and_then(|step| step.line) else { continue };
        let at =
            |mfa: fn(&Mfa) -> bool| ends.iter().any(|end| end.by == Some(step) && mfa(&end.mfa));
        if at(|mfa| *mfa == Mfa::Open) {
            found.push(Flaw::Open(line.clone()));
        } else if at(|mfa| *mfa == Mfa::NotAsked) {
            found.push(Flaw::Skipped(line.clone()));
        }
        if at(|mfa| *mfa == Mfa::Denied) {
            found.push(Flaw::NotHeld(line.clone()));
        }
        if at(|mfa| *mfa == Mfa::Alone) {
            found.push(Flaw::CodeAlone(line.clone()));
        }
        if at(|mfa| *mfa == Mfa::NothingAlone) {
            found.push(Flaw::NothingAlone(line.clone()));
        }
        if at(|mfa| *mfa == Mfa::Twice) {
            found.push(Flaw::Twice(line.clone()));
        }
        if role(line) == Role::Mfa {
            let refused = options::refused(line).into_iter();
            found.extend(refused.map(|option| Flaw::Option { line: line.clone(), option }));
        }
    }
    if ends.is_empty() {
        found.push(Flaw::NobodyIn);
    }
    found
}

/// What the module has to do with a login that succeeds.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Mfa {
    /// It was not asked.
    NotAsked,
    /// It was not asked, and nothing else proves the person or sets a condition.
    Open,
    /// It denied, and the login went on.
    Denied,
    /// It said yes, and so did something else that proves the person.
    Right,
    /// It said yes, and nothing else proves the person.
    Alone,
    /// It did not count, and nothing else proves the person.
    NothingAlone,
    /// It did not count, and something else proves the person.
    Ignored,
    /// It said yes twice.
    Twice,
}

/// A login that succeeds.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct End {
    mfa: Mfa,
    /// The step that is to blame.
    by: Option<usize>,
}

/// A walk, and what it has met.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Met {
    walk: Walk,
    /// What the module said last, and where that was.
    said: Option<(Code, usize)>,
    /// Where the module said yes a second time.
    twice: Option<usize>,
    proved: bool,
    conditional: bool,
    /// The step that took it past the module.
    past: Option<usize>,
}

fn ends(steps: &[Step<'_>], installed: impl Fn(&Line) -> bool) -> HashSet<End> {
    let is_module = |step: &Step<'_>| step.line.is_some_and(|line| role(line) == Role::Mfa);
    let last = steps.iter().rposition(is_module).unwrap_or(0);
    let begin = Met {
        walk: Walk::new(),
        said: None,
        twice: None,
        proved: false,
        conditional: false,
        past: None,
    };
    let (mut open, mut seen, mut ends) =
        (vec![begin.clone()], HashSet::from([begin]), HashSet::new());
    while let Some(mut met) = open.pop() {
        let at = met.walk.at;
        let Some(step) = steps.get(at) else {
            if met.walk.result() == Code::SUCCESS {
                ends.insert(end(&met));
            }
            continue;
        };
        met.walk.enter(step.level);
        let mut next = Vec::new();
        match step.line {
            None => {
                met.walk.pass();
                next.push(met);
            }
            Some(line) => {
                let codes =
                    if installed(line) { role::codes(line) } else { vec![Code::MODULE_UNKNOWN] };
                for code in codes {
                    next.push(go_on(&met, steps, at, line, code, last));
                }
            }
        }
        for met in next {
            if seen.insert(met.clone()) {
                open.push(met);
            }
        }
    }
    ends
}

fn go_on(met: &Met, steps: &[Step<'_>], at: usize, line: &Line, code: Code, last: usize) -> Met {
    let mut met = met.clone();
    let action = line.control.after(code);
    met.walk.go_on(steps, action, code);
    match role(line) {
        Role::Mfa => {
            if code == Code::SUCCESS && met.said.is_some_and(|(before, _)| before == code) {
                met.twice = Some(at);
            }
            // A denial is not undone by what another line of the module says.
            if !met.said.is_some_and(|(before, _)| role::DENIALS.contains(&before)) {
                met.said = Some((code, at));
            }
        }
        // What is not held against the login when it fails proves nothing when it succeeds, but where
        // its success ends the stack or leads somewhere.
        Role::Proof => met.proved |= code == Code::SUCCESS && action != Action::Ignore,
        Role::Condition => met.conditional |= code == Code::SUCCESS && action != Action::Ignore,
        Role::Nothing => {}
    }
    let went_past = met.said.is_none() && met.past.is_none() && at < last && met.walk.at > last;
    if went_past {
        met.past = Some(at);
    }
    met
}

fn end(met: &Met) -> End {
    if met.twice.is_some() {
        return End { mfa: Mfa::Twice, by: met.twice };
    }
    let Some((said, at)) = met.said else {
        let mfa = if met.proved || met.conditional { Mfa::NotAsked } else { Mfa::Open };
        return End { mfa, by: met.past };
    };
    let mfa = match (said, met.proved) {
        (Code::SUCCESS, true) => Mfa::Right,
        (Code::SUCCESS, false) => Mfa::Alone,
        (Code::IGNORE, true) => Mfa::Ignored,
        (Code::IGNORE, false) => Mfa::NothingAlone,
        _ => Mfa::Denied,
    };
    End { mfa, by: Some(at) }
}
