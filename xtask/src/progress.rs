//! Telling what goes on and for how long. Messages go to standard error, so that
//! standard output stays usable by a shell; it must not decide anything.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Often enough that nobody takes a long step for a hung one.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// One step that takes a while. Dropping it without `done` says nothing: the
/// error that caused this is printed by whoever gets it.
pub(crate) struct Step {
    start: Instant,
    text: String,
    stop: Option<Sender<()>>,
    heartbeat: Option<JoinHandle<()>>,
}

impl Step {
    /// Announces a step.
    pub(crate) fn start(text: impl Into<String>) -> Self {
        let text = text.into();
        eprintln!("{text}…");
        let start = Instant::now();
        let (stop, stopped) = mpsc::channel();
        let label = text.clone();
        let heartbeat = thread::spawn(move || {
            while stopped.recv_timeout(HEARTBEAT) == Err(RecvTimeoutError::Timeout) {
                eprintln!("  … {label}: {}", show(start.elapsed()));
            }
        });
        Self { start, text, stop: Some(stop), heartbeat: Some(heartbeat) }
    }

    /// Says that it is done, and returns how long it took.
    pub(crate) fn done(self) -> Duration {
        let elapsed = self.start.elapsed();
        eprintln!("  {}: done in {}", self.text, show(elapsed));
        elapsed
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        // The heartbeat ends when the channel does.
        self.stop.take();
        if let Some(heartbeat) = self.heartbeat.take() {
            let _ = heartbeat.join();
        }
    }
}

/// A duration for people.
pub(crate) fn show(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 60 {
        format!("{:.1} s", duration.as_secs_f64())
    } else {
        format!("{} min {:02} s", seconds / 60, seconds % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        assert_eq!(show(Duration::from_millis(1234)), "1.2 s");
        assert_eq!(show(Duration::from_secs(298)), "4 min 58 s");
    }
}
