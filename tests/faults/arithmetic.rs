// SPDX-License-Identifier: GPL-3.0-or-later
//! What the time of a comparison tells about a code.

use std::time::Instant;

use mfa_crypto::Code;
use mfa_tests::welch::{Sample, t};

use crate::side_channels::{T, mixed};

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
