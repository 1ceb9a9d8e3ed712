//! The open connections of the server, and which one makes room for a new one: the one on which nothing has been asked for
//! longest. So nobody keeps a probe out by opening connections and saying nothing. It reads and writes nothing itself.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

#[cfg(test)]
mod tests;

/// One connection.
pub(crate) struct Connection {
    /// An answer is being made.
    busy: AtomicBool,
    /// Since when it waits for a request.
    waiting: Mutex<Instant>,
    /// Notified when it has to make room.
    pub(crate) close: Notify,
    idle: Arc<Notify>,
}

impl Connection {
    fn new(idle: Arc<Notify>) -> Self {
        let (busy, waiting) = (AtomicBool::new(false), Mutex::new(Instant::now()));
        Self { busy, waiting, close: Notify::new(), idle }
    }

    fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Relaxed)
    }

    fn waiting(&self) -> MutexGuard<'_, Instant> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request has arrived; the guard says when its answer was made.
    pub(crate) fn begin(self: &Arc<Self>) -> Busy {
        self.busy.store(true, Ordering::Relaxed);
        Busy(self.clone())
    }
}

/// An answer that is being made.
pub(crate) struct Busy(Arc<Connection>);

impl Drop for Busy {
    fn drop(&mut self) {
        *self.0.waiting() = Instant::now();
        self.0.busy.store(false, Ordering::Relaxed);
        self.0.idle.notify_one();
    }
}

/// All connections.
#[derive(Default)]
pub(crate) struct Connections {
    next: u64,
    open: HashMap<u64, Arc<Connection>>,
    /// Notified when an answer was made.
    pub(crate) idle: Arc<Notify>,
}

impl Connections {
    /// How many are open, or told to close.
    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }

    /// Adds one.
    pub(crate) fn add(&mut self) -> (u64, Arc<Connection>) {
        let (id, connection) = (self.next, Arc::new(Connection::new(self.idle.clone())));
        self.next += 1;
        self.open.insert(id, connection.clone());
        (id, connection)
    }

    /// Removes one that has ended.
    pub(crate) fn remove(&mut self, id: u64) {
        self.open.remove(&id);
    }

    /// Closes the one that has waited for a request for longest; false when an answer is being made on each.
    pub(crate) fn make_room(&mut self) -> bool {
        let waiting = self.open.iter().filter(|(_, connection)| !connection.is_busy());
        let longest = waiting.min_by_key(|(id, connection)| (*connection.waiting(), **id)).map(|(id, _)| *id);
        let Some(connection) = longest.and_then(|id| self.open.remove(&id)) else { return false };
        connection.close.notify_one();
        true
    }
}
