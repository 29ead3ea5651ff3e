// SPDX-License-Identifier: GPL-3.0-or-later
//! Whether sshd would ask: `sshd -T` says what holds, the files say in which line.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use wildmatch::WildMatch;

use crate::messages;

const SSHD: &str = "/usr/sbin/sshd";
const CONFIGURATION: &str = "/etc/ssh/sshd_config";

/// What sshd is set to.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Sshd {
    Asks,
    /// A key alone is enough, and then nothing is asked.
    AsksButForKeys,
    /// It would not ask, or deny; for each reason a sentence.
    Unfit(Vec<String>),
    Unknown(String),
}

pub(super) fn look() -> Sshd {
    let ran = Command::new(SSHD).arg("-T").stdin(Stdio::null()).output();
    match ran {
        Ok(output) if output.status.success() => {
            let settings = String::from_utf8_lossy(&output.stdout).into_owned();
            of(&settings, |keyword| line_of(keyword, Path::new(CONFIGURATION), 0))
        }
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            Sshd::Unknown(said.lines().next().unwrap_or_default().to_owned())
        }
        Err(error) => Sshd::Unknown(format!("{SSHD}: {error}")),
    }
}

fn of(settings: &str, line_of: impl Fn(&str) -> Option<String>) -> Sshd {
    let is_off =
        |keyword: &&str| settings.lines().any(|line| line.trim_end() == format!("{keyword} no"));
    let mut reasons: Vec<String> = ["usepam", "kbdinteractiveauthentication"]
        .into_iter()
        .filter(is_off)
        .map(|keyword| messages::pam::sshd_setting(keyword, line_of(keyword).as_deref()))
        .collect();
    let methods = settings.lines().find_map(|line| line.strip_prefix("authenticationmethods "));
    let asks = |methods: &str| methods == "any" || methods.contains("keyboard-interactive");
    if let Some(methods) = methods.map(str::trim).filter(|methods| !asks(methods)) {
        let place = line_of("authenticationmethods");
        reasons.push(messages::pam::sshd_methods(methods, place.as_deref()));
    }
    let has = |setting: &str| settings.lines().any(|line| line.trim_end() == setting);
    match reasons.is_empty() {
        false => Sshd::Unfit(reasons),
        true if has("authenticationmethods any") && has("pubkeyauthentication yes") => {
            Sshd::AsksButForKeys
        }
        true => Sshd::Asks,
    }
}

/// The line that counts: the first with the keyword, in the files that are included too.
fn line_of(keyword: &str, file: &Path, depth: u8) -> Option<String> {
    let text = fs::read_to_string(file).ok().filter(|_| depth < 16)?;
    for (number, line) in (1..).zip(text.lines()) {
        let mut words =
            line.split(|c: char| c.is_whitespace() || c == '=').filter(|w| !w.is_empty());
        let Some(first) = words.next() else { continue };
        if first.eq_ignore_ascii_case(keyword) {
            return Some(format!("{} line {number}", file.display()));
        }
        if first.eq_ignore_ascii_case("include") {
            let files = words.flat_map(matching);
            if let Some(found) =
                files.into_iter().find_map(|file| line_of(keyword, &file, depth + 1))
            {
                return Some(found);
            }
        }
        if first.eq_ignore_ascii_case("match") {
            return None;
        }
    }
    None
}

/// The files of a pattern, whose last part only may hold wild cards, in the order of their names.
fn matching(pattern: &str) -> Vec<PathBuf> {
    let path = Path::new("/etc/ssh").join(pattern.trim_matches('"'));
    let (Some(directory), Some(name)) = (path.parent(), path.file_name().and_then(|n| n.to_str()))
    else {
        return Vec::new();
    };
    let wanted = WildMatch::new(name);
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries
        .filter(|entry| entry.file_name().to_str().is_some_and(|name| wanted.matches(name)))
        .map(|entry| entry.path())
        .collect();
    files.sort_unstable();
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sshd_asks_where_both_settings_are_on_and_names_the_one_that_is_not() {
        let settings = |pam: &str, keyboard: &str| {
            of(
                &format!("port 22\nusepam {pam}\nkbdinteractiveauthentication {keyboard}\n"),
                |keyword| Some(format!("line of {keyword}")),
            )
        };
        assert_eq!(settings("yes", "yes"), Sshd::Asks);
        for (keys, methods, expected) in [
            ("yes", "any", Sshd::AsksButForKeys),
            ("no", "any", Sshd::Asks),
            ("yes", "publickey,keyboard-interactive", Sshd::Asks),
        ] {
            let both = "usepam yes\nkbdinteractiveauthentication yes\n";
            let all =
                format!("{both}pubkeyauthentication {keys}\nauthenticationmethods {methods}\n");
            assert_eq!(of(&all, |_| None), expected);
        }
        let Sshd::Unfit(reasons) = settings("no", "no") else { panic!("it would ask") };
        assert!(reasons[0].contains("line of usepam"), "{reasons:?}");
        assert!(reasons[1].contains("line of kbdinteractiveauthentication"), "{reasons:?}");
        assert!(matches!(settings("yes", "no"), Sshd::Unfit(reasons) if reasons.len() == 1));
    }

    #[test]
    fn methods_without_a_dialogue_never_ask() {
        let of = |methods: &str| {
            let settings = format!(
                "usepam yes\nkbdinteractiveauthentication yes\npubkeyauthentication yes\n\
                 authenticationmethods {methods}\n"
            );
            super::of(&settings, |_| None)
        };
        assert_eq!(of("publickey,keyboard-interactive:pam"), Sshd::Asks);
        assert_eq!(of("any"), Sshd::AsksButForKeys);
        for methods in ["publickey", "publickey,password", "password"] {
            let Sshd::Unfit(reasons) = of(methods) else { panic!("{methods}") };
            assert!(reasons[0].contains(methods), "{reasons:?}");
        }
    }

    #[test]
    fn the_first_line_counts_also_in_an_included_file_and_none_below_match() {
        let home = tempfile::tempdir().unwrap();
        let path = |name: &str| home.path().join(name);
        let main = path("sshd_config");
        fs::create_dir(path("d")).unwrap();
        let include = format!(
            "# UsePAM no\nInclude {}/d/*.conf\nUsePAM=no\nMatch User x\nPort 1\n",
            home.path().display()
        );
        fs::write(&main, include).unwrap();
        let line = |keyword| line_of(keyword, &main, 0);
        assert_eq!(line("usepam").unwrap(), format!("{} line 3", main.display()));
        assert_eq!(line("port"), None);
        fs::write(path("d/b.conf"), "\nusepam yes\n").unwrap();
        fs::write(path("d/c.conf"), "usepam yes\n").unwrap();
        assert_eq!(line("usepam").unwrap(), format!("{} line 2", path("d/b.conf").display()));
    }
}
