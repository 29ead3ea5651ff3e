// SPDX-License-Identifier: GPL-3.0-or-later
//! Lines and words of a PAM file, as libpam takes them apart (`_pam_assemble_line`, `_pam_StrTok`).

/// Lines without comments and their numbers, those that end in a backslash joined with the next that is
/// not empty. A `#` begins a comment wherever it stands, and ends the line: a backslash before it joins
/// nothing.
pub(super) fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut continues = false;
    for (number, whole) in (1..).zip(text.lines()) {
        let (line, commented) = match whole.split_once('#') {
            Some((line, _)) => (line, true),
            None => (whole, false),
        };
        if line.trim().is_empty() {
            continue;
        }
        let (line, goes_on) = match line.trim_end().strip_suffix('\\') {
            Some(line) if !commented => (line, true),
            _ => (line, false),
        };
        match lines.last_mut() {
            Some((_, before)) if continues => {
                before.push(' ');
                before.push_str(line);
            }
            _ => lines.push((number, line.to_owned())),
        }
        continues = goes_on;
    }
    lines
}

/// The words of a line.
pub(super) struct Words<'a>(&'a str);

/// Words; what stands in square brackets is one, without them, and `\]` in it a bracket.
pub(super) fn words(line: &str) -> Words<'_> {
    Words(line)
}

impl Iterator for Words<'_> {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let rest = self.0.trim_start();
        let Some(inside) = rest.strip_prefix('[') else {
            let (word, after) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
            self.0 = after;
            return (!word.is_empty()).then(|| word.to_owned());
        };
        let mut word = String::new();
        let mut letters = inside.char_indices().peekable();
        self.0 = "";
        while let Some((at, letter)) = letters.next() {
            match letter {
                ']' => {
                    self.0 = inside.get(at + 1..).unwrap_or_default();
                    break;
                }
                '\\' if letters.next_if(|(_, next)| *next == ']').is_some() => word.push(']'),
                _ => word.push(letter),
            }
        }
        Some(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_joined_and_comments_end_them() {
        let text = "a \\\n\n# between \\\n  b\n\nc # d \\\ne \\ # f\ng\n";
        let lines: Vec<_> = logical_lines(text)
            .into_iter()
            .map(|(number, line)| (number, line.split_whitespace().collect::<Vec<_>>().join(" ")))
            .collect();
        let expected = [(1, "a b"), (6, "c"), (7, "e \\"), (8, "g")];
        assert_eq!(lines, expected.map(|(number, line)| (number, line.to_owned())));
    }

    #[test]
    fn brackets_hold_a_word_together() {
        let found: Vec<_> = words("auth [success=1  default=bad]x.so [a \\] b] [open").collect();
        assert_eq!(found, ["auth", "success=1  default=bad", "x.so", "a ] b", "open"]);
    }
}
