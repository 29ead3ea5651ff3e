// SPDX-License-Identifier: GPL-3.0-or-later
//! A page as roff, with the macros of man(7).

use roff::{Inline, Roff, bold, italic, roman};

use crate::page::{Block, Definition, Page, Span};

/// Columns that an example is indented by.
const INDENT: &str = "4";

/// Bytes of a line of roff, before one more word and its fonts: a line of 80 is too long to mandoc.
const LINE: usize = 56;

/// The page, for man(1).
#[must_use]
pub fn write(page: &Page) -> String {
    let mut roff = Roff::new();
    let source = concat!("mfa ", env!("CARGO_PKG_VERSION"));
    let manual = match page.section.as_str() {
        "1" => "User Commands",
        "5" => "File Formats",
        _ => "System Administration",
    };
    let name = page.name.to_uppercase();
    // Not hyphenated, so that names can be searched for; TH looks at it.
    roff.control("nr", ["HY", "0"]);
    roff.control("TH", [name.as_str(), &page.section, &page.date, source, manual]);
    // Not stretched to both margins, and one space behind a full stop wherever the line of roff ended.
    roff.control("ad", ["l"]).control("ss", ["12", "0"]);
    blocks(&mut roff, &page.blocks, Place::Page);
    typed_characters(&roff.render())
}

/// What is around a block.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Page,
    Item,
}

fn blocks(roff: &mut Roff, blocks: &[Block], place: Place) {
    // Behind a heading, and in an item, the first paragraph needs no macro, and mandoc warns of one.
    let mut first = true;
    for block in blocks {
        match block {
            Block::Section(name) => {
                roff.control("SH", [name.as_str()]);
            }
            Block::Subsection(name) => {
                roff.control("SS", [name.as_str()]);
            }
            Block::Paragraph(spans) => {
                if !first {
                    paragraph(roff, place);
                }
                roff.text(inlines(&filled(spans)));
            }
            Block::Example(text) => example(roff, text),
            Block::Definitions(definitions) => definitions_in(roff, definitions, place),
            Block::List(items) => list(roff, items),
        }
        first = matches!(block, Block::Section(_) | Block::Subsection(_));
    }
}

/// `PP` would end the indentation of an item.
fn paragraph(roff: &mut Roff, place: Place) {
    match place {
        Place::Page => roff.control("PP", []),
        Place::Item => roff.control("IP", []),
    };
}

fn example(roff: &mut Roff, text: &str) {
    roff.control("sp", []).control("RS", [INDENT]).control("EX", []);
    for line in text.lines() {
        roff.text([roman(line)]);
    }
    roff.control("EE", []).control("RE", []);
}

fn definitions_in(roff: &mut Roff, definitions: &[Definition], place: Place) {
    if place == Place::Item {
        roff.control("RS", []);
    }
    for Definition { term, body } in definitions {
        roff.control("TP", []).text(inlines(term));
        blocks(roff, body, Place::Item);
    }
    if place == Place::Item {
        roff.control("RE", []);
    }
}

fn list(roff: &mut Roff, items: &[Vec<Block>]) {
    for item in items {
        roff.control("IP", ["\\(bu", "2"]);
        blocks(roff, item, Place::Item);
    }
}

/// Breaks lines between words. Nothing of that is seen in what man(1) shows.
fn filled(spans: &[Span]) -> Vec<Span> {
    let mut column = 0;
    let mut fill = |text: &str| {
        let mut broken = String::new();
        for (at, word) in text.split([' ', '\n']).enumerate() {
            // roff writes these with escapes, and a change of fonts with two.
            let width =
                word.len() + word.matches('-').count() + 4 * word.matches(['\'', '~']).count();
            if at > 0 {
                let full = column + width > LINE;
                broken.push(if full { '\n' } else { ' ' });
                column = if full { 0 } else { column + 1 };
            }
            broken.push_str(word);
            column += width;
        }
        column += 6;
        broken
    };
    spans
        .iter()
        .map(|span| match span {
            Span::Plain(text) => Span::Plain(fill(text)),
            Span::Literal(text) => Span::Literal(fill(text)),
            Span::Stand(text) => Span::Stand(fill(text)),
        })
        .collect()
}

fn inlines(spans: &[Span]) -> Vec<Inline> {
    spans
        .iter()
        .map(|span| match span {
            Span::Plain(text) => roman(text),
            Span::Literal(text) => bold(text),
            Span::Stand(text) => italic(text),
        })
        .collect()
}

/// groff makes typographic signs of three that are typed: a tilde would not be one in a terminal.
fn typed_characters(roff: &str) -> String {
    roff.replace('~', "\\(ti").replace('^', "\\(ha").replace('`', "\\(ga")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(blocks: Vec<Block>) -> String {
        let page =
            Page { name: "x.y".into(), section: "5".into(), date: "2026-12-01".into(), blocks };
        write(&page)
    }

    #[test]
    fn the_title_names_page_section_date_version_and_manual() {
        let title = concat!(
            ".TH X.Y 5 2026-12-01 \"mfa ",
            env!("CARGO_PKG_VERSION"),
            "\" \"File Formats\"\n"
        );
        assert!(page(Vec::new()).contains(title));
    }

    #[test]
    fn what_could_be_a_request_or_another_sign_stays_a_text() {
        let text =
            page(vec![Block::Example(".so /etc/passwd\n'x \\fB ~/.config `a` ^\n\nend".into())]);
        assert!(
            text.ends_with(
                ".EX\n\\&.so /etc/passwd\n\\*(Aqx \\\\fB \\(ti/.config \\(gaa\\(ga \\(ha\n\nend\n.EE\n.RE\n"
            ),
            "{text}"
        );
    }

    #[test]
    fn a_second_paragraph_of_an_item_stays_in_it() {
        let paragraph = |text: &str| Block::Paragraph(vec![Span::Plain(text.into())]);
        let item = Definition {
            term: vec![Span::Literal("--x".into())],
            body: vec![paragraph("one"), paragraph("two")],
        };
        let text = page(vec![Block::Definitions(vec![item]), paragraph("after")]);
        assert!(text.ends_with(".TP\n\\fB\\-\\-x\\fR\none\n.IP\ntwo\n.PP\nafter\n"), "{text}");
    }
}
