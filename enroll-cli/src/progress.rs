// SPDX-License-Identifier: GPL-3.0-or-later
//! Progress bars, where somebody watches.

use indicatif::{ProgressBar, ProgressStyle};

/// Whether bars are drawn.
pub(crate) struct Bars {
    pub(crate) shown: bool,
}

impl Bars {
    /// Of so many bytes; 0 where that is not known, as of a pipe.
    pub(crate) fn bytes(&self, what: &str, size: u64) -> ProgressBar {
        let template = match size {
            0 => format!("{what} {{spinner}} {{bytes}}"),
            _ => format!("{what} {{bar:40}} {{percent:>3}} %  {{eta}}"),
        };
        self.bar(size, &template)
    }

    /// Of so many users.
    pub(crate) fn users(&self, what: &str, count: u64) -> ProgressBar {
        self.bar(count, &format!("{what} {{bar:40}} {{pos}}/{{len}}  {{per_sec}}  {{eta}}"))
    }

    fn bar(&self, length: u64, template: &str) -> ProgressBar {
        if !self.shown {
            return ProgressBar::hidden();
        }
        let bar = ProgressBar::new(length);
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar
    }
}
