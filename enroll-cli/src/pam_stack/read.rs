// SPDX-License-Identifier: GPL-3.0-or-later
//! Reads the lines of one group of a service with everything that it includes, where libpam would look
//! for them (`_pam_init_handlers`).

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::control::Control;
use super::text::{self, logical_lines, words};

/// Files within files; libpam goes no deeper.
const DEPTH_MAX: usize = 16;

/// The service whose lines serve where one has none of its own.
const OTHER: &str = "other";

/// Where libpam looks for a service, in its order: the first file of the name counts.
const DIRECTORIES: [&str; 3] = ["/etc/pam.d", "/usr/lib/pam.d", "/usr/share/pam.d"];

/// The one file of all services, where there is none of the directories.
const SINGLE_FILE: &str = "/etc/pam.conf";

/// Where the services of a machine are.
#[derive(Clone, Debug)]
pub(crate) struct Services {
    /// What stands before an absolute path: empty, but for the tests.
    root: PathBuf,
    directories: Vec<PathBuf>,
    /// Only used where no directory is there.
    single_file: Option<PathBuf>,
}

impl Services {
    /// Those of the machine whose files stand below `root`.
    pub(crate) fn below(root: &Path) -> Self {
        let at = |path: &str| root.join(path.trim_start_matches('/'));
        Self {
            root: root.to_owned(),
            directories: DIRECTORIES.iter().map(|directory| at(directory)).collect(),
            single_file: Some(at(SINGLE_FILE)),
        }
    }

    /// Those of one directory alone, as pam_start_confdir(3) takes them.
    pub(crate) fn of_directory(directory: &Path) -> Self {
        Self {
            root: PathBuf::from("/"),
            directories: vec![directory.to_owned()],
            single_file: None,
        }
    }

    /// The files of all services, each once, as libpam would find them. No program logs in over a name that
    /// begins with a dot: such a file is one that somebody was writing.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for directory in &self.directories {
            let entries = fs::read_dir(directory).into_iter().flatten().flatten();
            names.extend(
                entries
                    .filter(|entry| entry.path().is_file())
                    .filter_map(|entry| entry.file_name().into_string().ok())
                    .filter(|name| !name.starts_with('.')),
            );
        }
        if let Some((_, text)) = self.single() {
            names.extend(
                logical_lines(&text).into_iter().filter_map(|(_, line)| words(&line).next()),
            );
        }
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Every file that libpam reads for a service, also those that have no line for it now: who writes
    /// one adds it.
    pub(crate) fn files_of(&self, service: &str) -> BTreeSet<PathBuf> {
        let mut files = BTreeSet::new();
        for group in [Group::Auth, Group::Account, Group::Password] {
            // What was read before an error counts all the same.
            let _ = read_noting(self, service, group, &mut files);
        }
        files
    }

    /// Where a file of this name is, or would be.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        if name.starts_with('/') {
            return self.root.join(name.trim_start_matches('/'));
        }
        let mut candidates = self.directories.iter().map(|directory| directory.join(name));
        let first = candidates.next().unwrap_or_default();
        if first.exists() { first } else { candidates.find(|path| path.exists()).unwrap_or(first) }
    }

    /// The one file of all services and its text, where it counts.
    fn single(&self) -> Option<(&Path, String)> {
        if self.directories.iter().any(|directory| directory.is_dir()) {
            return None;
        }
        let path = self.single_file.as_deref()?;
        let bytes = fs::read(path).ok()?;
        Some((path, String::from_utf8_lossy(&bytes).into_owned()))
    }
}

/// What a line is for (pam.d(5)); `session` does not matter here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Group {
    Auth,
    Account,
    Password,
}

impl Group {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Account => "account",
            Self::Password => "password",
        }
    }

    fn of(word: &str) -> Kind {
        match word.to_ascii_lowercase().as_str() {
            "auth" => Kind::Of(Self::Auth),
            "account" => Kind::Of(Self::Account),
            "password" => Kind::Of(Self::Password),
            "session" => Kind::Session,
            _ => Kind::Illegal,
        }
    }
}

/// What the first word of a line says.
enum Kind {
    Of(Group),
    Session,
    Illegal,
}

/// A line that names a module.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Line {
    pub(crate) file: PathBuf,
    /// From 1; that of its first line, where it is continued.
    pub(crate) number: usize,
    pub(crate) control: Control,
    pub(crate) module: String,
    pub(crate) arguments: Vec<String>,
    /// As it stands there, its spaces made one.
    pub(crate) text: String,
    /// The lines that brought it in, the outermost first.
    pub(crate) via: Vec<Inclusion>,
}

/// A line that brings in another file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Inclusion {
    pub(crate) file: PathBuf,
    pub(crate) number: usize,
    pub(crate) text: String,
}

/// A part of a stack.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Entry {
    Line(Line),
    /// What ends or jumps inside ends or jumps only there.
    Substack(Vec<Entry>),
}

/// Why a stack cannot be read. PAM then denies.
#[derive(Debug)]
pub(crate) enum StackError {
    Io(PathBuf, io::Error),
    /// A line that is none: file, number.
    Line(PathBuf, usize),
    /// Files include each other.
    Depth(PathBuf),
}

impl fmt::Display for StackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Line(path, number) => {
                write!(f, "{} line {number} is not a PAM line", path.display())
            }
            Self::Depth(path) => write!(f, "{}: includes nest too deeply", path.display()),
        }
    }
}

