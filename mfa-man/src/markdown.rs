// SPDX-License-Identifier: GPL-3.0-or-later
//! The sources of the pages: Markdown of a few kinds, everything else is an error. `**typed**` and
//! `` `typed` `` are typed as they stand, `_this_` stands for something else; a term with `: ` below it is
//! a definition; `<!-- options of mfa -->` is replaced by what clap knows.

use std::iter::Peekable;

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use crate::page::{Block, Definition, Page, PageError, Span};

/// What stands for `<!-- NAME -->`, where the name is known.
pub(crate) type Inserted<'a> = &'a dyn Fn(&str) -> Option<Vec<Block>>;

type Events<'a> = Peekable<Parser<'a>>;

/// Reads a page.
pub(crate) fn read(text: &str, inserted: Inserted<'_>) -> Result<Page, PageError> {
    let (title, rest) = text.split_once('\n').ok_or(PageError::Title)?;
    let title = title.strip_prefix("# ").ok_or(PageError::Title)?;
    let (name, rest_of_title) = title.split_once('(').ok_or(PageError::Title)?;
    let (section, date) = rest_of_title.split_once(") ").ok_or(PageError::Title)?;
    let options = Options::ENABLE_DEFINITION_LIST;
    let mut events = Parser::new_ext(rest, options).peekable();
    Ok(Page {
        name: name.to_owned(),
        section: section.to_owned(),
        date: date.to_owned(),
        blocks: blocks(&mut events, inserted)?,
    })
}

/// All blocks up to the end of what they are in, which is left in `events`.
fn blocks(events: &mut Events<'_>, inserted: Inserted<'_>) -> Result<Vec<Block>, PageError> {
    let mut found = Vec::new();
    while let Some(event) = events.peek() {
        if is_inline(event) {
            // The text of an item whose list is tight.
            found.push(Block::Paragraph(spans(events)?));
            continue;
        }
        match event {
            Event::End(_) => break,
            Event::Start(_) | Event::Html(_) => {}
            other => return Err(PageError::Unknown(format!("{other:?}"))),
        }
        match events.next() {
            Some(Event::Start(tag)) => {
                let block = block(&tag, events, inserted)?;
                found.extend(block);
                end(events)?;
            }
            Some(Event::Html(html)) => found.extend(insertion(&html, inserted)?),
            _ => {}
        }
    }
    Ok(found)
}

fn block(
    tag: &Tag<'_>,
    events: &mut Events<'_>,
    inserted: Inserted<'_>,
) -> Result<Vec<Block>, PageError> {
    let block = match tag {
        Tag::Heading { level: HeadingLevel::H2, .. } => Block::Section(heading(events)?),
        Tag::Heading { level: HeadingLevel::H3, .. } => Block::Subsection(heading(events)?),
        Tag::Paragraph => Block::Paragraph(spans(events)?),
        Tag::CodeBlock(CodeBlockKind::Fenced(_) | CodeBlockKind::Indented) => {
            Block::Example(crate::text(&spans(events)?))
        }
        Tag::DefinitionList => Block::Definitions(definitions(events, inserted)?),
        Tag::List(None) => {
            let mut items = Vec::new();
            while let Some(Event::Start(Tag::Item)) = events.peek() {
                events.next();
                items.push(blocks(events, inserted)?);
                end(events)?;
            }
            Block::List(items)
        }
        Tag::HtmlBlock => return blocks(events, inserted),
        other => return Err(PageError::Unknown(format!("{other:?}"))),
    };
    Ok(vec![block])
}

fn definitions(
    events: &mut Events<'_>,
    inserted: Inserted<'_>,
) -> Result<Vec<Definition>, PageError> {
    let mut found: Vec<Definition> = Vec::new();
    while let Some(Event::Start(_)) = events.peek() {
        match events.next() {
            Some(Event::Start(Tag::DefinitionListTitle)) => {
                found.push(Definition { term: spans(events)?, body: Vec::new() });
            }
            Some(Event::Start(Tag::DefinitionListDefinition)) => {
                let body = blocks(events, inserted)?;
                if let Some(last) = found.last_mut() {
                    last.body.extend(body);
                }
            }
            other => return Err(PageError::Unknown(format!("{other:?}"))),
        }
        end(events)?;
    }
    Ok(found)
}

/// Nothing may be left of what was read.
fn end(events: &mut Events<'_>) -> Result<(), PageError> {
    match events.next() {
        Some(Event::End(_)) => Ok(()),
        other => Err(PageError::Unknown(format!("{other:?}"))),
    }
}

fn heading(events: &mut Events<'_>) -> Result<String, PageError> {
    Ok(crate::text(&spans(events)?))
}

