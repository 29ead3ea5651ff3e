// SPDX-License-Identifier: GPL-3.0-or-later
//! Every option, alone, twice, with values that it does not take, and beside others.

use super::*;

fn parse(args: &[&CStr]) -> Result<Options, OptionsError> {
    Options::parse(args.iter().copied())
}

#[test]
fn no_options_are_the_documented_defaults() {
    let options = parse(&[]).unwrap();
    assert_eq!(options.socket, PathBuf::from("/run/mfa/mfa.sock"));
    assert_eq!(options.prompt(), "One-time code: ");
    assert_eq!(options.echo, Echo::Off);
    assert_eq!(options.without_token, WithoutToken::Deny);
    assert_eq!(options.timeout, Duration::from_secs(5));
    assert_eq!(options.words, Words::Normal);
    assert_eq!(options.first_pass, FirstPass::Leave);
    assert_eq!(options.retry, 1);
    assert_eq!(options.exempt_group, None);
    assert_eq!(options.unavailable, Unavailable::Deny);
    assert!(!options.debug && !options.forward_pass && !options.enroll && !options.observe);
}

#[test]
fn every_option_is_taken() {
    let all = [
        c"socket=/run/x/y=z.sock",
        c"prompt=Your_code: ",
        c"nullok",
        c"timeout=60",
        c"quiet",
        c"debug",
        c"try_first_pass",
        c"forward_pass",
        c"retry=3",
        c"exempt_group=no second factor",
        c"enroll",
        c"observe",
        c"unavailable=ignore",
    ];
    assert_eq!(
        parse(&all).unwrap(),
        Options {
            socket: PathBuf::from("/run/x/y=z.sock"),
            prompt: Some("Your code: ".to_owned()),
            echo: Echo::Off,
            without_token: WithoutToken::Ignore,
            first_pass: FirstPass::Try,
            forward_pass: true,
            retry: 3,
            exempt_group: Some("no second factor".to_owned()),
            enroll: true,
            observe: true,
            unavailable: Unavailable::Ignore,
            timeout: Duration::from_secs(60),
            words: Words::Few,
            debug: true,
        }
    );
    assert_eq!(parse(&[c"echo_code"]).unwrap().echo, Echo::On);
    assert_eq!(parse(&[c"use_first_pass"]).unwrap().first_pass, FirstPass::Use);
    assert_eq!(parse(&[c"unavailable=deny"]).unwrap(), Options::default());
    for option in all.into_iter().chain([c"echo_code", c"use_first_pass"]) {
        assert!(parse(&[option]).is_ok(), "{option:?}");
        assert!(matches!(parse(&[option, option]), Err(OptionsError::Twice(_))), "{option:?}");
    }
}

#[test]
fn the_prompt_is_the_options_or_says_what_is_asked_for() {
    assert_eq!(parse(&[c"forward_pass"]).unwrap().prompt(), "Password and one-time code: ");
    assert_eq!(parse(&[c"try_first_pass"]).unwrap().prompt(), "One-time code: ");
    assert_eq!(parse(&[c"forward_pass", c"prompt=Both: "]).unwrap().prompt(), "Both: ");
}

#[test]
fn options_that_contradict_each_other_are_an_error_in_either_order() {
    for [one, other] in [[c"try_first_pass", c"use_first_pass"], [c"echo_code", c"forward_pass"]] {
        assert!(parse(&[one]).is_ok() && parse(&[other]).is_ok());
        for both in [[one, other], [other, one]] {
            let error = parse(&both).unwrap_err().to_string();
            assert!(error.contains(one.to_str().unwrap()), "{error}");
            assert!(error.contains(other.to_str().unwrap()), "{error}");
        }
    }
    assert!(parse(&[c"use_first_pass", c"forward_pass"]).is_ok());
}

#[test]
fn what_is_not_understood_is_an_error_that_names_it() {
    assert!(parse(&[c"nullok"]).is_ok());
    for (bad, named) in [
        (c"nullokk", "nullokk"),
        (c"Nullok", "Nullok"),
        (c"", "''"),
        (c"retry", "retry"),
        (c"retry=", "1 to 3"),
        (c"retry=0", "1 to 3"),
        (c"retry=4", "1 to 3"),
        (c"retry=+1", "1 to 3"),
        (c"retry=259", "1 to 3"),
        (c"try_first_pass=1", "try_first_pass takes no value"),
        (c"unavailable", "unavailable"),
        (c"unavailable=", "'deny' or 'ignore'"),
        (c"unavailable=Ignore", "'deny' or 'ignore'"),
        (c"observe=yes", "observe takes no value"),
        (c"enroll=", "enroll takes no value"),
        (c"exempt_group", "exempt_group"),
        (c"exempt_group=", "exempt_group"),
        (c"panic", "panic"),
        (c"nullok=no", "nullok takes no value"),
        (c"quiet=", "quiet takes no value"),
        (c"socket", "socket"),
        (c"socket=", "absolute"),
        (c"socket=run/mfa.sock", "absolute"),
        (c"socket=@mfa", "absolute"),
        (c"prompt", "prompt"),
        (c"prompt=", "prompt"),
        (c"timeout", "timeout"),
        (c"timeout=", "timeout"),
        (c"timeout=0", "1 to 60"),
        (c"timeout=61", "1 to 60"),
        (c"timeout=-1", "1 to 60"),
        (c"timeout=+5", "1 to 60"),
        (c"timeout=5s", "1 to 60"),
        (c"timeout= 5", "1 to 60"),
        (c"timeout=99999999999999999999999", "1 to 60"),
        (c"prompt=\xff", "prompt=\u{fffd}"),
    ] {
        let error = parse(&[c"debug", bad]).unwrap_err().to_string();
        assert!(error.contains(named), "{bad:?}: {error}");
    }
}

#[test]
fn a_socket_path_is_taken_up_to_the_length_that_connects() {
    let path = |len: usize| format!("socket=/{}", "s".repeat(len - 1));
    let parse_text = |text: String| parse(&[&std::ffi::CString::new(text).unwrap()]);
    assert!(parse_text(path(107)).is_ok());
    assert_eq!(parse_text(path(108)), Err(OptionsError::SocketTooLong(108)));
}
