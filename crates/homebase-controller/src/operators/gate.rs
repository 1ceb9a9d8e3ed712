//! Lets keys into the queue only once every listing that a reconciler lives on is complete: before that, what
//! is missing may merely not be listed yet.

use std::sync::atomic::{AtomicBool, Ordering};

use homebase_core::ObjectKey;

use crate::queue::Priority;
use crate::reconcile::Enqueue;

#[cfg(test)]
mod tests;

/// The way of one reconciler's keys into the queue.
pub(super) struct Gate {
    enqueue: Enqueue,
    open: AtomicBool,
}

/// A key, and whether it comes from a listing.
pub(super) type Woken = (ObjectKey, bool);

impl Gate {
    pub(super) fn new(enqueue: Enqueue) -> Self {
        Self { enqueue, open: AtomicBool::new(false) }
    }

    /// Takes the keys that a watch wakes. The first time that `is_synced`, `all` are woken instead.
    pub(super) fn pass(
        &self,
        is_synced: bool,
        all: impl FnOnce() -> Vec<ObjectKey>,
        woken: impl IntoIterator<Item = Woken>,
    ) {
        if !is_synced {
            return;
        }
        if !self.open.swap(true, Ordering::AcqRel) {
            for key in all() {
                (self.enqueue)(key, Priority::Listed);
            }
        }
        for (key, listed) in woken {
            (self.enqueue)(key, if listed { Priority::Listed } else { Priority::Live });
        }
    }
}
