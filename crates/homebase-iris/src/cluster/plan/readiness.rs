//! Decides whether a StatefulSet is what it should be, and says in words why not. Must not read a clock: how long
//! it has been so is not its question.

use k8s_openapi::api::apps::v1::StatefulSet;

use super::restart::is_marked;
use crate::cluster::observed::ObservedStatefulSet;
use crate::hash::PLAN_HASH;
use crate::readiness::Readiness;

/// Whether the StatefulSet that is there was applied from this plan, replicas included.
pub(crate) fn is_applied(planned: &StatefulSet, observed: Option<&ObservedStatefulSet>) -> bool {
    let Some(observed) = observed else { return false };
    let hash = planned.metadata.annotations.as_ref().and_then(|all| all.get(PLAN_HASH));
    // Replicas that the plan leaves to an autoscaler are always right.
    hash == observed.plan_hash.as_ref() && replicas(planned).is_none_or(|wanted| wanted == observed.replicas)
}

/// How far a planned StatefulSet is.
pub(crate) fn readiness(planned: &StatefulSet, observed: Option<&ObservedStatefulSet>) -> Readiness {
    let Some(observed) = observed else { return Readiness::Absent };
    if !is_applied(planned, Some(observed)) {
        return Readiness::Unapplied;
    }
    if observed.observed_generation < observed.generation {
        return Readiness::Unobserved;
    }
    let wanted = observed.replicas;
    if observed.ready_replicas < wanted {
        return Readiness::NotReady { ready: observed.ready_replicas, wanted };
    }
    // Not by the revisions: a set that was made anew begins with two that are the same, whatever its pods are.
    if !updates_by_hand(planned) && observed.updated_replicas < wanted {
        return Readiness::Updating { updated: observed.updated_replicas, wanted };
    }
    if observed.current_replicas > wanted {
        return Readiness::Terminating { surplus: observed.current_replicas - wanted };
    }
    Readiness::Ready
}

fn replicas(set: &StatefulSet) -> Option<i32> {
    set.spec.as_ref().and_then(|spec| spec.replicas)
}

/// With `OnDelete` the user decides when a pod is updated, and old pods are what is wanted; unless it is the hub's way to
/// restart them itself.
fn updates_by_hand(set: &StatefulSet) -> bool {
    if is_marked(set) {
        return false;
    }
    let strategy = set.spec.as_ref().and_then(|spec| spec.update_strategy.as_ref());
    strategy.and_then(|strategy| strategy.type_.as_deref()) == Some("OnDelete")
}

#[cfg(test)]
mod tests;
