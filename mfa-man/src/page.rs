// SPDX-License-Identifier: GPL-3.0-or-later
//! A manual page between what it is read from and what it is written as.

use std::fmt;

/// A page.
#[derive(Debug, PartialEq, Eq)]
pub struct Page {
    /// Such as `mfa.toml`.
    pub name: String,
    /// Such as `5`.
    pub section: String,
    /// When its text was last changed, as YYYY-MM-DD.
    pub date: String,
    /// What follows.
    pub blocks: Vec<Block>,
}

/// A part of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// A section's heading.
    Section(String),
    /// One below it.
    Subsection(String),
    /// Text.
    Paragraph(Vec<Span>),
    /// Lines as they are typed.
    Example(String),
    /// Terms and what they mean.
    Definitions(Vec<Definition>),
    /// A list with bullets.
    List(Vec<Vec<Block>>),
}

/// A term, such as an option, and what it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// The term.
    pub term: Vec<Span>,
    /// What it means.
    pub body: Vec<Block>,
}

/// A piece of text. `man-pages(7)` says what is bold and what is italic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Span {
    /// Words.
    Plain(String),
    /// What is typed as it stands: bold.
    Literal(String),
    /// What stands for something else: italic.
    Stand(String),
}

impl Span {
    /// Its letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Plain(text) | Self::Literal(text) | Self::Stand(text) => text,
        }
    }
}

/// The letters of some spans.
#[must_use]
pub fn text(spans: &[Span]) -> String {
    spans.iter().map(Span::as_str).collect()
}

/// What keeps a text from being a page.
#[derive(Debug, PartialEq, Eq)]
pub enum PageError {
    /// It does not begin with `# NAME(SECTION) DATE`.
    Title,
    /// There is something that a page cannot show, such as a table.
    Unknown(String),
    /// `<!-- NAME -->` is not known.
    Insertion(String),
}

impl fmt::Display for PageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Title => write!(f, "the first line must be `# NAME(SECTION) YYYY-MM-DD`"),
            Self::Unknown(what) => write!(f, "a page cannot have {what}"),
            Self::Insertion(name) => write!(f, "nothing is known as <!-- {name} -->"),
        }
    }
}

impl std::error::Error for PageError {}

impl Page {
    /// All definitions, in their order, those inside others behind the one they are in.
    #[must_use]
    pub fn definitions(&self) -> Vec<&Definition> {
        let mut found = Vec::new();
        collect(&self.blocks, &mut found);
        found
    }

    /// What stands below a section's heading, up to the next.
    #[must_use]
    pub fn section(&self, heading: &str) -> &[Block] {
        let begins = |block: &Block| matches!(block, Block::Section(name) if name == heading);
        let Some(at) = self.blocks.iter().position(begins) else { return &[] };
        let rest = self.blocks.get(at + 1..).unwrap_or_default();
        let next = rest.iter().position(|block| matches!(block, Block::Section(_)));
        rest.get(..next.unwrap_or(rest.len())).unwrap_or_default()
    }
}

fn collect<'a>(blocks: &'a [Block], found: &mut Vec<&'a Definition>) {
    for block in blocks {
        match block {
            Block::Definitions(definitions) => {
                for definition in definitions {
                    found.push(definition);
                    collect(&definition.body, found);
                }
            }
            Block::List(items) => items.iter().for_each(|item| collect(item, found)),
            _ => {}
        }
    }
}
