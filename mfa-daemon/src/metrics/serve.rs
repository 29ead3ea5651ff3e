// SPDX-License-Identifier: GPL-3.0-or-later
//! One page over HTTP/1.1 on a loopback address: `GET /metrics`. A connection is one request; few are
//! served at once, each has seconds, and logins wait for none.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::{error, warn};

use super::expose;
use crate::daemon::Daemon;
use crate::store::AuditQuery;

/// Connections that are served at the same time. Others wait in the listen queue.
const CONNECTIONS: usize = 4;
/// How long a connection may take, from its first byte to its last.
const WITHIN: Duration = Duration::from_secs(5);
/// How long an answer waits for a count of the users; then it has the last one.
const COUNT_WITHIN: Duration = Duration::from_secs(1);
/// Bytes of a request.
const REQUEST_MAX: usize = 8 * 1024;
/// Header fields of a request.
const HEADERS_MAX: usize = 64;
/// The pause after an `accept` that failed for want of descriptors or memory.
const BACK_OFF: Duration = Duration::from_millis(100);

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";

/// What a request is answered with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Status {
    Ok,
    BadRequest,
    NotFound,
    MethodNotAllowed,
    Unavailable,
}

/// Serves until it is dropped.
pub async fn serve(listener: TcpListener, daemon: Arc<Daemon>) {
    recall_last_success(&daemon).await;
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        // Before accept: a flood stays in the kernel's queue and costs this thread nothing.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let daemon = Arc::clone(&daemon);
                tokio::spawn(async move {
                    // Whoever is too slow or goes away has no answer; there is nothing to be said.
                    let _ = timeout(WITHIN, converse(stream, &daemon)).await;
                    drop(place);
                });
            }
            Err(error) => {
                error!(%error, "cannot accept a connection for metrics");
                tokio::time::sleep(BACK_OFF).await;
            }
        }
    }
}

/// The last success of an earlier run, as far as the stored trail goes back.
async fn recall_last_success(daemon: &Arc<Daemon>) {
    let daemon = Arc::clone(daemon);
    let recalled = tokio::task::spawn_blocking(move || {
        let mut query = AuditQuery { limit: 1_000, ..AuditQuery::default() };
        loop {
            let (events, _) = daemon.store.events(&query)?;
            let Some(last) = events.last() else { return Ok::<_, crate::store::StoreError>(()) };
            query.after = last.seq;
            events.iter().for_each(|event| daemon.metrics.recall(event));
        }
    });
    match recalled.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => warn!(%error, "when a code was last accepted is not known"),
        Err(error) => warn!(%error, "when a code was last accepted is not known"),
    }
}

async fn converse(mut stream: TcpStream, daemon: &Arc<Daemon>) -> std::io::Result<()> {
    let mut request = Vec::with_capacity(1024);
    let status = loop {
        let mut part = [0; 1024];
        let got = stream.read(&mut part).await?;
        if got == 0 {
            return Ok(());
        }
        request.extend_from_slice(part.get(..got).unwrap_or_default());
        match judge(&request) {
            Some(status) => break status,
            None if request.len() >= REQUEST_MAX => break Status::BadRequest,
            None => {}
        }
    };
    let (status, body) = match status {
        Status::Ok => match page(daemon).await {
            Ok(text) => (Status::Ok, text),
            Err(error) => {
                error!(%error, "the metrics cannot be written down");
                (Status::Unavailable, "not now\n".to_owned())
            }
        },
        other => (other, "GET /metrics is all there is\n".to_owned()),
    };
    stream.write_all(head(status, body.len()).as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}

/// What a request gets; `None` while it is not complete.
fn judge(bytes: &[u8]) -> Option<Status> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(bytes) {
        Ok(httparse::Status::Partial) => return None,
        Ok(httparse::Status::Complete(_)) => {}
        Err(_) => return Some(Status::BadRequest),
    }
    let path = request.path.unwrap_or_default();
    Some(match (path.split('?').next(), request.method) {
        (Some("/metrics"), Some("GET")) => Status::Ok,
        (Some("/metrics"), _) => Status::MethodNotAllowed,
        _ => Status::NotFound,
    })
}

