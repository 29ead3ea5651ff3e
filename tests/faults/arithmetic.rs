// SPDX-License-Identifier: GPL-3.0-or-later
//! Secret exponents: what their form does to the time, and that no two are alike.

use std::collections::HashSet;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use getrandom::SysRng;
use mfa_crypto::{Binding, ClientExchange, Code, Group, ServerExchange};
use mfa_proto::exchange::{ExchangeAnswer, KexInit, Purpose};
use mfa_proto::{Blob, Client, Deadline, Request, UserName};
use mfa_tests::daemon::Daemon;
use mfa_tests::welch::{Sample, t};
use scripted_rng::ScriptedRng;

use crate::side_channels::{T, mixed};

#[path = "../../mfa-crypto/tests/scripted_rng/mod.rs"]
#[expect(dead_code, reason = "its other users need all of it")]
mod scripted_rng;

/// Bytes of an exponent of 2048 bits' group.
const EXPONENT: usize = 29;
/// Computations of each kind.
const EACH: usize = 2_000;

/// Almost no bit, or almost every bit, with some at other places each time.
fn exponent(dense: bool, next: &mut impl FnMut(usize) -> usize) -> Vec<u8> {
    let mut bytes = vec![0_u8; EXPONENT];
    for _ in 0..3 {
        // Below the first byte, whose upper bits are left out.
        let (at, bit) = (1 + next(EXPONENT - 1), next(8));
        if let Some(byte) = bytes.get_mut(at) {
            *byte |= 1 << bit;
        }
    }
    if dense { bytes.iter().map(|byte| !byte).collect() } else { bytes }
}

#[test]
fn an_exchange_takes_the_same_time_with_exponents_of_few_bits_and_of_many() {
    let group = Group::named("ffdhe2048").expect("a group");
    let (_, hello) = ClientExchange::start(&group, &mut SysRng).expect("a client");
    let binding = Binding { purpose: "enroll", user: "alice", uid: 1000 };
    let mut next = mixed(5);
    let (mut times, mut left) = ([Vec::new(), Vec::new()], [EACH; 2]);
    while left.iter().sum::<usize>() > 0 {
        let kind = next(2);
        if left[kind] == 0 {
            continue;
        }
        left[kind] -= 1;
        let mut rng = ScriptedRng::new(&[&exponent(kind == 1, &mut next), &[7; 32]]);
        let started = Instant::now();
        let answered =
            ServerExchange::respond(&group, &binding, &hello.public, &hello.nonce, b"s", &mut rng);
        times[kind].push(started.elapsed());
        assert!(answered.is_ok());
    }
    let [few, many] = times.map(Sample::of);
    println!("few bits: {few}; many: {many}; t = {:.2}", t(&few, &many));
    assert!(t(&few, &many).abs() < T);
}

#[test]
fn codes_are_compared_in_the_same_time_wherever_they_differ() {
    let code = |text| Code::parse(text).expect("a code");
    let right = code("123456");
    let wrong = ["023456", "123450"].map(code);
    let mut next = mixed(9);
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..20_000 {
        let kind = next(2);
        let other = std::hint::black_box(&wrong[kind]);
        let started = Instant::now();
        let equal =
            (0..1_000).filter(|_| bool::from(right.ct_eq(std::hint::black_box(other)))).count();
        times[kind].push(started.elapsed());
        assert_eq!(equal, 0);
    }
    assert!(bool::from(right.ct_eq(&code("123456"))));
    let [first, last] = times.map(Sample::of);
    println!("first digit: {first}; last digit: {last}; t = {:.2}", t(&first, &last));
    assert!(t(&first, &last).abs() < T);
}

#[test]
fn a_thousand_exchanges_have_values_of_their_own_on_both_sides_and_in_a_forked_process() {
    let daemon = Daemon::start_with("[exchange]\ngroup = \"ffdhe2048\"\n");
    let group = Group::named("ffdhe2048").expect("a group");
    let deadline = Deadline::after(Duration::from_secs(300));
    let mut seen = HashSet::new();
    let mut fresh = |value: &[u8]| assert!(seen.insert(value.to_vec()), "a value came twice");
    for _ in 0..1_000 {
        let (_, hello) = ClientExchange::start(&group, &mut SysRng).expect("a client");
        let init = KexInit {
            purpose: Purpose::Enroll,
            user: UserName::new("alice").expect("a name"),
            group: Blob::new(group.fingerprint()),
            client_public: Blob::new(hello.public.clone()),
            client_nonce: Blob::new(hello.nonce),
        };
        let mut client = Client::connect(&daemon.socket(), deadline).expect("a daemon");
        let answer = client.call(Request::KexInit(init), deadline).expect("an answer");
        let ExchangeAnswer::KexReply(reply) = answer else { panic!("{answer:?}") };
        for value in [&hello.public[..], &hello.nonce, reply.server_public.as_bytes()] {
            fresh(value);
        }
        for value in [&reply.server_nonce, &reply.session, &reply.server_confirm] {
            fresh(value.as_bytes());
        }
    }
    for _ in 0..20 {
        let [own, forked] = on_both_sides_of_a_fork(&group);
        fresh(&own);
        fresh(&forked);
    }
}

/// What a process and its child draw next, from the state that they share.
fn on_both_sides_of_a_fork(group: &Group) -> [Vec<u8>; 2] {
    let draw = || ClientExchange::start(group, &mut SysRng).map(|(_, hello)| hello.public);
    let (reader, writer): (OwnedFd, OwnedFd) = nix::unistd::pipe().expect("a pipe");
    // SAFETY: the child computes, writes and ends; glibc leaves its allocator usable after a fork.
    let child = match unsafe { nix::unistd::fork() }.expect("fork") {
        nix::unistd::ForkResult::Child => {
            let written = draw().is_ok_and(|public| File::from(writer).write_all(&public).is_ok());
            // SAFETY: ends this process and nothing else of it.
            unsafe { libc::_exit(i32::from(!written)) }
        }
        nix::unistd::ForkResult::Parent { child } => child,
    };
    drop(writer);
    let own = draw().expect("a value");
    let mut forked = Vec::new();
    File::from(reader).read_to_end(&mut forked).expect("its value");
    // SAFETY: waits for the child that was made above.
    unsafe { libc::waitpid(child.as_raw(), std::ptr::null_mut(), 0) };
    assert_eq!(forked.len(), own.len());
    [own, forked]
}
