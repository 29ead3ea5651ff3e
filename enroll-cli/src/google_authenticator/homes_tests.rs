// SPDX-License-Identifier: GPL-3.0-or-later
//! What stands in homes that belong to others.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

struct Homes {
    place: tempfile::TempDir,
    passwd: String,
}

impl Homes {
    fn new() -> Self {
        Self { place: tempfile::tempdir().unwrap(), passwd: String::new() }
    }

    /// A user with a home of his own, who has this test's uid.
    fn add(&mut self, user: &str) -> PathBuf {
        let home = self.place.path().join(user);
        fs::create_dir(&home).unwrap();
        self.add_at(user, nix::unistd::geteuid().as_raw(), &home);
        home
    }

    fn add_at(&mut self, user: &str, uid: u32, home: &Path) {
        let line = format!("{user}:x:{uid}:{uid}:A Name:{}:/bin/sh\n", home.display());
        self.passwd.push_str(&line);
    }

    fn found(&self) -> Vec<(String, String)> {
        let found = find_in(&self.passwd).into_iter().map(|found| {
            let what = match found.content {
                Ok(Content { bytes, exposed }) => {
                    format!("{} {exposed}", std::str::from_utf8(&bytes).unwrap())
                }
                Err(error) => error.to_string(),
            };
            (found.user.as_str().to_owned(), what)
        });
        found.collect()
    }
}

#[test]
fn the_files_of_all_users_are_found_in_the_order_of_their_names() {
    let mut homes = Homes::new();
    for (user, mode) in [("carol", 0o600), ("alice", 0o400), ("bob", 0o644)] {
        let file = homes.add(user).join(FILE);
        fs::write(&file, user).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    }
    homes.add("without");
    homes.add_at("homeless", 0, Path::new("/nonexistent"));
    homes.passwd.push_str("half:x:7\n\nodd/name:x:0:0::/root:/bin/sh\n");
    let expected = [("alice", "alice false"), ("bob", "bob true"), ("carol", "carol false")];
    assert_eq!(homes.found(), expected.map(|(user, what)| (user.to_owned(), what.to_owned())));
}

#[test]
fn links_pipes_and_files_of_others_are_not_read() {
    let mut homes = Homes::new();
    let foreign = homes.place.path().join("foreign");
    fs::write(&foreign, "foreign").unwrap();
    symlink(&foreign, homes.add("linker").join(FILE)).unwrap();
    nix::unistd::mkfifo(&homes.add("piper").join(FILE), Mode::S_IRWXU).unwrap();
    fs::create_dir(homes.add("nester").join(FILE)).unwrap();
    let owned = homes.add("owner");
    fs::write(owned.join(FILE), "own").unwrap();
    let other = nix::unistd::geteuid().as_raw() + 1;
    homes.add_at("thief", other, &owned);

    let found = homes.found();
    let said = |user: &str| &found.iter().find(|(name, _)| name == user).unwrap().1;
    for user in ["linker", "piper", "nester"] {
        assert!(said(user).contains("expected a regular file"), "{user}: {}", said(user));
    }
    assert!(
        said("thief").contains(&format!("expected a file of uid {other}")),
        "{}",
        said("thief")
    );
    assert!(said("owner").starts_with("own "));
}

#[test]
fn no_more_is_read_than_the_parser_takes() {
    let mut homes = Homes::new();
    fs::write(homes.add("alice").join(FILE), vec![b'x'; 1 << 20]).unwrap();
    let found = find_in(&homes.passwd);
    let content = found[0].content.as_ref().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(content.bytes.len() as u64, FILE_MAX + 1);
}
