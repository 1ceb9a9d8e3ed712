//! Lines on their way to standard error: a bounded queue that one thread of its own empties. Whoever adds a line never
//! waits; what does not fit, or cannot be written, is dropped and counted, and the count goes before the next line that
//! can be. It knows nothing of what a line says.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing_subscriber::fmt::MakeWriter;

#[cfg(test)]
mod tests;

/// Lines that wait take this much memory at most: some seconds of a hub that logs as fast as it can, for a reader that is
/// away for a moment.
const MAX_BYTES: usize = 4 * 1024 * 1024;
/// How long the end of the process waits for the lines that are left: a reader that has stopped must not hold it.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);
/// After a line that could not be written: a full device stays full for a while.
const RETRY: Duration = Duration::from_millis(100);

#[derive(Default)]
struct Waiting {
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
    /// Lines that were dropped and of which nothing was said yet.
    dropped: u64,
    /// A line is being written.
    writing: bool,
}

/// The queue.
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    news: Condvar,
    empty: Condvar,
    max_bytes: usize,
}

impl Queue {
    /// A queue whose lines a thread writes to `out`. `lost` makes a line of a number of lines that were dropped.
    pub(super) fn start(out: impl Write + Send + 'static, lost: fn(u64) -> String) -> io::Result<Arc<Self>> {
        let queue = Arc::new(Self::new(MAX_BYTES));
        let writing = queue.clone();
        std::thread::Builder::new().name("log".to_owned()).spawn(move || writing.write_all(out, lost))?;
        Ok(queue)
    }

    fn new(max_bytes: usize) -> Self {
        let (news, empty) = (Condvar::new(), Condvar::new());
        Self { waiting: Mutex::default(), news, empty, max_bytes }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a line, or drops it when there is no room.
    pub(super) fn push(&self, line: Vec<u8>) {
        let mut waiting = self.waiting();
        if waiting.bytes + line.len() > self.max_bytes {
            waiting.dropped += 1;
            return;
        }
        waiting.bytes += line.len();
        waiting.lines.push_back(line);
        self.news.notify_one();
    }

    /// Waits until every line is written, for a bounded time; true when that is so.
    pub(super) fn flush(&self) -> bool {
        let deadline = Instant::now() + FLUSH_TIMEOUT;
        let mut waiting = self.waiting();
        while waiting.writing || !waiting.lines.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            waiting = self.empty.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// The next line, and how many were dropped before it.
    fn next(&self) -> (u64, Vec<u8>) {
        let mut waiting = self.waiting();
        waiting.writing = false;
        loop {
            if let Some(line) = waiting.lines.pop_front() {
                waiting.bytes -= line.len();
                waiting.writing = true;
                return (std::mem::take(&mut waiting.dropped), line);
            }
            self.empty.notify_all();
            waiting = self.news.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn write_all(&self, mut out: impl Write, lost: fn(u64) -> String) {
        loop {
            let (dropped, mut line) = self.next();
            if dropped > 0 {
                line.splice(0..0, lost(dropped).into_bytes());
            }
            if out.write_all(&line).is_err() {
                self.waiting().dropped += dropped + 1;
                std::thread::sleep(RETRY);
            }
        }
    }
}

/// Makes the lines of a subscriber into lines of the queue.
#[derive(Clone)]
pub(super) struct Writer(Arc<Queue>);

impl Writer {
    pub(super) const fn new(queue: Arc<Queue>) -> Self {
        Self(queue)
    }
}

impl<'a> MakeWriter<'a> for Writer {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

/// A subscriber writes each line at once.
impl Write for &Writer {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.push(line.to_vec());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
