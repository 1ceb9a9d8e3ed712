//! The work queue of one session: every key once, failed keys with backoff of their own, live changes before
//! the initial listing. It does not do the work, and it is shared with no other session.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use homebase_core::Backoff;
use tokio::sync::Notify;
use tokio::time::Instant;

#[cfg(test)]
mod tests;

/// Waits of one key after failures in a row. The cap is what an object may wait after its trouble is over.
const RETRY: Backoff = Backoff { first: Duration::from_millis(200), cap: Duration::from_secs(60) };

/// How a key came into the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// Something changed just now: somebody waits for it.
    Live,
    /// It was in an initial listing, together with thousands of others.
    Listed,
}

/// What hears of the queue's figures.
pub trait QueueObserver<K>: Send + Sync {
    /// A key came in that was not waiting.
    fn added(&self, key: &K);
    /// A key left the queue after this wait.
    fn taken(&self, key: &K, waited: Duration);
    /// A key was put back because it failed.
    fn retried(&self, key: &K);
    /// The queue ends with this key still waiting.
    fn dropped(&self, key: &K);
}

struct Inner<K> {
    live: VecDeque<K>,
    listed: VecDeque<K>,
    /// When a key that waits in `live` or `listed` came in.
    waiting: HashMap<K, (Instant, Priority)>,
    /// Keys that are being worked on; true when something changed since.
    taken: HashMap<K, bool>,
    delayed: BTreeMap<(Instant, u64), K>,
    /// Keys with a place in `delayed`: a key has one at most.
    delays: HashMap<K, (Instant, u64)>,
    failures: HashMap<K, u32>,
    sequence: u64,
    held: bool,
}

/// A queue of keys, shared by those who add and the one dispatcher that takes.
pub struct WorkQueue<K: Clone + Eq + Hash> {
    inner: Mutex<Inner<K>>,
    changed: Notify,
    observer: Arc<dyn QueueObserver<K>>,
}

impl<K: Clone + Eq + Hash> WorkQueue<K> {
    /// An empty queue.
    pub fn new(observer: Arc<dyn QueueObserver<K>>) -> Self {
        let inner = Inner {
            live: VecDeque::new(),
            listed: VecDeque::new(),
            waiting: HashMap::new(),
            taken: HashMap::new(),
            delayed: BTreeMap::new(),
            delays: HashMap::new(),
            failures: HashMap::new(),
            sequence: 0,
            held: false,
        };
        Self { inner: Mutex::new(inner), changed: Notify::new(), observer }
    }

    fn lock(&self) -> MutexGuard<'_, Inner<K>> {
        // No code that can panic runs under this lock, so a poisoned one still holds a whole state.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a key. One that waits already waits once; one that is being worked on comes back afterwards.
    pub fn add(&self, key: &K, priority: Priority) {
        let mut inner = self.lock();
        if let Some(dirty) = inner.taken.get_mut(key) {
            *dirty = true;
            return;
        }
        if inner.enqueue(key, priority) {
            self.observer.added(key);
        }
        drop(inner);
        self.changed.notify_one();
    }

    /// Adds a key after a wait; an earlier wait of the same key stays.
    pub fn add_after(&self, key: K, delay: Duration) {
        self.lock().delay(key, Instant::now() + delay);
        self.changed.notify_one();
    }

    /// Says that the work on a key went well: its failures are forgotten.
    pub fn done(&self, key: &K) {
        self.lock().failures.remove(key);
        self.release(key);
    }

    /// Says that the work on a key failed: it comes back after a wait that grows with every failure in a row.
    pub fn failed(&self, key: &K, jitter: f64) {
        let failures = {
            let mut inner = self.lock();
            let failures = inner.failures.entry(key.clone()).or_insert(0);
            *failures = failures.saturating_add(1);
            *failures
        };
        self.observer.retried(key);
        // Half of the wait is certain: full jitter could hammer an apiserver that is in trouble already.
        let delay = RETRY.delay(failures, 0.5 + jitter / 2.0);
        self.add_after(key.clone(), delay);
        self.release(key);
    }

    fn release(&self, key: &K) {
        let dirty = self.lock().taken.remove(key).unwrap_or(false);
        if dirty {
            self.add(key, Priority::Live);
        }
    }

