//! Decides which events tell of a plan: only differences, so that an unchanged cluster is silent. Must not send them.

use homebase_api::IrisCluster;
use homebase_api::conditions::find_condition;
use homebase_api::conditions::iris::SpecAccepted;

use super::fixed;
use super::observed::ObservedChild;
use super::plan::recreation::Recreation;
use super::plan::restart::Restart;
use super::plan::storage::ClaimGrowth;
use super::plan::{Plan, Stage};
use super::status::refusal;
use super::validated::ValidatedCluster;
use crate::events::{EventReason, PlannedEvent};
use crate::hash::PLAN_HASH;
use crate::report::Invalid;

/// The events that tell what applying this plan changes, in its order.
pub fn events<S: Stage>(cluster: &ValidatedCluster, plan: &Plan<S>) -> Vec<PlannedEvent> {
    let mut events = Vec::new();
    for set in &plan.stateful_sets {
        let name = set.metadata.name.as_deref().unwrap_or_default();
        let wanted = set.spec.as_ref().and_then(|spec| spec.replicas);
        let Some(observed) = cluster.found.stateful_sets.get(name) else {
            events.push(PlannedEvent::new(EventReason::Created, format!("Created StatefulSet {name}")));
            continue;
        };
        let hash = set.metadata.annotations.as_ref().and_then(|all| all.get(PLAN_HASH));
        let is_made_anew = plan.recreations.iter().any(|recreation| recreation.stateful_set == name);
        if is_made_anew {
            // Who takes that step tells of it.
            continue;
        }
        if hash != observed.plan_hash.as_ref() {
            events.push(PlannedEvent::new(EventReason::Updated, format!("Updated StatefulSet {name}")));
        }
        if let Some(wanted) = wanted.filter(|wanted| *wanted != observed.replicas) {
            let note = format!("Scaled StatefulSet {name} from {} to {wanted} replicas", observed.replicas);
            events.push(PlannedEvent::new(EventReason::Scaled, note));
        }
    }
    let told = cluster.previous.as_ref().map(|status| status.waiting.as_slice()).unwrap_or_default();
    for waiting in &plan.waiting {
        // Told once, not again for every pod that becomes ready meanwhile.
        let subject = waiting.subject();
        if !told.iter().any(|text| text.starts_with(&subject)) {
            events.push(PlannedEvent::new(EventReason::Waiting, waiting.to_string()));
        }
    }
    events
}

/// How far the removal of a child has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PruneStep {
    /// A StatefulSet was scaled to zero, so that its pods end in their order before it goes.
    ScaledToZero {
        /// Pods wanted before.
        from: i32,
    },
    /// The child was deleted.
    Deleted,
}

/// The event that tells of a step that was taken. A plan cannot tell it: what it says of a removal takes several
/// reconciles, and only who takes the steps knows which one this was.
pub fn prune_event(child: &ObservedChild, step: PruneStep) -> PlannedEvent {
    let ObservedChild { kind, name, uid: _ } = child;
    match step {
        PruneStep::ScaledToZero { from } => {
            PlannedEvent::new(EventReason::Scaled, format!("Scaled {kind} {name} from {from} to 0 replicas"))
        }
        PruneStep::Deleted => PlannedEvent::new(EventReason::Deleted, format!("Deleted {kind} {name}")),
    }
}

/// The event that tells that a pod of a mirror was restarted for an update.
pub fn restart_event(stateful_set: &str, restart: &Restart) -> PlannedEvent {
    let note = format!("Restarted Pod {} for the update of StatefulSet {stateful_set}", restart.pod);
    PlannedEvent::new(EventReason::Updated, note)
}

/// The event that tells that a pod was removed which stood in the way.
pub fn unstuck_event(stateful_set: &str, restart: &Restart) -> PlannedEvent {
    let note = format!(
        "Removed Pod {}, which stood in the way of StatefulSet {stateful_set}, to have it made anew",
        restart.pod
    );
    PlannedEvent::new(EventReason::Updated, note)
}

/// The event that tells why the hub does not go on with the update of a StatefulSet.
pub fn held_event(stateful_set: &str, why: &str) -> PlannedEvent {
    let note = format!("The update of StatefulSet {stateful_set} waits: {why}");
    PlannedEvent::new(EventReason::Waiting, note)
}

/// The event that tells that a StatefulSet was deleted to be made anew.
pub fn recreation_event(recreation: &Recreation) -> PlannedEvent {
    let Recreation { stateful_set, fields, .. } = recreation;
    let fields = fixed::list(fields);
    let note = format!(
        "Deleted StatefulSet {stateful_set} to make it anew, because {fields} cannot change while it exists; its pods \
         run on"
    );
    PlannedEvent::new(EventReason::Recreated, note)
}

/// The event that tells that a claim asks for more.
pub fn growth_event(growth: &ClaimGrowth) -> PlannedEvent {
    let ClaimGrowth { claim, from, to, uid: _, resource_version: _ } = growth;
    let note = format!("Asked for {} instead of {} for PersistentVolumeClaim {claim}", to.0, from.0);
    PlannedEvent::new(EventReason::Growing, note)
}

/// The event that tells of a refused spec, unless the status says the same already.
pub fn refused_events(cluster: &IrisCluster, invalid: &[Invalid]) -> Vec<PlannedEvent> {
    let note = refusal(invalid);
    let conditions = cluster.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let told = find_condition::<SpecAccepted>(conditions);
    if told.is_some_and(|condition| condition.status == "False" && condition.message == note) {
        return Vec::new();
    }
    vec![PlannedEvent::new(EventReason::Refused, note)]
}
