// SPDX-License-Identifier: GPL-3.0-or-later
//! What the terminal shows is drawn into a picture, and a real decoder reads the picture.

use std::io::Write;
use std::process::Command;

use super::*;

const ADDRESS: &str = "otpauth://totp/host.example:alice?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
                       &issuer=host.example";

/// Brightness of the foreground and background of a cell, 0 to 255.
#[derive(Clone, Copy)]
struct Theme {
    foreground: u8,
    background: u8,
}

const DARK: Theme = Theme { foreground: 200, background: 30 };
const LIGHT: Theme = Theme { foreground: 40, background: 245 };

/// A terminal that knows half blocks and 256 colours, no more.
fn screen(text: &str, theme: Theme) -> Vec<Vec<u8>> {
    let mut pixels = Vec::new();
    for line in text.lines() {
        let (mut upper, mut lower) = (Vec::new(), Vec::new());
        let mut now = theme;
        let mut rest = line.chars();
        while let Some(c) = rest.next() {
            let (top, bottom) = match c {
                '\x1b' => {
                    assert_eq!(rest.next(), Some('['));
                    let parameters: String = rest.by_ref().take_while(|c| *c != 'm').collect();
                    now = coloured(&parameters, now, theme);
                    continue;
                }
                '█' => (true, true),
                '▀' => (true, false),
                '▄' => (false, true),
                ' ' => (false, false),
                other => panic!("{other:?} in a QR code"),
            };
            let shade = |set| if set { now.foreground } else { now.background };
            upper.push(shade(top));
            lower.push(shade(bottom));
        }
        pixels.push(upper);
        pixels.push(lower);
    }
    pixels
}

fn coloured(parameters: &str, now: Theme, theme: Theme) -> Theme {
    let grey = |colour: &str| match colour {
        "16" => 0,
        "231" => 255,
        other => panic!("colour {other}"),
    };
    match parameters.split(';').collect::<Vec<_>>()[..] {
        ["0" | ""] => theme,
        ["38", "5", colour] => Theme { foreground: grey(colour), ..now },
        ["48", "5", colour] => Theme { background: grey(colour), ..now },
        _ => panic!("sequence {parameters}"),
    }
}

/// The screen with some of the window around it, eight pixels a module, as a portable graymap.
fn graymap(pixels: &[Vec<u8>], theme: Theme) -> Vec<u8> {
    const SCALE: usize = 8;
    let side = pixels[0].len() + 4;
    let height = pixels.len() + 4;
    let mut out = format!("P5\n{} {}\n255\n", side * SCALE, height * SCALE).into_bytes();
    for y in 0..height * SCALE {
        for x in 0..side * SCALE {
            let inside = (y / SCALE).checked_sub(2).zip((x / SCALE).checked_sub(2));
            let shade = inside.and_then(|(y, x)| pixels.get(y)?.get(x)).copied();
            out.push(shade.unwrap_or(theme.background));
        }
    }
    out
}

/// What zbarimg reads, one line a code. A missing zbarimg fails the test.
fn zbar(picture: &[u8]) -> String {
    let mut file = tempfile::Builder::new().suffix(".pgm").tempfile().unwrap();
    file.write_all(picture).unwrap();
    let output = Command::new("zbarimg")
        .args(["--raw", "--quiet"])
        .arg(file.path())
        .output()
        .expect("zbarimg is needed to read the QR code: install zbar-tools");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn zbar_reads_the_address_from_what_the_terminal_shows() {
    let long = format!("{ADDRESS}{}", "x".repeat(100));
    for text in [ADDRESS, "otpauth://hotp/a?secret=GEZDGNBV&counter=0", &long] {
        let picture = Picture::encode(text).unwrap();
        for (ink, theme, name) in [
            (Ink::Colours, DARK, "colours on dark"),
            (Ink::Colours, LIGHT, "colours on light"),
            (Ink::Plain, DARK, "plain on dark"),
        ] {
            let shown = screen(&picture.draw(ink), theme);
            assert_eq!(shown.len(), 2 * picture.rows());
            assert!(shown.iter().all(|line| line.len() == picture.columns()));
            assert_eq!(zbar(&graymap(&shown, theme)).trim_end(), text, "{name}");
        }
    }
}

#[test]
fn a_damaged_picture_is_not_read() {
    let picture = Picture::encode(ADDRESS).unwrap();
    let mut shown = screen(&picture.draw(Ink::Colours), DARK);
    assert_eq!(zbar(&graymap(&shown, DARK)).trim_end(), ADDRESS);
    // Without a finder pattern there is nothing to find.
    for line in shown.iter_mut().take(14) {
        line[..14].fill(255);
    }
    assert_eq!(zbar(&graymap(&shown, DARK)), "");
}

#[test]
fn the_quiet_zone_is_light_on_every_side() {
    let picture = Picture::encode(ADDRESS).unwrap();
    let shown = screen(&picture.draw(Ink::Colours), DARK);
    let (height, width) = (shown.len(), picture.columns());
    for (y, line) in shown.iter().enumerate() {
        for (x, shade) in line.iter().enumerate() {
            let border = y < 4 || y >= width - 4 || x < 4 || x >= width - 4;
            assert!(!border || *shade == 255, "module {x}, {y} of {width}, {height}");
        }
    }
}

#[test]
fn an_ordinary_address_fits_an_ordinary_window() {
    let picture = Picture::encode(ADDRESS).unwrap();
    let size = (picture.columns(), picture.rows());
    assert!(picture.fits(80) && picture.is_seen_whole(24), "{size:?}");
    assert!(!picture.fits(picture.columns() - 1));
}

#[test]
fn a_secret_is_grouped_by_four() {
    assert_eq!(grouped("GEZDGNBVGY").as_str(), "GEZD GNBV GY");
    assert_eq!(grouped("").as_str(), "");
}
