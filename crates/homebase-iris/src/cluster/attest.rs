//! Decides whether what runs is what the planner wants: which pod may be in which zone, where each is, and one verdict
//! with a reason for each claim. Must not read anything, and must take what could not be read neither for absent nor
//! for right.

mod claims;
mod expected;
mod lives;
mod observed;
mod ordinals;
mod placement;
mod report;
mod rows;

pub use self::expected::{ExpectedGroup, ExpectedTopology, Places, expected_topology};
pub use self::observed::{Observation, Reading, SeenLease, SeenNode, SeenPod, key_by_name, leases_by_node};
pub use self::report::{Claim, Report, Row, Verdict};

use super::ValidatedCluster;
use crate::report::Invalid;

/// Compares a cluster that the hub would build with what was seen of it.
pub fn attest(cluster: &ValidatedCluster, seen: &Observation) -> Report {
    let mut expected = expected_topology(cluster);
    if seen.stateful_sets.known().is_err() {
        // What the hub holds back follows from what was read of them.
        expected.groups.iter_mut().for_each(|group| group.held_back = None);
    }
    compare(&expected, seen)
}

/// Compares a topology with what was seen.
pub fn compare(expected: &ExpectedTopology, seen: &Observation) -> Report {
    Report::new(expected, rows::rows(expected, seen), claims::claims(expected, seen))
}

/// The report on a spec that the hub refuses: nothing else can be claimed of it.
pub fn refused(namespace: &str, name: &str, invalid: &[Invalid]) -> Report {
    let faults: Vec<String> = invalid.iter().map(ToString::to_string).collect();
    let claim = Claim::new("spec is accepted", Verdict::Fail, faults.join("; "));
    Report::of(namespace, name, Vec::new(), vec![claim])
}