fn head(status: Status, length: usize) -> String {
    let kind = if status == Status::Ok { OPEN_METRICS } else { PLAIN };
    let allow = if status == Status::MethodNotAllowed { "Allow: GET\r\n" } else { "" };
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n{allow}\
         Cache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "200 OK",
            Self::BadRequest => "400 Bad Request",
            Self::NotFound => "404 Not Found",
            Self::MethodNotAllowed => "405 Method Not Allowed",
            Self::Unavailable => "503 Service Unavailable",
        })
    }
}

async fn page(daemon: &Arc<Daemon>) -> Result<String, fmt::Error> {
    count(daemon).await;
    expose(&daemon.metrics)
}

/// Has the users counted where it is time to, and waits a moment for it.
async fn count(daemon: &Arc<Daemon>) {
    let begun = (daemon.uptime)();
    if !daemon.metrics.census.begin(begun) {
        return;
    }
    let daemon = Arc::clone(daemon);
    let counting = tokio::task::spawn_blocking(move || {
        let (now, rules) = ((daemon.clock)(), daemon.login_rules().lockout);
        let started = Instant::now();
        let counted = daemon
            .store
            .count(now, &rules, || daemon.metrics.census.goes_on())
            .inspect_err(|error| {
                warn!(%error, "the users cannot be counted");
            });
        let ended = begun.saturating_add(started.elapsed().as_secs());
        daemon.metrics.census.end(begun, ended, counted.ok());
    });
    // It goes on by itself where this is too short.
    let _ = timeout(COUNT_WITHIN, counting).await;
}

/// Whether this is an address that only this host reaches.
#[must_use]
pub fn is_loopback(address: &SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_page_is_served_and_nothing_else() {
        let cases: [(&[u8], Option<Status>); 12] = [
            (b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", Some(Status::Ok)),
            (b"GET /metrics HTTP/1.0\r\n\r\n", Some(Status::Ok)),
            (b"GET /metrics?collect[]=x HTTP/1.1\r\n\r\n", Some(Status::Ok)),
            (b"GET / HTTP/1.1\r\n\r\n", Some(Status::NotFound)),
            (b"GET /metrics/ HTTP/1.1\r\n\r\n", Some(Status::NotFound)),
            (b"GET /../metrics HTTP/1.1\r\n\r\n", Some(Status::NotFound)),
            (b"POST /metrics HTTP/1.1\r\n\r\n", Some(Status::MethodNotAllowed)),
            (b"HEAD /metrics HTTP/1.1\r\n\r\n", Some(Status::MethodNotAllowed)),
            (b"\x16\x03\x01\x02\x00\x01\x00", Some(Status::BadRequest)),
            (b"GET /metrics FTP/1.1\r\n\r\n", Some(Status::BadRequest)),
            (b"GET /metrics HTTP/1.1\r\nHost: x\r\n", None),
            (b"", None),
        ];
        for (request, expected) in cases {
            assert_eq!(judge(request), expected, "{}", request.escape_ascii());
        }
        let many = [&b"GET /metrics HTTP/1.1\r\n"[..], &b"A: b\r\n".repeat(65), b"\r\n"].concat();
        assert_eq!(judge(&many), Some(Status::BadRequest));
    }

    #[test]
    fn only_this_host_is_served() {
        for (address, loopback) in [
            ("127.0.0.1:9464", true),
            ("127.8.8.8:1", true),
            ("[::1]:9464", true),
            ("[::ffff:127.0.0.1]:9464", true),
            ("0.0.0.0:9464", false),
            ("[::]:9464", false),
            ("192.0.2.1:9464", false),
            ("[::ffff:192.0.2.1]:9464", false),
        ] {
            assert_eq!(is_loopback(&address.parse().unwrap()), loopback, "{address}");
        }
    }
}
