//! When a hub may take the Lease of its namespace, and for how long it may write after a renewal. It reads no clock and
//! compares no time of another machine with its own: what counts is how long the Lease stays as it is.

use std::time::{Duration, Instant};

#[cfg(test)]
mod tests;

/// How often a hub renews its Lease.
pub const RENEW: Duration = Duration::from_secs(5);
/// How long one renewal may take: the next one must be due before [`TERM`] ends.
pub const RENEW_DEADLINE: Duration = Duration::from_secs(4);
/// How long a hub may write after it has sent a renewal that succeeded …
pub const TERM: Duration = Duration::from_secs(14);
/// … and how long a Lease must stay unchanged before another hub takes it. The second between them bears clocks whose
/// rates differ by 3 %.
pub const TAKE_OVER: Duration = Duration::from_secs(15);

/// A Lease that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenLease {
    /// Its UID and resourceVersion: every renewal changes the latter.
    pub version: String,
    /// Whether a hub holds it; one that has stopped in order has released it.
    pub is_held: bool,
    /// Whether the process that holds it is known to have ended.
    pub is_gone: bool,
}

/// What to do about the Lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Take it, on the condition that it is still as it was read.
    Take,
    /// Its holder may be alive.
    Wait,
}

/// A hub that wants the Lease.
#[derive(Clone, Debug, Default)]
pub struct Candidate {
    /// The version that was seen last (none: the Lease was deleted), and since when.
    seen: Option<(Option<String>, Instant)>,
}

impl Candidate {
    /// Takes note of what was read.
    pub fn observe(&mut self, lease: Option<&SeenLease>, now: Instant) -> Decision {
        match (lease, &self.seen) {
            // There was never a holder, or it has gone.
            (None, None) => return Decision::Take,
            (Some(lease), _) if !lease.is_held || lease.is_gone => return Decision::Take,
            _ => {}
        }
        // A Lease that was held and is deleted stops nobody: its holder writes until its term ends.
        let version = lease.map(|lease| lease.version.clone());
        match &self.seen {
            Some((seen, since)) if *seen == version => {
                if now.saturating_duration_since(*since) >= TAKE_OVER {
                    return Decision::Take;
                }
            }
            _ => self.seen = Some((version, now)),
        }
        Decision::Wait
    }
}
