// SPDX-License-Identifier: GPL-3.0-or-later
//! How libpam walks a stack (`_pam_dispatch_aux`): from the result of each module to that of the whole.

use super::control::{Action, Code};
use super::read::{Entry, Line};

/// A line in its place, or the beginning of a substack.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step<'a> {
    /// How many substacks it stands in.
    pub(super) level: usize,
    /// None where a substack begins, which calls nothing itself.
    pub(super) line: Option<&'a Line>,
}

/// The stack as libpam holds it: one list, with levels.
pub(super) fn steps(stack: &[Entry]) -> Vec<Step<'_>> {
    let mut found = Vec::new();
    push(stack, 0, &mut found);
    found
}

fn push<'a>(stack: &'a [Entry], level: usize, found: &mut Vec<Step<'a>>) {
    for entry in stack {
        match entry {
            Entry::Line(line) => found.push(Step { level, line: Some(line) }),
            Entry::Substack(inner) => {
                found.push(Step { level, line: None });
                push(inner, level + 1, found);
            }
        }
    }
}

/// What the lines so far have come to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Impression {
    None,
    Positive,
    Negative,
}

/// A walk between two lines.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Walk {
    /// The next step.
    pub(super) at: usize,
    impression: Impression,
    status: Code,
    /// The level of the step before.
    level: usize,
    /// Impression and status at the entry of each substack that the walk is in.
    entered: Vec<(Impression, Code)>,
}

impl Walk {
    pub(super) fn new() -> Self {
        let (impression, status) = (Impression::None, Code::PERM_DENIED);
        Self { at: 0, impression, status, level: 0, entered: vec![(impression, status)] }
    }

    /// The result of the stack, where the walk is over.
    pub(super) fn result(&self) -> Code {
        match (self.status, self.impression) {
            (Code::SUCCESS, Impression::None | Impression::Negative) => Code::PERM_DENIED,
            (status, _) => status,
        }
    }

    /// Enters the step that it stands at: to be called before [`Self::go_on`].
    pub(super) fn enter(&mut self, level: usize) {
        if self.level < level {
            let now = (self.impression, self.status);
            self.entered.resize(level + 1, now);
            if let Some(slot) = self.entered.get_mut(level) {
                *slot = now;
            }
        }
        self.entered.truncate(level + 1);
        self.level = level;
    }

    /// Goes on behind a step that calls no module.
    pub(super) fn pass(&mut self) {
        self.at += 1;
    }

    /// Goes on after the module of the step that it stands at has returned `code`.
    pub(super) fn go_on(&mut self, steps: &[Step<'_>], action: Action, code: Code) {
        let mut at = self.at;
        match action {
            Action::Reset => {
                if let Some(&(impression, status)) = self.entered.get(self.level) {
                    (self.impression, self.status) = (impression, status);
                }
            }
            Action::Ok | Action::Done => {
                let open = self.impression == Impression::None
                    || (self.impression == Impression::Positive && self.status == Code::SUCCESS);
                if open {
                    (self.impression, self.status) = (Impression::Positive, code);
                }
                if action == Action::Done && self.impression == Impression::Positive {
                    at = self.last_of_level(steps, at);
                }
            }
            Action::Bad | Action::Die => {
                if self.impression != Impression::Negative {
                    self.impression = Impression::Negative;
                    self.status = if code == Code::IGNORE { Code::PERM_DENIED } else { code };
                }
                if action == Action::Die {
                    at = self.last_of_level(steps, at);
                }
            }
            Action::Ignore => {}
            Action::Jump(lines) => {
                let mut left = lines;
                while left > 0 && self.stays(steps, at + 1) {
                    at += 1;
                    while steps.get(at + 1).is_some_and(|next| next.level > self.level) {
                        at += 1;
                    }
                    left -= 1;
                }
                // "bad jump in stack": there are not so many lines.
                if left > 0 {
                    (self.impression, self.status) = (Impression::Negative, Code::PERM_DENIED);
                }
            }
        }
        self.at = at + 1;
    }

    /// The last step that belongs to the level of this one.
    fn last_of_level(&self, steps: &[Step<'_>], mut at: usize) -> usize {
        while self.stays(steps, at + 1) {
            at += 1;
        }
        at
    }

    fn stays(&self, steps: &[Step<'_>], at: usize) -> bool {
        steps.get(at).is_some_and(|next| next.level >= self.level)
    }
}

/// What a stack comes to where the module of each line returns what `code` says.
#[cfg(test)]
pub(super) fn dispatch(stack: &[Entry], code: impl Fn(&Line) -> Code) -> Code {
    let steps = steps(stack);
    let mut walk = Walk::new();
    while let Some(step) = steps.get(walk.at) {
        walk.enter(step.level);
        match step.line {
            Some(line) => {
                let code = code(line);
                walk.go_on(&steps, line.control.after(code), code);
            }
            None => walk.pass(),
        }
    }
    walk.result()
}
