//! Waiting for a condition by polling. It must be the only way in which a test
//! waits: no test sleeps for a time that it hopes is long enough.

use std::fmt::Display;
use std::future::Future;
use std::time::{Duration, Instant};

use crate::{Error, Result};

/// Short enough that a wait adds little to a test, long enough that polling
/// does not load a two-core machine.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Polls `check` until it is `Ok`, or fails with what it said last.
///
/// `what` completes the sentence "… : not so after 10s". A check that hangs is
/// cut off at the time-out.
///
/// # Errors
/// [`Error::TimedOut`] with the text of the last failed check.
pub async fn eventually<T, E, Check, Checked>(
    what: impl Into<String>,
    timeout: Duration,
    mut check: Check,
) -> Result<T>
where
    E: Display,
    Check: FnMut() -> Checked,
    Checked: Future<Output = Result<T, E>>,
{
    let start = Instant::now();
    let mut last = String::from("nothing: the first check has not returned");
    loop {
        let left = timeout.saturating_sub(start.elapsed());
        match tokio::time::timeout(left, check()).await {
            Ok(Ok(value)) => return Ok(value),
            // `{:#}` prints the whole chain of an `anyhow::Error`.
            Ok(Err(not_yet)) => last = format!("{not_yet:#}"),
            Err(_elapsed) => last = format!("{last} (and the last check did not return)"),
        }
        if start.elapsed() + POLL_INTERVAL >= timeout {
            return Err(Error::TimedOut { what: what.into(), after: timeout, last });
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn returns_the_first_success() {
        let calls = Cell::new(0);
        let value = eventually("the third call", Duration::from_secs(5), || async {
            calls.set(calls.get() + 1);
            if calls.get() == 3 { Ok(calls.get()) } else { Err("too early") }
        })
        .await
        .unwrap();
        assert_eq!(value, 3);
    }

    #[tokio::test]
    async fn a_time_out_tells_the_last_state() {
        let error =
            eventually("pods are ready", Duration::from_millis(250), || async { Err::<(), _>("2 of 3") })
                .await
                .unwrap_err();
        assert_eq!(error.to_string(), "pods are ready: not so after 250ms; last seen: 2 of 3");
    }

    #[tokio::test]
    async fn a_check_that_hangs_is_cut_off() {
        let start = Instant::now();
        let error =
            eventually("an answer", Duration::from_millis(200), std::future::pending::<Result<(), String>>)
                .await
                .unwrap_err();
        assert!(start.elapsed() < Duration::from_secs(2), "took {:?}", start.elapsed());
        assert!(error.to_string().contains("did not return"), "{error}");
    }
}
