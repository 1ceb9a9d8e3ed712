//! Bounds the memory that the objects of one cluster may take: what is being decoded and what is kept. It estimates
//! from the JSON and never measures the allocator. It stores no objects.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::items::Shape;

#[cfg(test)]
mod tests;

const MIB: usize = 1024 * 1024;
/// The default budget of a cluster: by the weights below, about 2,000 `IrisCluster`s of 3 KiB with their children.
pub const DEFAULT_MEMORY_PER_CLUSTER: usize = 128 * MIB;
/// The share of the hub's own limit, in percent, that all budgets together may use. The rest is for connections, the
/// home cluster, the reconcilers and the allocator.
const POOL_PERCENT: usize = 70;
/// What a page of a list costs until the list is complete, so that a list of empty pages ends too.
pub(crate) const PAGE_COST: usize = 4 * 1024;

/// What an object takes while it is decoded: the largest structs of Kubernetes have about 2 KiB, and `{}` makes one.
const DECODED: Weight = Weight { floor: 256, eighths_of_length: 16, object: 2048, value: 64 };

/// How much memory an object of a watch takes while it is kept, from the shape of its JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weight {
    floor: usize,
    /// Eighths of the length of its JSON.
    eighths_of_length: usize,
    /// For each JSON object in it.
    object: usize,
    /// For each other value in it.
    value: usize,
}

impl Weight {
    /// The whole object is kept.
    pub const WHOLE: Self = Self { floor: 2048, eighths_of_length: 16, object: 256, value: 16 };
    /// The same of a kind whose structs are large even when they are empty: a small `IrisCluster` was measured to take
    /// 16 KiB in the hub.
    pub const LARGE: Self = Self { floor: 14 * 1024, ..Self::WHOLE };
    /// A compact view of the object is kept: a few names and numbers.
    pub const VIEW: Self = Self { floor: 512, eighths_of_length: 1, object: 0, value: 0 };

    fn of(self, shape: Shape) -> usize {
        let Shape { length, objects, values } = shape;
        self.floor + length * self.eighths_of_length / 8 + objects * self.object + values * self.value
    }
}

/// The objects of a cluster take more memory than they may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OverBudget {
    /// More than the budget of the cluster.
    #[error(
        "its objects need more than the {} MiB of memory that one cluster may use: delete objects that are not needed, \
         restrict the registration to fewer namespaces, or raise --memory-per-cluster",
        .limit / MIB
    )]
    Cluster {
        /// The budget in bytes.
        limit: usize,
    },
    /// All clusters together use more than the hub has for them.
    #[error(
        "the objects of all clusters need more than the {} MiB of memory that the hub has for them: raise the memory \
         limit of the hub, or register fewer clusters with it",
        .limit / MIB
    )]
    Hub {
        /// What the hub has for all clusters, in bytes.
        limit: usize,
    },
}

/// The memory for the objects of all clusters.
#[derive(Debug)]
pub struct Pool {
    limit: usize,
    used: AtomicUsize,
}

impl Pool {
    /// A pool of the share of the hub's memory that is for objects; without a limit of the hub there is none.
    pub fn of_limit(memory_limit: Option<usize>) -> Arc<Self> {
        let limit = memory_limit.map_or(usize::MAX, |limit| limit / 100 * POOL_PERCENT);
        Arc::new(Self { limit, used: AtomicUsize::new(0) })
    }

    /// How many bytes the clusters use.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}

/// The memory for the objects of one cluster.
#[derive(Debug)]
pub struct Budget {
    limit: usize,
    used: AtomicUsize,
    pool: Arc<Pool>,
}

impl Budget {
    /// A budget of `limit` bytes out of a pool.
    pub fn new(limit: usize, pool: Arc<Pool>) -> Arc<Self> {
        Arc::new(Self { limit, used: AtomicUsize::new(0), pool })
    }

    /// For the home cluster, which the hub trusts.
    pub fn unlimited() -> Arc<Self> {
        Self::new(usize::MAX, Pool::of_limit(None))
    }

    /// How many bytes are in use.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    fn take(&self, bytes: usize) -> Result<(), OverBudget> {
        if !add(&self.used, bytes, self.limit) {
            return Err(OverBudget::Cluster { limit: self.limit });
        }
        if !add(&self.pool.used, bytes, self.pool.limit) {
            self.used.fetch_sub(bytes, Ordering::Relaxed);
            return Err(OverBudget::Hub { limit: self.pool.limit });
        }
        Ok(())
    }

