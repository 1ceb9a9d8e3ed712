//! Decides the phase and what is being changed. Must not decide whether a group is ready.

use homebase_api::IrisClusterStatus;
use homebase_api::conditions::iris::Reconciling;
use homebase_api::iriscluster::Phase;
use homebase_api::labels::Component;

use super::GroupState;
use crate::cluster::plan::Waiting;
use crate::cluster::primary::Trouble;
use crate::readiness::Readiness;

/// The phase after a plan was applied.
pub(super) fn decide_phase(
    previous: &IrisClusterStatus,
    groups: &[GroupState<'_>],
    troubles: &[Trouble],
) -> Phase {
    if groups.iter().all(|group| group.readiness == Some(Readiness::Ready)) {
        return if troubles.is_empty() { Phase::Running } else { Phase::Degraded };
    }
    let came_up = match previous.phase {
        Some(Phase::Running | Phase::Updating | Phase::Degraded) => true,
        None | Some(Phase::Creating) => false,
        // Neither word tells: a cluster that has its data nodes is past its creation.
        Some(Phase::Stalled | Phase::Unknown) => {
            groups.iter().any(|group| group.set.component == Component::Data && group.observed.is_some())
        }
    };
    if !came_up {
        Phase::Creating
    } else if groups.iter().any(is_changing) {
        Phase::Updating
    } else {
        Phase::Degraded
    }
}

/// What the hub is changing, and the words for it.
pub(super) fn decide_reconciling(
    phase: Phase,
    groups: &[GroupState<'_>],
    waiting: &[Waiting],
) -> (Reconciling, String) {
    if phase == Phase::Creating {
        return (Reconciling::Creating, "nodes come up for the first time".to_owned());
    }
    if let Some(first) = waiting.first() {
        return (Reconciling::Waiting, first.to_string());
    }
    if groups.iter().any(is_updating) {
        return (Reconciling::Updating, "nodes are being updated".to_owned());
    }
    if groups.iter().any(is_scaling) {
        return (Reconciling::Scaling, "pods are being added or removed".to_owned());
    }
    (Reconciling::Done, String::new())
}

fn is_changing(group: &GroupState<'_>) -> bool {
    group.readiness.is_none() || is_updating(group) || is_scaling(group)
}

fn is_updating(group: &GroupState<'_>) -> bool {
    let settled = group.observed.is_none_or(|observed| !observed.has_old_pods());
    match &group.readiness {
        Some(
            Readiness::Absent | Readiness::Unapplied | Readiness::Unobserved | Readiness::Updating { .. },
        ) => true,
        // Too few pods are ready because they are being replaced.
        Some(Readiness::NotReady { .. }) => !settled,
        _ => false,
    }
}

fn is_scaling(group: &GroupState<'_>) -> bool {
    group.observed.is_some_and(|observed| observed.current_replicas != observed.replicas)
}
