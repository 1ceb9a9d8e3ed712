//! Decides what the status says of volumes. Must not decide which ones grow.

use homebase_api::conditions::ConditionStatus::{False, True, Unknown};
use homebase_api::conditions::iris::{Reconciling, StorageReady};

use crate::cluster::fixed;
use crate::cluster::plan::recreation::Recreation;
use crate::cluster::plan::storage::{ClaimFinding, ClaimState, Storage};
use crate::draft::Draft;

/// As many claims as are named with what is wrong with them; the rest is counted, so that the text stays short.
const MAX_NAMED: usize = 3;

/// The condition `StorageReady`. Of several reasons the one that needs a person counts.
pub(super) fn set_storage(draft: &mut Draft, storage: &Storage) {
    if !storage.wanted {
        return draft.set(True, StorageReady::NoVolumes, "the spec asks for no volumes");
    }
    if !storage.known {
        let message = "the claims cannot be read: grant list, watch and patch of persistentvolumeclaims";
        return draft.set(Unknown, StorageReady::ClaimsUnknown, message);
    }
    let mut findings: Vec<&ClaimFinding> = storage.findings.iter().collect();
    findings.sort_by_key(|finding| rank(&finding.state));
    match findings.first() {
        None => draft.set(True, StorageReady::AllBound, "every claim is bound and has its size"),
        Some(first) => draft.set(False, reason(&first.state), describe(first, &findings, storage.claims)),
    }
}

/// What is being changed, volumes and what is made anew for them included.
pub(super) fn told_of_volumes(
    reason: Reconciling,
    message: String,
    recreations: &[Recreation],
    storage: &Storage,
) -> (Reconciling, String) {
    if let Some(Recreation { stateful_set, fields, .. }) = recreations.first() {
        let fields = fixed::list(fields);
        let message = format!(
            "StatefulSet {stateful_set} is made anew, because {fields} cannot change while it exists; its pods run on"
        );
        return (Reconciling::Updating, message);
    }
    if reason == Reconciling::Done && storage.is_growing() {
        return (Reconciling::Updating, "volumes are growing".to_owned());
    }
    (reason, message)
}

fn reason(state: &ClaimState) -> StorageReady {
    match state {
        ClaimState::Larger { .. } => StorageReady::ShrinkRefused,
        ClaimState::Refused(_) => StorageReady::GrowthRefused,
        ClaimState::Missing | ClaimState::Pending | ClaimState::Lost | ClaimState::Deleting => {
            StorageReady::NotBound
        }
        ClaimState::Growing { .. } | ClaimState::Behind { .. } | ClaimState::FileSystem { .. } => {
            StorageReady::Growing
        }
    }
}

/// What needs a person comes first, then what takes longest.
fn rank(state: &ClaimState) -> u8 {
    match state {
        ClaimState::Larger { .. } => 0,
        ClaimState::Refused(_) => 1,
        ClaimState::Lost => 2,
        ClaimState::Deleting => 3,
        ClaimState::Missing => 4,
        ClaimState::Pending => 5,
        ClaimState::Growing { .. } => 6,
        ClaimState::FileSystem { .. } => 7,
        ClaimState::Behind { .. } => 8,
    }
}

/// Claims that need a person, with their number; else the first of those that come right by themselves. Nothing is said
/// of how many of them are left: there may be hundreds, and the status would be written for each.
fn describe(first: &ClaimFinding, findings: &[&ClaimFinding], claims: usize) -> String {
    let words = |found: &ClaimFinding| format!("{} {}", found.claim, found.state.words());
    if !first.state.needs_a_person() {
        return format!("StatefulSet {}: {}", first.stateful_set, words(first));
    }
    let for_people = || findings.iter().filter(|found| found.state.needs_a_person());
    let named: Vec<_> = for_people().take(MAX_NAMED).map(|found| words(found)).collect();
    let count = for_people().count();
    format!("{count} of {claims} claims are not as they should be: {}", named.join("; "))
}

#[cfg(test)]
mod tests;
