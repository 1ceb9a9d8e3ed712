//! Lets keys into the queue only once every listing of their namespace that a reconciler lives on is complete: before
//! that, what is missing may merely not be listed yet. A namespace that cannot be listed holds up no other.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use homebase_core::{NamespaceName, Namespaces, ObjectKey};

use crate::queue::Priority;
use crate::reconcile::Enqueue;
use crate::store::EVERYWHERE;

#[cfg(test)]
mod tests;

/// The way of one reconciler's keys into the queue.
pub(super) struct Gate {
    enqueue: Enqueue,
    /// The scopes of watches that have not been in sync so far.
    closed: Mutex<BTreeSet<String>>,
}

/// A key, and whether it comes from a listing.
pub(super) type Woken = (ObjectKey, bool);

impl Gate {
    pub(super) fn new(enqueue: Enqueue, namespaces: &Namespaces) -> Self {
        let closed = match namespaces {
            Namespaces::All => BTreeSet::from([EVERYWHERE.to_owned()]),
            Namespaces::Only(names) => {
                names.iter().map(|name| NamespaceName::as_str(name).to_owned()).collect()
            }
        };
        Self { enqueue, closed: Mutex::new(closed) }
    }

    /// Takes the keys that a watch wakes. The first time that `is_synced` holds of a namespace, those of `all` that are
    /// in it are woken too.
    pub(super) fn pass(
        &self,
        is_synced: impl Fn(&str) -> bool,
        all: impl FnOnce() -> Vec<ObjectKey>,
        woken: impl IntoIterator<Item = Woken>,
    ) {
        let (opened, closed) = self.open(is_synced);
        let covers = |scopes: &BTreeSet<String>, key: &ObjectKey| {
            scopes.contains(EVERYWHERE) || scopes.contains(&key.namespace)
        };
        if !opened.is_empty() {
            for key in all().into_iter().filter(|key| covers(&opened, key)) {
                (self.enqueue)(key, Priority::Listed);
            }
        }
        for (key, listed) in woken.into_iter().filter(|(key, _)| !covers(&closed, key)) {
            (self.enqueue)(key, if listed { Priority::Listed } else { Priority::Live });
        }
    }

    /// Opens the scopes that are in sync by now. Returns them, and those that stay closed; one that is open stays open,
    /// as a store that was in sync once knows what there is for good.
    fn open(&self, is_synced: impl Fn(&str) -> bool) -> (BTreeSet<String>, BTreeSet<String>) {
        let mut closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        let (opened, left): (BTreeSet<_>, _) = closed.iter().cloned().partition(|scope| is_synced(scope));
        closed.clone_from(&left);
        (opened, left)
    }
}
