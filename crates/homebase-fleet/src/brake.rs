//! The brake of the whole fleet: when many clusters are lost within a short time, it is rather the hub that has lost
//! its network than all of them theirs, and then nothing is deleted anywhere. It stops nothing itself.

use std::collections::BTreeMap;
use std::time::Duration;

use homebase_core::ClusterId;
use jiff::Timestamp;

#[cfg(test)]
mod tests;

/// Losses within this time belong together: as long as it may take to find a black hole.
const WINDOW: Duration = Duration::from_secs(60);
/// Fewer lost clusters than this are an accident, whatever share of a small fleet they are.
const MIN_LOST: usize = 3;
/// How long the brake holds after the last loss: clusters that are gone for so long are gone, and those that are left
/// have to be looked after.
const HOLD: Duration = Duration::from_secs(600);

/// What the brake remembers.
#[derive(Clone, Debug)]
pub struct Brake {
    /// Lost clusters as a share of all, in percent, from which it holds; none switches it off.
    share: Option<u8>,
    /// Clusters that are lost, and since when.
    lost: BTreeMap<ClusterId, Timestamp>,
    holding: bool,
}

impl Brake {
    /// A brake that holds from this share of lost clusters on, in percent; 0 switches it off.
    pub const fn new(share: u8) -> Self {
        Self { share: if share == 0 { None } else { Some(share) }, lost: BTreeMap::new(), holding: false }
    }

    /// A cluster that was operated does not answer any more.
    pub fn lost(&mut self, cluster: &ClusterId, now: Timestamp) {
        self.lost.entry(cluster.clone()).or_insert(now);
    }

    /// A cluster answers again, or is no longer registered.
    pub fn back(&mut self, cluster: &ClusterId) {
        self.lost.remove(cluster);
    }

    /// Whether it holds, in a fleet of so many clusters.
    pub fn holds(&mut self, clusters: usize, now: Timestamp) -> bool {
        let Some(share) = self.share else { return false };
        let many = |lost: usize| lost >= MIN_LOST && lost * 100 >= clusters * usize::from(share);
        let within = |limit: Duration| {
            self.lost.values().filter(|since| now.duration_since(**since).unsigned_abs() <= limit).count()
        };
        self.holding =
            if self.holding { many(self.lost.len()) && within(HOLD) > 0 } else { many(within(WINDOW)) };
        self.holding
    }

    /// How many clusters are lost.
    pub fn count(&self) -> usize {
        self.lost.len()
    }
}
