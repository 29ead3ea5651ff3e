// SPDX-License-Identifier: GPL-3.0-or-later
//! Figures of what a login costs, as they are committed in `tests/costs`, beside those found now.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// What each thing costs, by name.
pub type Costs = BTreeMap<String, u64>;

/// Set by `make costs`, which writes what is found instead of comparing it.
const RENEW: &str = "MFA_RENEW_COSTS";

/// How much more than committed is let pass.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Slack {
    /// Nothing, and nothing less either.
    None,
    /// So many in a hundred. What costs less is let pass.
    Percent(u64),
}

/// Compares with the committed figures, or renews them where that is asked for.
///
/// # Panics
/// Where something differs, with the command that renews the figures.
pub fn hold(name: &str, heading: &str, found: &Costs, slack: impl Fn(&str) -> Slack) {
    let path = file(name);
    if env::var_os(RENEW).is_some() {
        fs::write(&path, render(heading, found)).expect("the committed figures");
        return;
    }
    let text = fs::read_to_string(&path).unwrap_or_default();
    let differences = differences(&parse(&text), found, slack);
    assert!(
        differences.is_empty(),
        "{}:\n{}\nIf that is meant, `make costs` writes the new figures. The committed ones begin:\n{}",
        path.display(),
        differences.join("\n"),
        text.lines().take_while(|line| line.starts_with('#')).collect::<Vec<_>>().join("\n")
    );
}

/// What of `found` is not as committed.
#[must_use]
pub fn differences(committed: &Costs, found: &Costs, slack: impl Fn(&str) -> Slack) -> Vec<String> {
    let gone = committed.iter().filter(|(name, _)| !found.contains_key(*name));
    let gone = gone.filter(|(name, _)| slack(name) == Slack::None);
    let gone = gone.map(|(name, before)| format!("{name}: {before} committed, none found"));
    let differ = found.iter().filter_map(|(name, &now)| {
        let before = committed.get(name).copied();
        let good = before.is_some_and(|before| match slack(name) {
            Slack::None => now == before,
            Slack::Percent(percent) => now * 100 <= before * (100 + percent),
        });
        let committed = before.map_or("none".to_owned(), |before| before.to_string());
        (!good).then(|| format!("{name}: {committed} committed, {now} found"))
    });
    gone.chain(differ).collect()
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("costs").join(name)
}

fn render(heading: &str, costs: &Costs) -> String {
    let mut text = String::new();
    for line in heading.lines() {
        let _ = writeln!(text, "# {line}");
    }
    for (name, cost) in costs {
        let _ = writeln!(text, "{name} {cost}");
    }
    text
}

fn parse(text: &str) -> Costs {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, cost) = line.rsplit_once(' ').expect("a name and a figure");
            (name.to_owned(), cost.parse().expect("a figure"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn costs(of: &[(&str, u64)]) -> Costs {
        of.iter().map(|(name, cost)| ((*name).to_owned(), *cost)).collect()
    }

    #[test]
    fn what_grew_by_more_than_a_tenth_is_named_and_what_grew_by_a_tenth_is_not() {
        let committed = costs(&[("decide", 1000), ("frame", 1000), ("login", 1000)]);
        let found = costs(&[("decide", 1100), ("frame", 1101), ("login", 10)]);
        let grown = differences(&committed, &found, |_| Slack::Percent(10));
        assert_eq!(grown, ["frame: 1000 committed, 1101 found"]);
        assert!(differences(&committed, &committed, |_| Slack::Percent(10)).is_empty());
    }

    #[test]
    fn one_call_more_or_less_or_of_another_kind_is_named() {
        let committed = costs(&[("close", 2), ("connect", 2), ("socket", 2)]);
        let found = costs(&[("close", 3), ("connect", 1), ("fcntl", 1)]);
        assert_eq!(
            differences(&committed, &found, |_| Slack::None),
            [
                "socket: 2 committed, none found",
                "close: 2 committed, 3 found",
                "connect: 2 committed, 1 found",
                "fcntl: none committed, 1 found",
            ]
        );
        assert!(differences(&committed, &committed, |_| Slack::None).is_empty());
    }

    #[test]
    fn a_figure_that_is_not_committed_is_no_success() {
        let found = costs(&[("decide", 1)]);
        assert_eq!(differences(&Costs::new(), &found, |_| Slack::Percent(10)).len(), 1);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let some = costs(&[("daemon fdatasync", 1), ("module connect", 2)]);
        assert_eq!(parse(&render("two lines\nof heading", &some)), some);
    }
}