    fn give_back(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
        self.pool.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Takes what an object needs while it is decoded.
    pub(crate) fn decoding(self: &Arc<Self>, shape: Shape) -> Result<Decoding, OverBudget> {
        let bytes = DECODED.of(shape);
        self.take(bytes)?;
        Ok(Decoding { budget: self.clone(), bytes })
    }
}

fn add(used: &AtomicUsize, bytes: usize, limit: usize) -> bool {
    let add = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= limit);
    used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).is_ok()
}

/// Memory of an object that is being decoded; it is given back on drop.
pub(crate) struct Decoding {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Drop for Decoding {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes);
    }
}

struct Kept {
    bytes: usize,
    listing: u64,
}

/// What the objects of one watch take. Dropping it gives everything back.
pub(crate) struct Ledger {
    budget: Arc<Budget>,
    weight: Weight,
    /// By a hash of the object's key: a key itself would take as much as a view.
    kept: HashMap<u64, Kept>,
    hasher: RandomState,
    listing: u64,
    /// What the running list has taken for pages and for objects without a key of their own.
    passing: usize,
}

impl Ledger {
    pub(crate) fn new(budget: Arc<Budget>, weight: Weight) -> Self {
        let (kept, hasher) = (HashMap::new(), RandomState::new());
        Self { budget, weight, kept, hasher, listing: 0, passing: 0 }
    }

    pub(crate) fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    fn hash(&self, namespace: Option<&str>, name: Option<&str>) -> u64 {
        self.hasher.hash_one((namespace, name))
    }

    /// A list begins.
    pub(crate) fn begin(&mut self) {
        self.budget.give_back(std::mem::take(&mut self.passing));
        self.listing += 1;
    }

    /// Charges a page of the list.
    pub(crate) fn page(&mut self) -> Result<(), OverBudget> {
        self.pass(PAGE_COST)
    }

    fn pass(&mut self, bytes: usize) -> Result<(), OverBudget> {
        self.budget.take(bytes)?;
        self.passing += bytes;
        Ok(())
    }

    /// Charges an object of the list. One that was in the list before is charged again: it is none that a
    /// Kubernetes apiserver lists.
    pub(crate) fn list(
        &mut self,
        namespace: Option<&str>,
        name: Option<&str>,
        shape: Shape,
    ) -> Result<(), OverBudget> {
        let key = self.hash(namespace, name);
        if self.kept.get(&key).is_some_and(|kept| kept.listing == self.listing) {
            return self.pass(self.weight.of(shape));
        }
        self.keep(key, shape)
    }

    /// The list is complete: what it did not hold is gone.
    pub(crate) fn complete(&mut self) {
        self.budget.give_back(std::mem::take(&mut self.passing));
        let (listing, budget) = (self.listing, &self.budget);
        self.kept.retain(|_, kept| {
            let stays = kept.listing == listing;
            if !stays {
                budget.give_back(kept.bytes);
            }
            stays
        });
        self.kept.shrink_to_fit();
    }

    /// Charges an object of an event.
    pub(crate) fn apply(
        &mut self,
        namespace: Option<&str>,
        name: Option<&str>,
        shape: Shape,
    ) -> Result<(), OverBudget> {
        self.keep(self.hash(namespace, name), shape)
    }

    /// Gives back what a deleted object took.
    pub(crate) fn delete(&mut self, namespace: Option<&str>, name: Option<&str>) {
        if let Some(kept) = self.kept.remove(&self.hash(namespace, name)) {
            self.budget.give_back(kept.bytes);
        }
    }

    /// Gives everything back.
    pub(crate) fn clear(&mut self) {
        let kept = std::mem::take(&mut self.kept);
        let bytes: usize = kept.values().map(|kept| kept.bytes).sum();
        self.budget.give_back(bytes + std::mem::take(&mut self.passing));
    }

    fn keep(&mut self, key: u64, shape: Shape) -> Result<(), OverBudget> {
        let bytes = self.weight.of(shape);
        let before = self.kept.get(&key).map_or(0, |kept| kept.bytes);
        if bytes > before {
            self.budget.take(bytes - before)?;
        } else {
            self.budget.give_back(before - bytes);
        }
        self.kept.insert(key, Kept { bytes, listing: self.listing });
        Ok(())
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.clear();
    }
}