impl Line {
    /// Whether it loads the module of this file name.
    pub(crate) fn is(&self, module: &str) -> bool {
        Path::new(&self.module).file_name().is_some_and(|name| name == module)
    }

    /// Whether this option without a value is among its arguments.
    pub(crate) fn has(&self, option: &str) -> bool {
        self.arguments.iter().any(|argument| argument == option)
    }

    /// Where it stands.
    pub(crate) fn place(&self) -> String {
        format!("{} line {}", self.file.display(), self.number)
    }
}

/// The stack of one group of the file `service` in `directory`.
pub(crate) fn read(
    directory: &Path,
    service: &str,
    group: Group,
) -> Result<Vec<Entry>, StackError> {
    read_from(&Services::of_directory(directory), service, group)
}

/// The stack of one group of a service. Where it has no line of that group, libpam takes those of
/// `other`.
pub(crate) fn read_from(
    services: &Services,
    service: &str,
    group: Group,
) -> Result<Vec<Entry>, StackError> {
    read_noting(services, service, group, &mut BTreeSet::new())
}

/// The same, and the files that it took.
fn read_noting(
    services: &Services,
    service: &str,
    group: Group,
    files: &mut BTreeSet<PathBuf>,
) -> Result<Vec<Entry>, StackError> {
    let own = read_service(services, service, group, files)?;
    if !own.is_empty() || service.eq_ignore_ascii_case(OTHER) {
        return Ok(own);
    }
    match read_service(services, OTHER, group, files) {
        Err(StackError::Io(..)) => Ok(own),
        others => others,
    }
}

fn read_service(
    services: &Services,
    service: &str,
    group: Group,
    files: &mut BTreeSet<PathBuf>,
) -> Result<Vec<Entry>, StackError> {
    let mut reader = Reader { services, group, via: Vec::new(), files };
    let mut entries = Vec::new();
    match services.single() {
        None => reader.read_file(service, false, &mut entries)?,
        Some((path, text)) => {
            reader.files.insert(path.to_owned());
            for (number, line) in logical_lines(&text) {
                let mut words = words(&line);
                if words.next().is_some_and(|name| name.eq_ignore_ascii_case(service)) {
                    reader.take(path, number, &line, words, false, &mut entries)?;
                }
            }
        }
    }
    Ok(entries)
}

struct Reader<'a> {
    services: &'a Services,
    group: Group,
    /// How it came to the file that it reads.
    via: Vec<Inclusion>,
    /// Those that it has read.
    files: &'a mut BTreeSet<PathBuf>,
}

impl Reader<'_> {
    /// `asked` where a line of this very group includes the file, and not the service or an `@include`.
    fn read_file(
        &mut self,
        name: &str,
        asked: bool,
        entries: &mut Vec<Entry>,
    ) -> Result<(), StackError> {
        let path = self.services.path(name);
        if self.via.len() >= DEPTH_MAX {
            return Err(StackError::Depth(path));
        }
        let bytes = fs::read(&path).map_err(|error| StackError::Io(path.clone(), error))?;
        self.files.insert(path.clone());
        let text = String::from_utf8_lossy(&bytes);
        for (number, line) in logical_lines(&text) {
            self.take(&path, number, &line, words(&line), asked, entries)?;
        }
        Ok(())
    }

    fn take(
        &mut self,
        path: &Path,
        number: usize,
        line: &str,
        mut words: text::Words<'_>,
        asked: bool,
        entries: &mut Vec<Entry>,
    ) -> Result<(), StackError> {
        let bad = || StackError::Line(path.to_owned(), number);
        let inclusion = || Inclusion {
            file: path.to_owned(),
            number,
            text: line.split_whitespace().collect::<Vec<_>>().join(" "),
        };
        let Some(kind) = words.next() else { return Ok(()) };
        if kind.eq_ignore_ascii_case("@include") {
            let file = words.next().ok_or_else(bad)?;
            return self.within(inclusion(), |reader| reader.read_file(&file, asked, entries));
        }
        match Group::of(kind.strip_prefix('-').unwrap_or(&kind)) {
            Kind::Of(group) if group == self.group => {}
            Kind::Of(_) | Kind::Session => return Ok(()),
            // libpam makes a line of it that denies: of the group that it was asked for, else of `auth`.
            Kind::Illegal if asked || self.group == Group::Auth => return Err(bad()),
            Kind::Illegal => return Ok(()),
        }
        let control = words.next().ok_or_else(bad)?;
        let module = words.next().ok_or_else(bad)?;
        match control.to_ascii_lowercase().as_str() {
            "include" => {
                self.within(inclusion(), |reader| reader.read_file(&module, true, entries))?;
            }
            "substack" => {
                let mut inner = Vec::new();
                self.within(inclusion(), |reader| reader.read_file(&module, true, &mut inner))?;
                entries.push(Entry::Substack(inner));
            }
            _ => entries.push(Entry::Line(Line {
                file: path.to_owned(),
                number,
                control: Control::parse(&control).ok_or_else(bad)?,
                module,
                arguments: words.collect(),
                text: inclusion().text,
                via: self.via.clone(),
            })),
        }
        Ok(())
    }

    fn within<T>(&mut self, inclusion: Inclusion, read: impl FnOnce(&mut Self) -> T) -> T {
        self.via.push(inclusion);
        let result = read(self);
        self.via.pop();
        result
    }
}
