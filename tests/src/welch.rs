// SPDX-License-Identifier: GPL-3.0-or-later
//! Welch's test: whether two samples of times have different means, as it is used to find leaks of time
//! (Reparaz, Balasch, Verbauwhede: Dude, is my code constant time?, 2016).

use std::fmt;
use std::time::Duration;

/// Times of one kind, in microseconds, without the slowest hundredth: those that the kernel interrupted.
pub struct Sample(Vec<f64>);

impl Sample {
    /// Of these.
    #[must_use]
    pub fn of(times: impl IntoIterator<Item = Duration>) -> Self {
        let mut times: Vec<_> = times.into_iter().map(|time| time.as_secs_f64() * 1e6).collect();
        times.sort_by(f64::total_cmp);
        times.truncate(times.len() - times.len() / 100);
        assert!(times.len() > 100, "only {} times", times.len());
        Self(times)
    }

    fn count(&self) -> f64 {
        self.0.len() as f64
    }

    /// Their mean.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.0.iter().sum::<f64>() / self.count()
    }

    fn variance(&self) -> f64 {
        let mean = self.mean();
        self.0.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (self.count() - 1.0)
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let deviation = self.variance().sqrt();
        write!(f, "{} times, mean {:.2} µs, deviation {deviation:.2} µs", self.0.len(), self.mean())
    }
}

/// Welch's t. Beyond 4.5 either way the means differ.
#[must_use]
pub fn t(one: &Sample, other: &Sample) -> f64 {
    let spread = one.variance() / one.count() + other.variance() / other.count();
    (one.mean() - other.mean()) / spread.sqrt()
}
