// SPDX-License-Identifier: GPL-3.0-or-later
//! The log where nothing takes it: people log in all the same.

mod trial;

use std::io::Read;

use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::signal::Signal;
use trial::{Trial, code};

#[test]
fn a_log_that_nobody_reads_any_more_holds_up_no_login_and_says_later_what_is_missing() {
    let mut trial = Trial::start();
    trial.add("alice");
    trial.end(Signal::SIGTERM);
    let (mut reader, writer) = std::io::pipe().unwrap();
    fcntl(&writer, FcntlArg::F_SETPIPE_SZ(16_384)).unwrap();
    trial.run_logging_to(writer);
    // A line for each of these: far more than that takes.
    for n in 0..200 {
        assert_eq!(trial.verify(&format!("nobody{n}"), "000000")["type"], "wrong", "{n}");
    }
    assert_eq!(trial.verify("alice", &code(0))["type"], "accepted");
    let mut taken = vec![0; 65_536];
    let length = reader.read(&mut taken).unwrap();
    assert!((8_192..=16_384).contains(&length), "{length}");
    assert_eq!(trial.verify("alice", &code(1))["type"], "accepted");
    trial.end(Signal::SIGTERM);
    let mut rest = String::new();
    reader.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("lines of this log were lost"), "{rest}");
    assert!(rest.contains("alice"), "{rest}");
}
