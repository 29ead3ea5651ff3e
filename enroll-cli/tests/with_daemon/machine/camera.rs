// SPDX-License-Identifier: GPL-3.0-or-later
//! A phone's camera before a terminal: the window's text becomes a picture, zbar reads the picture.

use std::io::Write;
use std::process::Command;

/// Brightness of text and ground where a program sets neither, 0 to 255.
#[derive(Clone, Copy)]
pub(crate) struct Scheme {
    pub(crate) name: &'static str,
    text: u8,
    ground: u8,
}

pub(crate) const DARK: Scheme = Scheme { name: "light on dark", text: 204, ground: 16 };
pub(crate) const LIGHT: Scheme = Scheme { name: "dark on light", text: 40, ground: 250 };

/// Pixels of a module.
const SCALE: usize = 6;

/// What the camera reads in a window, captured with its colours.
pub(crate) fn read(window: &str, scheme: Scheme) -> String {
    // Colours hold from one line to the next.
    let mut colours = (scheme.text, scheme.ground);
    let lines: Vec<Vec<(u8, u8)>> =
        window.lines().map(|line| cells(line, scheme, &mut colours)).collect();
    let columns = lines.iter().map(Vec::len).max().unwrap();
    let mut picture =
        format!("P5\n{} {}\n255\n", columns * SCALE, 2 * lines.len() * SCALE).into_bytes();
    for line in &lines {
        for half in [|cell: (u8, u8)| cell.0, |cell: (u8, u8)| cell.1] {
            let shade = |x: usize| line.get(x).map_or(scheme.ground, |cell| half(*cell));
            let row: Vec<u8> = (0..columns).flat_map(|x| [shade(x); SCALE]).collect();
            (0..SCALE).for_each(|_| picture.extend_from_slice(&row));
        }
    }
    let mut file = tempfile::Builder::new().suffix(".pgm").tempfile().unwrap();
    file.write_all(&picture).unwrap();
    let output = Command::new("zbarimg").args(["--raw", "--quiet"]).arg(file.path()).output();
    let output = output.unwrap_or_else(|error| panic!("install zbar-tools: {error}"));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// The upper and the lower half of each character.
fn cells(line: &str, scheme: Scheme, (text, ground): &mut (u8, u8)) -> Vec<(u8, u8)> {
    let mut cells = Vec::new();
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        match c {
            '\x1b' => {
                let sequence: String = rest.by_ref().skip(1).take_while(|c| *c != 'm').collect();
                match sequence.as_str() {
                    "38;5;16" => *text = 0,
                    "48;5;231" => *ground = 255,
                    "38;5;16;48;5;231" => (*text, *ground) = (0, 255),
                    "39" => *text = scheme.text,
                    "49" => *ground = scheme.ground,
                    "" | "0" | "39;49" => (*text, *ground) = (scheme.text, scheme.ground),
                    other => panic!("sequence {other}"),
                }
            }
            '█' => cells.push((*text, *text)),
            '▀' => cells.push((*text, *ground)),
            '▄' => cells.push((*ground, *text)),
            ' ' => cells.push((*ground, *ground)),
            // A letter, as far as a camera is concerned.
            _ => cells.push((*text, *ground)),
        }
    }
    cells
}
