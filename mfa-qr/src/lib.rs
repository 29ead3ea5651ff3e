// SPDX-License-Identifier: GPL-3.0-or-later
//! A secret as people take it into an authenticator: a QR code (ISO/IEC 18004) as terminal text, two
//! modules a character by half blocks, and base32 in groups.

#![forbid(unsafe_code)]

use qrcode::types::Color;
pub use qrcode::types::QrError;
use qrcode::{EcLevel, QrCode};
use zeroize::Zeroizing;

/// The light border that a reader needs, in modules (ISO/IEC 18004, 6.3.8).
const QUIET_ZONE: usize = 4;

/// Black on white, exactly: the basic sixteen colours are whatever the theme makes of them.
const INK: anstyle::Style = anstyle::Style::new()
    .fg_color(Some(anstyle::Color::Ansi256(anstyle::Ansi256Color(16))))
    .bg_color(Some(anstyle::Color::Ansi256(anstyle::Ansi256Color(231))));

/// How the terminal shows light and dark.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    /// Black and white are set.
    Colours,
    /// Text is taken to be light on a dark ground, as terminals without colours are.
    Plain,
}

/// A QR code with its quiet zone.
pub struct Picture {
    dark: Zeroizing<Vec<bool>>,
    side: usize,
}

impl Picture {
    /// The smallest code for `text`. It is read from a screen, undamaged, so correction level L is
    /// enough; a higher one is taken where it costs no space.
    ///
    /// # Errors
    /// [`QrError`] where the text is longer than a QR code can be.
    pub fn encode(text: &str) -> Result<Self, QrError> {
        let mut code = QrCode::with_error_correction_level(text, EcLevel::L)?;
        for level in [EcLevel::M, EcLevel::Q] {
            match QrCode::with_version(text, code.version(), level) {
                Ok(better) => code = better,
                Err(_) => break,
            }
        }
        let colours = code.to_colors();
        let dark = colours.iter().map(|colour| *colour == Color::Dark).collect();
        Ok(Self { dark: Zeroizing::new(dark), side: code.width() })
    }

    /// The code of an `otpauth` URI, without the parameters that every authenticator assumes.
    ///
    /// # Errors
    /// [`QrError`] where the URI is longer than a QR code can be.
    pub fn of_otpauth(uri: &str) -> Result<Self, QrError> {
        Self::encode(uri.strip_suffix("&algorithm=SHA1&digits=6&period=30").unwrap_or(uri))
    }

    /// Characters of a line.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.side + 2 * QUIET_ZONE
    }

    /// Lines.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.columns().div_ceil(2)
    }

    /// Whether the lines fit a window of so many columns without being broken.
    #[must_use]
    pub fn fits(&self, columns: usize) -> bool {
        self.columns() <= columns
    }

    /// Whether the code and the prompt below it are on a screen of so many rows together.
    #[must_use]
    pub fn is_seen_whole(&self, rows: usize) -> bool {
        self.rows() < rows
    }

    /// The lines, each with its line end.
    #[must_use]
    pub fn draw(&self, ink: Ink) -> Zeroizing<String> {
        let (on, off) = match ink {
            Ink::Colours => (INK.render().to_string(), INK.render_reset().to_string()),
            Ink::Plain => (String::new(), String::new()),
        };
        let line = 3 * self.columns() + on.len() + off.len() + 1;
        let mut text = Zeroizing::new(String::with_capacity(self.rows() * line));
        for row in 0..self.rows() {
            text.push_str(&on);
            for column in 0..self.columns() {
                let (upper, lower) =
                    (self.is_dark(column, 2 * row), self.is_dark(column, 2 * row + 1));
                text.push(match ink {
                    Ink::Colours => block(upper, lower),
                    Ink::Plain => block(!upper, !lower),
                });
            }
            text.push_str(&off);
            text.push('\n');
        }
        text
    }

    /// What is outside the code is light.
    fn is_dark(&self, column: usize, row: usize) -> bool {
        let inside =
            |place: usize| place.checked_sub(QUIET_ZONE).filter(|place| *place < self.side);
        match (inside(column), inside(row)) {
            (Some(column), Some(row)) => {
                self.dark.get(row * self.side + column).copied().unwrap_or(false)
            }
            _ => false,
        }
    }
}

/// Base32 in groups of four, as people read and type it; authenticators leave the spaces out.
#[must_use]
pub fn grouped(secret: &str) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(secret.len() * 2));
    for (place, letter) in secret.chars().enumerate() {
        if place > 0 && place % 4 == 0 {
            text.push(' ');
        }
        text.push(letter);
    }
    text
}

/// The character with these halves in the text's colour.
fn block(upper: bool, lower: bool) -> char {
    match (upper, lower) {
        (true, true) => '█',
        (true, false) => '▀',
        (false, true) => '▄',
        (false, false) => ' ',
    }
}

#[cfg(test)]
mod tests;
