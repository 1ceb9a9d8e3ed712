//! The figures of the matrix, one line for each fault. It must not judge them.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The lines in the order in which faults ended.
#[derive(Default)]
pub(super) struct Table(Mutex<Vec<String>>);

/// One fault.
pub(super) struct Line<'a> {
    pub(super) fault: &'a str,
    /// What was told of it …
    pub(super) condition: (&'a str, &'a str, &'a str),
    /// … after this time …
    pub(super) detected: Duration,
    /// … in these words.
    pub(super) message: &'a str,
    /// From its end until the cluster was Ready …
    pub(super) healed: Duration,
    /// … and until the work was done that had been asked for meanwhile.
    pub(super) worked: Duration,
}

impl Table {
    pub(super) fn add(&self, line: &Line<'_>) {
        let Line { fault, condition: (kind, status, reason), detected, message, healed, worked } = line;
        let told = format!("{kind}={status} {reason}");
        let [detected, healed, worked] =
            [detected, healed, worked].map(|time| format!("{:5.1} s", time.as_secs_f64()));
        let text = format!("{fault:<20} {told:<36} {detected} {healed} {worked}  {message}");
        // At once, for a run that fails later.
        eprintln!("figure: {text}");
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(text);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "figure: the fault matrix")?;
        writeln!(
            f,
            "{:<20} {:<36} {:>7} {:>7} {:>7}  message",
            "fault", "told", "after", "healed", "worked"
        )?;
        for line in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            writeln!(f, "{line}")?;
        }
        Ok(())
    }
}
