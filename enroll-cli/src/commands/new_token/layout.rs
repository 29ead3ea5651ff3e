// SPDX-License-Identifier: GPL-3.0-or-later
//! A new secret as lines for a window: the picture under the text, or beside it where the window is low,
//! or the text alone where it is too small for both.

use mfa_crypto::{Moving, OtpUri, base32};
use mfa_qr::{Ink, Picture, grouped};
use textwrap::core::display_width;
use zeroize::Zeroizing;

use crate::arguments::When;
use crate::console::Window;
use crate::messages;

/// Columns of a secret of eight groups.
const KEY: usize = 39;

/// Columns that text beside a picture needs at least.
const LEAST_BESIDE: usize = 24;

/// Where the picture's own light border ends.
const QUIET_ROWS: usize = 2;
const GAP: usize = 2;

/// What is shown.
pub(super) struct Sheet<'a> {
    pub(super) token: &'a OtpUri,
    pub(super) picture: Option<&'a Picture>,
    pub(super) qr: When,
    pub(super) ink: Ink,
    /// Results without explanations.
    pub(super) quiet: bool,
}

impl Sheet<'_> {
    /// The lines above the prompt, which has one of its own, with what the last answer came to.
    pub(super) fn lines(&self, window: Window, note: Option<&str>) -> Vec<Zeroizing<String>> {
        let text = |columns, heading| self.text(columns, heading, note);
        let Some(picture) = self.picture else { return text(window.columns, None) };
        let room = window.rows.saturating_sub(1);
        let drawing = picture.draw(self.ink);
        let drawn = || drawing.lines().map(|line| Zeroizing::new(line.to_owned()));
        let mut above = text(window.columns, Some(messages::SCAN));
        // Lines that are printed and not drawn on a page may be broken and may scroll.
        let printed = self.qr == When::Always && window.rows == usize::MAX;
        if printed || picture.fits(window.columns) && above.len() + picture.rows() <= room {
            above.extend(drawn());
            return above;
        }
        let left = window.columns.saturating_sub(picture.columns() + GAP);
        let mut beside = vec![Zeroizing::default(); QUIET_ROWS];
        beside.extend(text(left, Some(messages::SCAN)));
        if left >= LEAST_BESIDE && picture.rows() <= room && beside.len() <= picture.rows() {
            beside.resize(picture.rows(), Zeroizing::default());
            let joined = drawn().zip(beside);
            return joined
                .map(|(line, text)| Zeroizing::new(format!("{}  {}", *line, *text)))
                .collect();
        }
        if self.qr == When::Always && picture.fits(window.columns) && picture.rows() <= room {
            // The text may find no room below it.
            return drawn().chain(above).collect();
        }
        let mut alone = text(window.columns, None);
        let text = text(picture.columns(), Some(messages::SCAN));
        let size = (picture.columns(), picture.rows() + text.len() + 1);
        alone.extend(wrapped(&messages::enlarge(size, window.rows < usize::MAX), window.columns));
        alone
    }

    /// The secret, what to do with it, and what is to be noted.
    fn text(
        &self,
        columns: usize,
        heading: Option<&str>,
        note: Option<&str>,
    ) -> Vec<Zeroizing<String>> {
        let by_hand = messages::type_key(self.moves());
        let mut lines = Vec::new();
        if !self.quiet {
            lines.extend(wrapped(heading.unwrap_or(&by_hand), columns));
        }
        let key = grouped(&base32(&self.token.secret));
        // Four groups a line where eight have no room.
        let room = if columns < KEY { columns.min(KEY / 2) } else { columns };
        lines.extend(wrapped(&key, room));
        lines.extend(note.into_iter().flat_map(|note| wrapped(note, columns)));
        lines
    }

    fn moves(&self) -> &'static str {
        match self.token.moving {
            Moving::Totp { .. } => "time-based",
            Moving::Hotp { .. } => "counter-based",
        }
    }
}

fn wrapped(text: &str, columns: usize) -> Vec<Zeroizing<String>> {
    if display_width(text) <= columns {
        return vec![Zeroizing::new(text.to_owned())];
    }
    textwrap::wrap(text, columns.max(1))
        .into_iter()
        .map(|line| Zeroizing::new(line.into_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: &str = "otpauth://totp/host.example:alice?secret=\
                           GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=host.example";

    fn lines(columns: usize, rows: usize, qr: When, note: Option<&str>) -> Vec<String> {
        let token = OtpUri::parse(ADDRESS).unwrap();
        let picture = Picture::of_otpauth(ADDRESS).unwrap();
        let picture = (qr != When::Never).then_some(&picture);
        let sheet = Sheet { token: &token, picture, qr, ink: Ink::Plain, quiet: false };
        let lines = sheet.lines(Window { columns, rows }, note);
        lines.iter().map(|line| line.to_string()).collect()
    }

    fn drawn(lines: &[String]) -> usize {
        lines.iter().filter(|line| line.contains(['▀', '▄', '█'])).count()
    }

    #[test]
    fn whatever_the_window_the_secret_stands_in_it_whole_and_nothing_is_broken_or_scrolls() {
        for (columns, rows, pictured) in [
            (80, 24, true),
            (80, 60, true),
            (132, 43, true),
            (60, 30, true),
            (60, 20, false),
            (40, 24, false),
            (40, 60, false),
            (20, 24, false),
            (80, 10, false),
        ] {
            for note in [None, Some(messages::wrong_first(1))] {
                let lines = lines(columns, rows, When::Auto, note.as_deref());
                let size = format!("{columns} by {rows}: {lines:#?}");
                assert_eq!(drawn(&lines) > 0, pictured, "{size}");
                assert!(lines.len() < rows, "{size}");
                assert!(lines.iter().all(|line| display_width(line) <= columns), "{size}");
                let text = lines.join(" ");
                let is_letter = |c: &char| !c.is_whitespace() && !['▀', '▄', '█'].contains(c);
                let letters: String = text.chars().filter(is_letter).collect();
                assert!(letters.contains("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"), "{size}");
                assert!(note.is_none_or(|_| letters.contains("1tryleft")), "{size}");
            }
        }
    }

    #[test]
    fn a_picture_comes_where_it_can_be_whole_or_never_where_that_is_wanted() {
        let whole = drawn(&lines(200, 200, When::Auto, None));
        for (columns, rows, seen) in
            [(60, 24, whole), (80, 24, whole), (40, usize::MAX, whole), (40, 24, 0), (80, 10, 0)]
        {
            let lines = lines(columns, rows, When::Always, None);
            let room = lines.len().min(rows - 1);
            assert_eq!(drawn(&lines[..room]), seen, "{columns} by {rows}: {lines:#?}");
        }
        assert_eq!(drawn(&lines(200, 60, When::Never, None)), 0);
    }
}
