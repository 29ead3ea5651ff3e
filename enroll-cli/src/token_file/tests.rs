// SPDX-License-Identifier: GPL-3.0-or-later
//! Token files that are made, taken back, refused and counted on.

use super::*;

const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

fn token(tail: &str) -> OtpUri {
    let kind = if tail.contains("counter") { "hotp" } else { "totp" };
    OtpUri::parse(&format!("otpauth://{kind}/h:alice?secret={SECRET}&issuer=h{tail}")).unwrap()
}

/// A directory and a file in it that is not there yet.
fn place() -> (tempfile::TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("token");
    (home, path)
}

fn names(home: &tempfile::TempDir) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(home.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

#[test]
fn a_kept_file_reads_back_and_only_its_owner_can_read_it() {
    let (home, path) = place();
    let file = NewTokenFile::write(&path, &token(""), Overwrite::No).unwrap();
    assert_eq!(mode(&path), 0o600);
    file.keep().unwrap();
    assert_eq!(names(&home), ["token"]);
    assert_eq!(read(&path).unwrap().account, "alice");
    assert!(fs::read_to_string(&path).unwrap().ends_with('\n'));
}

#[test]
fn a_file_is_replaced_only_by_one_that_is_kept() {
    let (home, path) = place();
    drop(NewTokenFile::write(&path, &token(""), Overwrite::No).unwrap());
    assert_eq!(names(&home), [""; 0]);

    fs::write(&path, "before").unwrap();
    let file = NewTokenFile::write(&path, &token(""), Overwrite::Yes).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "before");
    let beside = names(&home).into_iter().find(|name| name != "token").unwrap();
    assert_eq!(mode(&home.path().join(&beside)), 0o600);
    assert_eq!(read(&home.path().join(&beside)).unwrap().account, "alice");
    drop(file);
    assert_eq!(fs::read_to_string(&path).unwrap(), "before");
    assert_eq!(names(&home), ["token"]);

    NewTokenFile::write(&path, &token(""), Overwrite::Yes).unwrap().keep().unwrap();
    assert!(fs::read_to_string(&path).unwrap().starts_with("otpauth://"));
    assert_eq!(names(&home), ["token"]);
}

#[test]
fn a_secret_that_may_be_active_stays_and_is_named() {
    let (home, path) = place();
    let stays = NewTokenFile::write(&path, &token(""), Overwrite::Yes).unwrap().leave();
    assert_eq!((&stays.at, &stays.instead_of), (&path, &None));
    assert_eq!(names(&home), ["token"]);

    fs::write(&path, "before").unwrap();
    let stays = NewTokenFile::write(&path, &token(""), Overwrite::Yes).unwrap().leave();
    assert_eq!(stays.instead_of.as_ref(), Some(&path));
    assert_eq!(read(&stays.at).unwrap().account, "alice");
    assert_eq!(fs::read_to_string(&path).unwrap(), "before");

    // Something came in the way after the token became active.
    let file = NewTokenFile::write(&path, &token(""), Overwrite::Yes).unwrap();
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let Err(TokenFileError::NotReplaced { at, .. }) = file.keep() else {
        panic!("a directory was replaced")
    };
    assert_eq!(read(&at).unwrap().account, "alice");
}

#[test]
fn an_existing_file_is_not_replaced_without_being_told_to() {
    let (home, path) = place();
    assert!(NewTokenFile::check(&path, Overwrite::No).is_ok());
    fs::write(&path, "before").unwrap();
    assert!(matches!(NewTokenFile::check(&path, Overwrite::No), Err(TokenFileError::Exists(_))));
    assert!(NewTokenFile::check(&path, Overwrite::Yes).is_ok());
    let refused = NewTokenFile::write(&path, &token(""), Overwrite::No);
    assert!(matches!(refused, Err(TokenFileError::Exists(_))));
    assert_eq!(fs::read_to_string(&path).unwrap(), "before");
    assert_eq!(names(&home), ["token"]);
    // A link is neither followed nor replaced.
    let link = home.path().join("link");
    std::os::unix::fs::symlink("/nonexistent/x", &link).unwrap();
    assert!(matches!(NewTokenFile::check(&link, Overwrite::No), Err(TokenFileError::Exists(_))));
    assert!(matches!(NewTokenFile::check(&link, Overwrite::Yes), Err(TokenFileError::NotAFile(_))));
    let nowhere = home.path().join("no/such/directory");
    assert!(matches!(NewTokenFile::check(&nowhere, Overwrite::No), Err(TokenFileError::Io { .. })));
}