    /// Lets no key be taken. Keys go on being added.
    pub fn hold(&self) {
        self.lock().held = true;
    }

    /// Lets keys be taken again, those that wait after failures at once: what they failed of is over.
    pub fn resume(&self) {
        let mut inner = self.lock();
        inner.held = false;
        let failed: Vec<K> = inner.failures.drain().map(|(key, _)| key).collect();
        let now = Instant::now();
        for key in failed {
            if inner.delays.contains_key(&key) {
                inner.delay(key, now);
            }
        }
        drop(inner);
        self.changed.notify_one();
    }

    /// Forgets the failures of a key whose object is gone.
    pub fn forget(&self, key: &K) {
        self.lock().failures.remove(key);
    }

    /// Takes the next key, as soon as there is one. Only one task may call this.
    pub async fn take(&self) -> K {
        loop {
            let (taken, next_delay) = {
                let mut inner = self.lock();
                let now = Instant::now();
                for key in inner.expire(now) {
                    self.observer.added(&key);
                }
                (inner.pop(now), inner.delayed.keys().next().map(|(due, _)| *due))
            };
            if let Some((key, waited)) = taken {
                self.observer.taken(&key, waited);
                return key;
            }
            let changed = self.changed.notified();
            match next_delay {
                Some(due) => tokio::select! { () = changed => {}, () = tokio::time::sleep_until(due) => {} },
                None => changed.await,
            }
        }
    }

    /// How many keys wait, and since when the oldest does.
    pub fn backlog(&self) -> (usize, Option<Instant>) {
        let inner = self.lock();
        let oldest = inner.waiting.values().map(|(since, _)| *since).min();
        (inner.waiting.len(), oldest)
    }
}

impl<K: Clone + Eq + Hash> Inner<K> {
    /// True when the key was not waiting before.
    fn enqueue(&mut self, key: &K, priority: Priority) -> bool {
        match self.waiting.get_mut(key) {
            Some((_, Priority::Listed)) if priority == Priority::Live => {
                // Its place in `listed` becomes void; `pop` sees that by the priority noted here.
                if let Some(entry) = self.waiting.get_mut(key) {
                    entry.1 = Priority::Live;
                }
                self.live.push_back(key.clone());
                false
            }
            Some(_) => false,
            None => {
                self.waiting.insert(key.clone(), (Instant::now(), priority));
                match priority {
                    Priority::Live => self.live.push_back(key.clone()),
                    Priority::Listed => self.listed.push_back(key.clone()),
                }
                true
            }
        }
    }

    fn delay(&mut self, key: K, due: Instant) {
        if let Some(place) = self.delays.get(&key).copied() {
            if place.0 <= due {
                return;
            }
            self.delayed.remove(&place);
        }
        self.sequence += 1;
        let place = (due, self.sequence);
        self.delays.insert(key.clone(), place);
        self.delayed.insert(place, key);
    }

    /// Moves keys whose wait is over to the ready ones; returns those that were not waiting there.
    fn expire(&mut self, now: Instant) -> Vec<K> {
        let mut added = Vec::new();
        while let Some(entry) = self.delayed.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let key = entry.remove();
            self.delays.remove(&key);
            if let Some(dirty) = self.taken.get_mut(&key) {
                *dirty = true;
            } else if self.enqueue(&key, Priority::Live) {
                added.push(key);
            }
        }
        added
    }

    fn pop(&mut self, now: Instant) -> Option<(K, Duration)> {
        if self.held {
            return None;
        }
        loop {
            let (key, from) = match self.live.pop_front() {
                Some(key) => (key, Priority::Live),
                None => (self.listed.pop_front()?, Priority::Listed),
            };
            if self.waiting.get(&key).is_some_and(|(_, priority)| *priority == from)
                && let Some((since, _)) = self.waiting.remove(&key)
            {
                self.taken.insert(key.clone(), false);
                return Some((key, now.saturating_duration_since(since)));
            }
        }
    }
}

impl<K: Clone + Eq + Hash> Drop for WorkQueue<K> {
    fn drop(&mut self) {
        let waiting: HashSet<K> = self.lock().waiting.keys().cloned().collect();
        for key in &waiting {
            self.observer.dropped(key);
        }
    }
}
