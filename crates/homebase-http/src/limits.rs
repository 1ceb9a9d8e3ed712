//! How much a client may take. Nothing here enforces anything; the server does.

use std::time::Duration;

/// Two Prometheus servers, the kubelet and a few people with a browser use ten connections; the rest is
/// room for a burst. Each costs about 20 KiB and a descriptor.
const MAX_CONNECTIONS: usize = 64;
/// The kubelet gives up after 1 s by default, Prometheus after 10 s: whoever has not sent a header by then
/// will not. It also ends connections on which nothing is asked, so that they do not use up the connections.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(10);
/// Prometheus allows 10 s for a scrape: an answer that comes later has no reader.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Ends clients that read their answer byte by byte, and those that keep a connection for ever. A scraper
/// connects again, once in five minutes.
const CONNECTION_LIFETIME: Duration = Duration::from_secs(300);
/// Half of an answer's time-out, and well within the 30 s that Kubernetes gives a pod to end.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// Headers of scrapers and probes are below 1 KiB; a proxy adds some. (hyper wants at least 8 KiB.)
pub(crate) const MAX_HEADER_BYTES: usize = 16 * 1024;
/// As above; curl sends 3, a browser behind a proxy about 20.
pub(crate) const MAX_HEADERS: usize = 64;
/// Nothing here takes a body.
pub(crate) const MAX_BODY_BYTES: u64 = 0;
/// For accept errors such as "too many open files": long enough not to spin, short enough for a probe to
/// get through when it passes.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(500);
/// A minute of accept errors in a row is not a passing shortage.
pub(crate) const MAX_ACCEPT_FAILURES: usize = 120;

/// Limits of the server. The defaults are for production; tests use smaller ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Connections at a time; more wait to be accepted. Default 64.
    pub(crate) max_connections: usize,
    /// How long a client may take to send the header of a request, counted from when the connection is
    /// ready for it. Default 10 s.
    pub(crate) header_read_timeout: Duration,
    /// How long an answer may take to be made; then it is 503. Default 10 s.
    pub(crate) answer_timeout: Duration,
    /// How long a connection may last, apart from the drain. Default 5 min.
    pub(crate) connection_lifetime: Duration,
    /// How long requests may go on after shutdown, or after the end of the connection's lifetime.
    /// Default 5 s.
    pub(crate) drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: MAX_CONNECTIONS,
            header_read_timeout: HEADER_READ_TIMEOUT,
            answer_timeout: ANSWER_TIMEOUT,
            connection_lifetime: CONNECTION_LIFETIME,
            drain_timeout: DRAIN_TIMEOUT,
        }
    }
}