#[test]
fn a_file_that_others_can_use_is_refused() {
    let (_home, path) = place();
    NewTokenFile::write(&path, &token(""), Overwrite::No).unwrap().keep().unwrap();
    for wide in [0o640, 0o604, 0o620, 0o602, 0o610] {
        fs::set_permissions(&path, Permissions::from_mode(wide)).unwrap();
        let refused = read(&path).err();
        assert!(
            matches!(refused, Some(TokenFileError::Exposed { mode, .. }) if mode == wide),
            "{wide:o}"
        );
    }
    for narrow in [0o600, 0o400] {
        fs::set_permissions(&path, Permissions::from_mode(narrow)).unwrap();
        assert!(read(&path).is_ok(), "{narrow:o}");
    }
}

#[test]
fn what_is_no_token_file_is_told_apart() {
    let (home, path) = place();
    let write = |text: &[u8]| {
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        read(&path).err()
    };
    let good = token("").render();
    assert!(write(good.as_bytes()).is_none());
    assert!(write(format!("{}\r\n", good.as_str()).as_bytes()).is_none());
    let two = format!("{0}\n{0}\n", good.as_str());
    assert!(matches!(write(two.as_bytes()), Some(TokenFileError::NotOneLine(_))));
    assert!(matches!(write(&[b'x'; 5000]), Some(TokenFileError::NotOneLine(_))));
    assert!(matches!(write(b""), Some(TokenFileError::Content { .. })));
    assert!(matches!(write(b"12345"), Some(TokenFileError::Content { .. })));
    assert!(matches!(write(b"\xff"), Some(TokenFileError::Io { .. })));
    assert!(matches!(read(home.path()), Err(TokenFileError::NotAFile(_))));
    let pipe = home.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRUSR).unwrap();
    assert!(matches!(read(&pipe), Err(TokenFileError::NotAFile(_))));
}

#[test]
fn a_counter_has_moved_on_the_disk_before_its_code_is_known() {
    let (home, path) = place();
    NewTokenFile::write(&path, &token("&counter=0"), Overwrite::No).unwrap().keep().unwrap();
    // RFC 4226, appendix D.
    for (counter, code) in [(1, "755224"), (2, "287082"), (3, "359152")] {
        assert_eq!(next_counter_code(&path).unwrap().as_str(), code);
        assert_eq!(read(&path).unwrap().moving, Moving::Hotp { counter });
    }
    assert_eq!(mode(&path), 0o600);
    assert_eq!(names(&home), ["token"]);
    NewTokenFile::write(&path, &token(&format!("&counter={}", u64::MAX)), Overwrite::Yes)
        .unwrap()
        .keep()
        .unwrap();
    assert!(matches!(next_counter_code(&path), Err(TokenFileError::Exhausted(_))));
}

#[test]
fn two_callers_at_once_never_get_the_same_code() {
    let (_home, path) = place();
    NewTokenFile::write(&path, &token("&counter=0"), Overwrite::No).unwrap().keep().unwrap();
    let mut codes: Vec<String> = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    (0..10)
                        .map(|_| next_counter_code(&path).unwrap().as_str().to_owned())
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect()
    });
    assert_eq!(read(&path).unwrap().moving, Moving::Hotp { counter: 80 });
    codes.sort();
    codes.dedup();
    assert_eq!(codes.len(), 80);
}
