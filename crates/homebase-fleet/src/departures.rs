//! Tells a deregistration from a home cluster that has lost its registrations: when many disappear at once, such as
//! by an empty list or after a restore from a backup, their sessions go on until the absence is confirmed. It reads
//! nothing itself.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use homebase_core::ClusterId;
use jiff::Timestamp;

#[cfg(test)]
mod tests;

/// Registrations that disappear within this time belong together: longer than a deletion of all takes to arrive, and
/// shorter than a person needs to deregister one cluster after another.
const WINDOW: Duration = Duration::from_secs(10);
/// Fewer registrations than this are deregistered at once, whatever share of the fleet they are: small fleets must
/// not wait.
const MIN_GONE: usize = 4;
/// How long sessions go on without their registrations before each Secret is read by name: as long as the brake holds
/// after the last loss of a cluster, and enough for an operator to see the alert and restore the Secrets.
const HOLD: Duration = Duration::from_secs(600);

/// What the doubt remembers.
#[derive(Clone, Debug)]
pub struct Departures {
    /// Missing registrations as a share of all, in percent, from which the doubt begins; none switches it off.
    share: Option<u8>,
    /// Registrations that disappeared and were let go within the window.
    left: BTreeMap<ClusterId, Timestamp>,
    /// Registrations that are missing, since when, while their sessions go on.
    doubted: BTreeMap<ClusterId, Timestamp>,
    /// Those whose Secrets do not exist.
    confirmed: BTreeSet<ClusterId>,
}

impl Departures {
    /// A doubt that begins from this share of missing registrations on, in percent; 0 switches it off.
    pub const fn new(share: u8) -> Self {
        Self {
            share: if share == 0 { None } else { Some(share) },
            left: BTreeMap::new(),
            doubted: BTreeMap::new(),
            confirmed: BTreeSet::new(),
        }
    }

    /// Takes note of the registrations that are missing now, of so many that have sessions, and says which of those
    /// sessions end. The others go on: see [`Departures::doubted`].
    pub fn look(
        &mut self,
        sessions: usize,
        missing: &BTreeSet<ClusterId>,
        now: Timestamp,
    ) -> BTreeSet<ClusterId> {
        self.doubted.retain(|id, _| missing.contains(id));
        self.confirmed.retain(|id| missing.contains(id));
        self.left.retain(|_, at| now.duration_since(*at).unsigned_abs() <= WINDOW);
        let new: Vec<&ClusterId> = missing.iter().filter(|id| !self.doubted.contains_key(*id)).collect();
        let gone = self.left.len() + missing.len();
        let all = self.left.len() + sessions;
        let many = |share: u8| gone >= MIN_GONE && gone * 100 >= all * usize::from(share);
        let doubts = !new.is_empty() && self.share.is_some_and(many);
        for id in new {
            let list = if doubts { &mut self.doubted } else { &mut self.left };
            list.insert(id.clone(), now);
        }
        let over = std::mem::take(&mut self.confirmed);
        self.doubted.retain(|id, _| !over.contains(id));
        missing.iter().filter(|id| !self.doubted.contains_key(*id)).cloned().collect()
    }

    /// A registration is there again, so it has not left.
    pub fn back(&mut self, id: &ClusterId) {
        self.left.remove(id);
    }

    /// The doubted registrations whose Secrets are to be read by name now. They are not named again for as long.
    pub fn due(&mut self, now: Timestamp) -> Vec<ClusterId> {
        let is_due = |since: &Timestamp| now.duration_since(*since).unsigned_abs() >= HOLD;
        let mut due = Vec::new();
        for (id, since) in self.doubted.iter_mut().filter(|(_, since)| is_due(since)) {
            *since = now;
            due.push(id.clone());
        }
        due
    }

    /// The Secret of a doubted registration does not exist: the next look ends its session.
    pub fn confirm(&mut self, id: &ClusterId) {
        if self.doubted.contains_key(id) {
            self.confirmed.insert(id.clone());
        }
    }

    /// The missing registrations whose sessions go on.
    pub fn doubted(&self) -> impl Iterator<Item = &ClusterId> {
        self.doubted.keys()
    }

    /// How many those are.
    pub fn count(&self) -> usize {
        self.doubted.len()
    }
}
