// SPDX-License-Identifier: GPL-3.0-or-later
//! Where colours belong.

use std::io::{self, IsTerminal};

use anstream::ColorChoice;

use crate::arguments::When;

/// What the environment says of colours. NO_COLOR (no-color.org) and a terminal without any are all
/// that counts: nothing in the environment colours a pipe.
#[derive(Clone, Copy)]
pub(super) struct Environment {
    no_color: bool,
    pub(super) is_dumb: bool,
}

impl Environment {
    pub(super) fn of_process() -> Self {
        Self {
            no_color: std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()),
            is_dumb: std::env::var_os("TERM").is_some_and(|value| value == "dumb"),
        }
    }
}

pub(super) fn choice(when: When, is_terminal: bool, environment: Environment) -> ColorChoice {
    let wanted = match when {
        When::Always => true,
        When::Never => false,
        When::Auto => is_terminal && !environment.no_color && !environment.is_dumb,
    };
    if wanted { ColorChoice::AlwaysAnsi } else { ColorChoice::Never }
}

/// Whether help and mistakes in the command line are coloured, which come before `--color` is read.
pub(crate) fn of_usage() -> clap::ColorChoice {
    let is_terminal = io::stdout().is_terminal() && io::stderr().is_terminal();
    match choice(When::Auto, is_terminal, Environment::of_process()) {
        ColorChoice::Never => clap::ColorChoice::Never,
        _ => clap::ColorChoice::Always,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_for_terminals_whose_owner_wants_them() {
        let plain = Environment { no_color: false, is_dumb: false };
        let no_color = Environment { no_color: true, ..plain };
        let dumb = Environment { is_dumb: true, ..plain };
        for (when, is_terminal, environment, coloured) in [
            (When::Auto, true, plain, true),
            (When::Auto, false, plain, false),
            (When::Auto, true, no_color, false),
            (When::Auto, true, dumb, false),
            (When::Always, false, no_color, true),
            (When::Never, true, plain, false),
        ] {
            let found = choice(when, is_terminal, environment) != ColorChoice::Never;
            assert_eq!(found, coloured, "{is_terminal}");
        }
    }
}
