// SPDX-License-Identifier: GPL-3.0-or-later
//! The lines of a file in the order of their users' names, which is the order of the daemon's store:
//! written in another one, every page of a large store would be rewritten many times.

use std::cmp::Ordering;

use mfa_proto::UserName;

/// Bytes of a name that are kept.
const HEAD: usize = 16;

/// A line: 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    /// The first bytes of the name. A name has no NUL, so a shorter one comes first, as it must.
    head: [u8; HEAD],
    /// Where the line begins.
    offset: u64,
    /// Its number, from 1.
    number: u64,
}

/// Lines and their order.
#[derive(Default)]
pub(super) struct Order(Vec<Entry>);

/// A user who stands in the file twice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Repeat {
    /// The line that is one too many.
    pub(super) number: u64,
    /// Where it begins.
    pub(super) offset: u64,
    /// The line that was there first.
    pub(super) first: u64,
}

impl Order {
    /// Adds a line.
    pub(super) fn push(&mut self, user: &UserName, offset: u64, number: u64) {
        let name = user.as_str().as_bytes();
        let mut head = [0; HEAD];
        for (kept, byte) in head.iter_mut().zip(name) {
            *kept = *byte;
        }
        self.0.push(Entry { head, offset, number });
    }

    /// Puts the lines into order and says which repeat a user. `name_at` reads the name in the line at
    /// an offset, where more than its head is needed.
    ///
    /// # Errors
    /// What `name_at` fails with.
    pub(super) fn sort<E>(
        &mut self,
        mut name_at: impl FnMut(u64) -> Result<Box<str>, E>,
    ) -> Result<Vec<Repeat>, E> {
        self.0.sort_unstable();
        let mut repeats = Vec::new();
        for run in self.0.chunk_by_mut(|one, next| one.head == next.head) {
            if run.len() == 1 {
                continue;
            }
            if run.iter().any(|entry| entry.head.last() == Some(&0)) {
                // The whole name is in the head, so all of them are one user's.
                note_repeats(run.iter().map(|entry| (entry, true)), &mut repeats);
                continue;
            }
            let mut named = Vec::with_capacity(run.len());
            for entry in run.iter() {
                named.push((name_at(entry.offset)?, *entry));
            }
            named.sort_unstable();
            let mut before: Option<&str> = None;
            let same = named.iter().map(|(name, entry)| {
                let same = before.replace(name).is_some_and(|before| before == &**name);
                (entry, same)
            });
            note_repeats(same, &mut repeats);
            for (place, (_, entry)) in run.iter_mut().zip(&named) {
                *place = *entry;
            }
        }
        repeats.sort_unstable_by(|one, other| match one.number.cmp(&other.number) {
            Ordering::Equal => one.first.cmp(&other.first),
            unequal => unequal,
        });
        Ok(repeats)
    }

    /// Where the lines begin, in the order of the names.
    pub(super) fn offsets(&self) -> impl Iterator<Item = u64> {
        self.0.iter().map(|entry| entry.offset)
    }

    pub(super) fn len(&self) -> u64 {
        self.0.len() as u64
    }
}

/// Entries in order, each with whether it is of the user of the one before it.
fn note_repeats<'a>(entries: impl Iterator<Item = (&'a Entry, bool)>, repeats: &mut Vec<Repeat>) {
    let mut first = None;
    for (entry, same) in entries {
        match first {
            Some(first) if same => {
                repeats.push(Repeat { number: entry.number, offset: entry.offset, first });
            }
            _ => first = Some(entry.number),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// Lines of these users, each as long as one byte; the order and the repeats.
    fn sorted(names: &[&str]) -> (Vec<u64>, Vec<Repeat>) {
        let mut order = Order::default();
        for (name, at) in names.iter().zip(0..) {
            order.push(&UserName::new(*name).unwrap(), at, at + 1);
        }
        let name_at = |at: u64| Ok::<_, ()>(names[usize::try_from(at).unwrap()].into());
        let repeats = order.sort(name_at).unwrap();
        (order.offsets().collect(), repeats)
    }

    #[test]
    fn an_entry_has_32_bytes() {
        assert_eq!(size_of::<Entry>(), 32);
    }

    #[test]
    fn names_that_begin_alike_are_put_into_order_and_only_equal_ones_repeat() {
        let long =
            ["0123456789abcdefZ", "0123456789abcdef", "0123456789abcdefA", "0123456789abcde"];
        assert_eq!(sorted(&long), (vec![3, 1, 2, 0], vec![]));
        let twice = ["bob", "0123456789abcdefZ", "bob", "alice", "0123456789abcdefZ", "bob"];
        let repeat = |number, first| Repeat { number, offset: number - 1, first };
        assert_eq!(sorted(&twice).1, [repeat(3, 1), repeat(5, 2), repeat(6, 1)]);
    }

    proptest! {
        #[test]
        fn any_names_come_in_the_order_of_their_bytes(
            names in prop::collection::vec("(0123456789abcde|)[a-cü]{1,3}", 1..60),
        ) {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let (order, repeats) = sorted(&names);
            let read: Vec<&str> =
                order.iter().map(|at| names[usize::try_from(*at).unwrap()]).collect();
            prop_assert!(read.is_sorted());
            let mut lines = BTreeMap::<&str, Vec<u64>>::new();
            for (name, number) in names.iter().zip(1..) {
                lines.entry(name).or_default().push(number);
            }
            let mut expected: Vec<(u64, u64)> = lines
                .values()
                .flat_map(|lines| lines[1..].iter().map(|number| (*number, lines[0])))
                .collect();
            expected.sort_unstable();
            let found: Vec<_> = repeats.iter().map(|repeat| (repeat.number, repeat.first)).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
