// SPDX-License-Identifier: GPL-3.0-or-later
//! Findings for people: the worst first, one a paragraph, as wide as the window.

use std::borrow::Cow;

use anstyle::{AnsiColor, Style};
use textwrap::{Options, WordSeparator, WordSplitter, WrapAlgorithm};

use super::finding::{Finding, Mend, Severity};
use crate::messages::doctor as messages;
use crate::table::printable;

/// Where the texts begin.
const INDENT: usize = 10;

/// As wide as lines get where the window is wider, or is none.
const WIDE: usize = 100;

/// As narrow.
const NARROW: usize = 40;

/// The lines of one finding. `columns` are those of the window.
pub(super) fn lines(finding: &Finding, columns: Option<usize>) -> Vec<String> {
    let width = columns.unwrap_or(80).clamp(NARROW, WIDE) - INDENT;
    let severity = finding.severity();
    let style = style(severity);
    let word = severity.as_str();
    let head = format!("{} [{}]", printable(&finding.subject()), finding.check.id());
    let mut texts = Vec::new();
    if severity == Severity::Ok {
        texts.extend(wrapped(&format!("{}: {}", finding.subject(), finding.finding), width));
    } else {
        texts.extend(wrapped(&head, width));
        texts.extend(wrapped(&finding.finding, width));
        texts.extend(finding.meaning().iter().flat_map(|meaning| wrapped(meaning, width)));
    }
    let bold = Style::new().bold();
    let mends = finding.mends.iter().flat_map(|mend| {
        // What is copied stays in one piece, and by itself.
        let parts = match (mend, messages::mend_in_parts(mend)) {
            (Mend::Advice(_), (text, _)) => wrapped(&text, width.saturating_sub(2)),
            (_, (place, Some(line))) => vec![format!("{place}:"), line.to_owned()],
            (_, (command, None)) => vec![command],
        };
        parts.into_iter().enumerate().map(move |(at, line)| {
            let mark = if at == 0 { ">" } else { " " };
            format!("{:INDENT$}{mark} {bold}{}{bold:#}", "", printable(&line))
        })
    });
    let mut lines = Vec::new();
    for (at, text) in texts.into_iter().enumerate() {
        lines.push(match at {
            0 => format!("{style}{word:<INDENT$}{style:#}{text}"),
            _ => format!("{:INDENT$}{text}", ""),
        });
    }
    lines.extend(mends);
    lines
}

fn style(severity: Severity) -> Style {
    match severity {
        Severity::Critical => AnsiColor::Red.on_default().bold(),
        Severity::Warning => AnsiColor::Yellow.on_default().bold(),
        Severity::Note => AnsiColor::Cyan.on_default(),
        Severity::Ok => AnsiColor::Green.on_default(),
    }
}

/// A text in lines of at most so many columns, as far as its words allow: a path stays whole.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let options = Options::new(width)
        .break_words(false)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
        .wrap_algorithm(WrapAlgorithm::FirstFit);
    textwrap::wrap(&printable(text), options).into_iter().map(Cow::into_owned).collect()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::finding::Check;
    use super::*;

    fn bare(lines: &[String]) -> Vec<String> {
        lines.iter().map(|line| anstream::adapter::strip_str(line).to_string()).collect()
    }

    #[test]
    fn a_finding_fits_the_window_and_what_is_copied_stays_in_one_piece() {
        let file = PathBuf::from("/etc/pam.d/a-service-whose-name-is-long");
        let finding = Finding::new(Check::PamSkipped, "sshd", "word ".repeat(30).trim().to_owned())
            .mended(Mend::Remove { file, line: 3 })
            .mended(Mend::Advice("two lines of advice, that is more than fit".to_owned()));
        let shown = bare(&lines(&finding, Some(40)));
        assert_eq!(shown[0], "critical  sshd [pam.skipped]");
        assert_eq!(shown[1], "          word word word word word word");
        let mends: Vec<_> = shown.iter().filter(|line| line.starts_with("          > ")).collect();
        assert_eq!(mends.len(), 2);
        assert_eq!(mends[0].trim(), "> /etc/pam.d/a-service-whose-name-is-long line 3 goes");
        let texts = shown.iter().filter(|line| !line.contains("/etc/pam.d"));
        assert!(texts.clone().all(|line| line.chars().count() <= 40), "{shown:#?}");
    }
}
