//! How long to wait before another try: exponential, capped, with full jitter. Jitter is an argument, so
//! the same numbers give the same delay.

use std::time::Duration;

#[cfg(test)]
mod tests;

/// A schedule of delays between tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The greatest delay after the first failure.
    pub first: Duration,
    /// The greatest delay after any failure.
    pub cap: Duration,
}

impl Backoff {
    /// The greatest delay after `failures` failures in a row: `first`, doubled for each failure after the
    /// first one, `cap` at most.
    pub fn ceiling(&self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        self.first.saturating_mul(1 << doublings).min(self.cap)
    }

    /// The delay after `failures` failures in a row. `jitter` is a number from 0 to 1 that the caller drew;
    /// what lies outside counts as the nearer end.
    ///
    /// Full jitter: anything from zero to the ceiling, so that a thousand clusters that were lost in the same
    /// second do not come back in the same second.
    pub fn delay(&self, failures: u32, jitter: f64) -> Duration {
        let jitter = if jitter.is_nan() { 1.0 } else { jitter.clamp(0.0, 1.0) };
        self.ceiling(failures).mul_f64(jitter)
    }
}