fn insertion(html: &str, inserted: Inserted<'_>) -> Result<Vec<Block>, PageError> {
    let name = html.trim().strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->"));
    let name = name.ok_or_else(|| PageError::Unknown(html.to_owned()))?;
    // For whoever runs the page's commands.
    if ["not run: ", "test: "].iter().any(|word| name.starts_with(word)) {
        return Ok(Vec::new());
    }
    inserted(name).ok_or_else(|| PageError::Insertion(name.to_owned()))
}

fn is_inline(event: &Event<'_>) -> bool {
    matches!(
        event,
        Event::Text(_)
            | Event::Code(_)
            | Event::SoftBreak
            | Event::Start(Tag::Strong | Tag::Emphasis)
    )
}

/// The text up to what is none. Pieces of one kind are one span.
fn spans(events: &mut Events<'_>) -> Result<Vec<Span>, PageError> {
    let mut found: Vec<Span> = Vec::new();
    let mut style: fn(String) -> Span = Span::Plain;
    while let Some(event) = events.peek() {
        let span = match event {
            Event::Text(text) => style(text.to_string()),
            Event::Code(text) => Span::Literal(text.to_string()),
            Event::SoftBreak => style("\n".to_owned()),
            Event::Start(Tag::Strong) => {
                style = Span::Literal;
                events.next();
                continue;
            }
            Event::Start(Tag::Emphasis) => {
                style = Span::Stand;
                events.next();
                continue;
            }
            Event::End(TagEnd::Strong | TagEnd::Emphasis) => {
                style = Span::Plain;
                events.next();
                continue;
            }
            Event::End(_) | Event::Start(_) => break,
            other => return Err(PageError::Unknown(format!("{other:?}"))),
        };
        events.next();
        push(&mut found, span);
    }
    Ok(found)
}

fn push(spans: &mut Vec<Span>, span: Span) {
    match (spans.last_mut(), span) {
        (Some(Span::Plain(before)), Span::Plain(more))
        | (Some(Span::Literal(before)), Span::Literal(more))
        | (Some(Span::Stand(before)), Span::Stand(more)) => before.push_str(&more),
        (_, span) => spans.push(span),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(text: &str) -> Result<Vec<Block>, PageError> {
        let known = |name: &str| (name == "known").then(|| vec![Block::Section("IN".to_owned())]);
        read(&format!("# x(1) 2026-12-01\n{text}"), &known).map(|page| page.blocks)
    }

    #[test]
    fn the_first_line_names_the_page() {
        let page = read("# mfa.toml(5) 2026-12-01\n", &|_| None).unwrap();
        assert_eq!((page.name.as_str(), page.section.as_str()), ("mfa.toml", "5"));
        assert_eq!(page.date, "2026-12-01");
        assert_eq!(read("## NAME\n", &|_| None), Err(PageError::Title));
    }

    #[test]
    fn a_definition_has_a_term_and_paragraphs() {
        let plain = |text: &str| Block::Paragraph(vec![Span::Plain(text.to_owned())]);
        assert_eq!(
            page(
                "## OPTIONS\n\n**retry=**_N_\n\n:   one\n    more\n\n    two\n\n**quiet**\n: few\n"
            ),
            Ok(vec![
                Block::Section("OPTIONS".to_owned()),
                Block::Definitions(vec![
                    Definition {
                        term: vec![Span::Literal("retry=".to_owned()), Span::Stand("N".to_owned())],
                        body: vec![plain("one\nmore"), plain("two")],
                    },
                    Definition {
                        term: vec![Span::Literal("quiet".to_owned())],
                        body: vec![plain("few")],
                    },
                ]),
            ])
        );
    }

    #[test]
    fn what_a_page_cannot_show_is_an_error() {
        assert!(page("text\n\n- a\n- b\n\n```\nx\n```\n").is_ok());
        for bad in ["#### deep", "1. one", "![x](y)", "a  \nb", "***\n", "> quoted"] {
            assert!(matches!(page(bad), Err(PageError::Unknown(_))), "{bad}");
        }
    }

    #[test]
    fn an_insertion_must_be_known() {
        assert_eq!(page("<!-- known -->\n"), Ok(vec![Block::Section("IN".to_owned())]));
        assert_eq!(page("<!-- other -->\n"), Err(PageError::Insertion("other".to_owned())));
    }

    #[test]
    fn what_is_for_the_tests_of_commands_is_not_shown() {
        assert_eq!(page("<!-- not run: why -->\n```sh\nx\n```\n"), page("```sh\nx\n```\n"));
        assert_eq!(page("<!-- test: somebody_logs_in -->\n"), Ok(Vec::new()));
    }
}
