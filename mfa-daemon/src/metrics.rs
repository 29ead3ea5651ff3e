// SPDX-License-Identifier: GPL-3.0-or-later
//! What the daemon counts of itself, in the OpenMetrics format. No user's name is in it, and nothing
//! that an event does not say.

pub mod census;
pub mod serve;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mfa_proto::audit::{Act, ActResult, AuditEvent};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use self::census::Census;

/// Services that have a label of their own: each is a line for every result, for good.
const SERVICES_MAX: usize = 64;
/// Those of them that processes without privileges may bring up. Each user may ask for himself and
/// names a service as he likes, so without this anybody could take all labels.
const UNPRIVILEGED_SERVICES_MAX: usize = 16;
/// The label of every other service, and of a decision without one.
const OTHER: &str = "other";

/// Seconds from a cached row to a module's default timeout.
const SECONDS: [f64; 12] =
    [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
/// Changes, up to the most that share a commit.
const CHANGES: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// Everything that is counted. Counting costs a login well below a microsecond, so it is never off.
pub struct Metrics {
    decisions: Family<Decision, Counter>,
    services: Mutex<Services>,
    decision_seconds: Histogram,
    queue: Gauge,
    commit_changes: Histogram,
    last_success: AtomicU64,
    /// How many users there are, by the last count.
    pub census: Census,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Decision {
    result: &'static str,
    service: String,
}

#[derive(Default)]
struct Services {
    known: BTreeSet<String>,
    from_unprivileged: usize,
}

/// A change that waits for the writer, for as long as this is kept.
pub struct Waiting(Gauge);

impl Default for Metrics {
    fn default() -> Self {
        Self {
            decisions: Family::default(),
            services: Mutex::default(),
            decision_seconds: Histogram::new(SECONDS),
            queue: Gauge::default(),
            commit_changes: Histogram::new(CHANGES),
            last_success: AtomicU64::new(0),
            census: Census::default(),
        }
    }
}

impl Metrics {
    /// Counts an event, if it is a decision about a login.
    pub fn decided(&self, event: &AuditEvent) {
        if event.act != Act::Login {
            return;
        }
        let service = self.label(event.service.as_deref(), event.peer_uid == 0);
        self.decisions.get_or_create(&Decision { result: event.result.as_str(), service }).inc();
        self.recall(event);
    }

    /// An event of an earlier run.
    pub fn recall(&self, event: &AuditEvent) {
        if event.act == Act::Login && event.result == ActResult::Accepted {
            self.last_success.fetch_max(event.time, Ordering::Relaxed);
        }
    }

    /// How long a code waited for its answer.
    pub fn answered(&self, after: Duration) {
        self.decision_seconds.observe(after.as_secs_f64());
    }

    /// A change comes to the writer.
    #[must_use]
    pub fn waits(&self) -> Waiting {
        self.queue.inc();
        Waiting(self.queue.clone())
    }

    /// So many changes shared a commit.
    pub fn committed(&self, changes: usize) {
        self.commit_changes.observe(f64::from(u32::try_from(changes).unwrap_or(u32::MAX)));
    }

    fn label(&self, service: Option<&str>, privileged: bool) -> String {
        let Some(service) = service else { return OTHER.to_owned() };
        let mut services = self.services.lock().unwrap_or_else(PoisonError::into_inner);
        if !services.known.contains(service) {
            let room = privileged || services.from_unprivileged < UNPRIVILEGED_SERVICES_MAX;
            if services.known.len() >= SERVICES_MAX || !room {
                return OTHER.to_owned();
            }
            services.from_unprivileged += usize::from(!privileged);
            services.known.insert(service.to_owned());
        }
        service.to_owned()
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// All of it, as text.
///
/// # Errors
/// Only where formatting fails, which memory does not.
pub fn expose(metrics: &Arc<Metrics>) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register(
        "mfa_decisions",
        "Decisions about logins, by result and PAM service",
        metrics.decisions.clone(),
    );
    registry.register(
        "mfa_decision_seconds",
        "Seconds from the arrival of a code to its answer",
        metrics.decision_seconds.clone(),
    );
    registry.register(
        "mfa_store_queue",
        "Changes that wait for the store's writer",
        metrics.queue.clone(),
    );
    registry.register(
        "mfa_store_commit_changes",
        "Changes that shared a commit of the store",
        metrics.commit_changes.clone(),
    );
    registry.register(
        "mfa_build",
        "The running version",
        Info::new([("version", env!("CARGO_PKG_VERSION"))]),
    );
    registry.register_collector(Box::new(Known(Arc::clone(metrics))));
    let mut text = String::with_capacity(8 * 1024);
    text::encode(&mut text, &registry)?;
    Ok(text)
}

/// What is told only once it is known: a zero would look like a loss of all users.
struct Known(Arc<Metrics>);

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Known")
    }
}

impl Collector for Known {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let mut gauge = |name: &str, help: &str, value: u64| {
            let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)
        };
        if let Some(counted) = self.0.census.last() {
            gauge(
                "mfa_users",
                "Users with a token, counted at most once a minute.",
                counted.users,
            )?;
            gauge(
                "mfa_users_locked",
                "Those of them whose codes are not looked at now, after wrong ones.",
                counted.locked,
            )?;
        }
        match self.0.last_success.load(Ordering::Relaxed) {
            0 => Ok(()),
            at => gauge(
                "mfa_last_success_timestamp_seconds",
                "When a code was last accepted, in Unix seconds.",
                at,
            ),
        }
    }
}

#[cfg(test)]
mod tests;
