//! Decides what the status of an IrisCluster says. Must not read a clock, and must not tell anything for an older
//! generation than the status already does.

mod phase;
mod storage;
mod topology;

use homebase_api::conditions::ConditionStatus::{False, True, Unknown};
use homebase_api::conditions::iris::{FieldConflict, Ready, Reconciling, SpecAccepted, Stalled};
use homebase_api::iriscluster::{NodeGroupStatus, NodesStatus, Phase};
use homebase_api::labels::Component;
use homebase_api::{IrisCluster, IrisClusterSpec, IrisClusterStatus};
use homebase_core::ObjectKey;
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use self::phase::{decide_phase, decide_reconciling};
use self::storage::{set_storage, told_of_volumes};
use self::topology::{set_topology, zones_of_ready};
use super::names::NodeSet;
use super::observed::ObservedStatefulSet;
use super::plan::build::meta::build_selector;
use super::plan::readiness::readiness;
use super::plan::{Applied, Plan, Waiting};
use super::primary::{Finding, NOT_GRANTED, Trouble, mirrors_status, troubles};
use super::validated::ValidatedCluster;
use crate::draft::{Draft, shorten};
use crate::failure::Failure;
use crate::readiness::Readiness;
use crate::report::{Invalid, InvalidKind};

/// One StatefulSet as it is now.
pub(crate) struct GroupState<'a> {
    pub(crate) set: NodeSet,
    pub(crate) observed: Option<&'a ObservedStatefulSet>,
    /// `None`: held back.
    pub(crate) readiness: Option<Readiness>,
}

/// The status after a plan was applied.
pub fn status(cluster: &ValidatedCluster, applied: &Plan<Applied>, now: Timestamp) -> IrisClusterStatus {
    let Plan {
        // Nothing can be told of these but that the apiserver has them.
        headless_service: _,
        service: _,
        group_services: _,
        config_maps: _,
        mirror_labels: _,
        updates: _,
        stuck: _,
        prune: _,
        growths: _,
        stateful_sets,
        recreations,
        storage,
        waiting,
        observed,
    } = applied;
    let previous = cluster.previous.clone().unwrap_or_default();
    let Some(mut draft) = begin(&previous, cluster.generation, now) else { return previous };
    let groups: Vec<GroupState<'_>> = cluster
        .sets()
        .map(|(set, _)| {
            let name = cluster.key.stateful_set(set);
            let observed = observed.get(&name);
            let planned = find(stateful_sets, &name);
            GroupState { set, observed, readiness: planned.map(|set| readiness(set, observed)) }
        })
        .collect();
    let mirrors = mirrors_status(cluster, &Time(now));
    let troubles = troubles(cluster, &mirrors);
    let phase = decide_phase(&previous, &groups, &troubles);
    set_readiness(&mut draft, cluster, &groups, waiting, &troubles);
    let (reason, message) = decide_reconciling(phase, &groups, waiting);
    let (reason, message) = told_of_volumes(reason, message, recreations, storage);
    draft.set(reason != Reconciling::Done, reason, message);
    match waiting.iter().find(|waiting| waiting.is_stalled()) {
        Some(stalled) => draft.set(True, Stalled::ImmutableField, stalled.to_string()),
        None => draft.set(False, Stalled::NotStalled, ""),
    }
    set_storage(&mut draft, storage);
    set_topology(&mut draft, cluster, &groups);
    match cluster.warnings.as_slice() {
        [] => draft.set(True, SpecAccepted::Accepted, ""),
        warnings => draft.set(True, SpecAccepted::AcceptedWithWarnings, warnings.join("; ")),
    }
    draft.set(False, FieldConflict::NoConflict, "");

    let mut status = finish(previous, draft);
    status.phase = Some(phase);
    status.nodes = Some(nodes(cluster, &groups));
    status.mirrors = mirrors;
    status.waiting = waiting.iter().map(ToString::to_string).collect();
    let compute = groups.iter().find(|group| group.set.component == Component::Compute);
    status.compute_replicas =
        compute.map(|group| group.observed.map_or(0, |observed| observed.current_replicas));
    status.compute_selector = compute.map(|_| selector_text(cluster));
    status
}

/// The status of a cluster that nobody has looked at yet.
pub fn first_status(cluster: &IrisCluster, now: Timestamp) -> IrisClusterStatus {
    let previous = cluster.status.clone().unwrap_or_default();
    let Some(mut draft) = begin(&previous, cluster.metadata.generation, now) else { return previous };
    draft.set(Unknown, Ready::FirstSight, "seen for the first time");
    draft.set(True, Reconciling::Creating, "seen for the first time");
    draft.set(False, Stalled::NotStalled, "");
    let mut status = finish(previous, draft);
    status.phase = status.phase.or(Some(Phase::Creating));
    status
}

/// The status of a spec that cannot be built. What runs keeps running, so what is known of the nodes stays.
pub fn refused_status(cluster: &IrisCluster, invalid: &[Invalid], now: Timestamp) -> IrisClusterStatus {
    let previous = cluster.status.clone().unwrap_or_default();
    let Some(mut draft) = begin(&previous, cluster.metadata.generation, now) else { return previous };
    draft.set(False, Ready::SpecRefused, "the spec is refused: see the condition SpecAccepted");
    draft.set(False, Reconciling::Done, "");
    draft.set(True, Stalled::SpecRefused, "change the spec: see the condition SpecAccepted");
    draft.set(False, SpecAccepted::Refused, refusal(invalid));
    let mut status = finish(previous, draft);
    status.phase = Some(Phase::Stalled);
    status.waiting.clear();
    status
}

/// An IrisCluster that this hub cannot read, as far as it can be told of, and what is wrong with it. No word of the
/// parser: it may quote a value.
pub fn unreadable(
    key: &ObjectKey,
    uid: Option<&str>,
    generation: Option<i64>,
) -> (IrisCluster, Vec<Invalid>) {
    let mut stub = IrisCluster::new(&key.name, IrisClusterSpec::default());
    stub.metadata.namespace = Some(key.namespace.clone());
    stub.metadata.uid = uid.map(ToOwned::to_owned);
    stub.metadata.generation = generation;
    let message = "does not fit the schema of this hub, as when a newer hub or another operator wrote it: \
                   `homebase validate` names the fields; until they are changed what runs is left as it is";
    let invalid =
        Invalid { path: "spec".to_owned(), kind: InvalidKind::Invalid, message: message.to_owned() };
    (stub, vec![invalid])
}

/// All faults in one text.
pub(crate) fn refusal(invalid: &[Invalid]) -> String {
    shorten(&invalid.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
}

/// The status after a plan could not be applied. `message` must name the object and hold no secret.
pub fn failed_status(
    cluster: &IrisCluster,
    failure: Failure,
    message: &str,
    now: Timestamp,
) -> IrisClusterStatus {
    let previous = cluster.status.clone().unwrap_or_default();
    let Some(mut draft) = begin(&previous, cluster.metadata.generation, now) else { return previous };
    let Some(stalled) = failure.stalled() else {
        draft.set(True, Reconciling::Updating, message);
        // The generation is not dealt with yet, so it is not reported as observed.
        return IrisClusterStatus { conditions: draft.conditions, ..previous };
    };
    draft.set(False, Ready::NodesNotReady, format!("the last change could not be applied: {message}"));
    draft.set(False, Reconciling::Done, "");
    draft.set(True, stalled, message);
    if failure == Failure::FieldConflict {
        draft.set(True, FieldConflict::OwnedByOthers, message);
    }
    let mut status = finish(previous, draft);
    status.phase = Some(Phase::Stalled);
    status
}

fn begin(previous: &IrisClusterStatus, generation: Option<i64>, now: Timestamp) -> Option<Draft> {
    Draft::new(&previous.conditions, previous.observed_generation, generation, now)
}

fn finish(mut status: IrisClusterStatus, draft: Draft) -> IrisClusterStatus {
    status.observed_generation = Some(draft.generation);
    status.conditions = draft.conditions;
    status
}

fn find<'a>(sets: &'a [StatefulSet], name: &str) -> Option<&'a StatefulSet> {
    sets.iter().find(|set| set.metadata.name.as_deref() == Some(name))
}

fn set_readiness(
    draft: &mut Draft,
    cluster: &ValidatedCluster,
    groups: &[GroupState<'_>],
    waiting: &[Waiting],
    troubles: &[Trouble],
) {
    let unready = groups.iter().filter_map(|group| match &group.readiness {
        Some(readiness) if !readiness.is_ready() => Some(format!("{}: {readiness}", group.set)),
        _ => None,
    });
    let of_mirrors = troubles.iter().map(ToString::to_string);
    let reasons: Vec<String> =
        of_mirrors.chain(unready).chain(waiting.iter().map(ToString::to_string)).collect();
    let is_forbidden = cluster.found.mirrors.values().any(|finding| *finding == Finding::Forbidden);
    let not_asked = format!("; which one is primary is not asked: {NOT_GRANTED}");
    let also = if is_forbidden { not_asked.as_str() } else { "" };
    if reasons.is_empty() {
        return draft.set(True, Ready::AllNodesReady, format!("every node is ready{also}"));
    }
    // That nobody knows where writes go is graver than that a node is missing.
    let reason = troubles.first().map_or(Ready::NodesNotReady, |trouble| trouble.reason);
    draft.set(False, reason, format!("{}{also}", reasons.join("; ")));
}

fn nodes(cluster: &ValidatedCluster, groups: &[GroupState<'_>]) -> NodesStatus {
    let mut nodes = NodesStatus::default();
    for GroupState { set, observed, .. } in groups {
        let found = observed.map_or_else(|| cluster.found_replicas(*set), |observed| observed.replicas);
        let desired = cluster.replicas(set.component).unwrap_or(found);
        let ready = observed.map_or(0, |observed| observed.ready_replicas);
        let group = match set.component {
            Component::Arbiter => &mut nodes.arbiter,
            Component::Data => &mut nodes.data,
            Component::Compute => &mut nodes.compute,
            Component::Webgateway => &mut nodes.webgateway,
            Component::Sam => &mut nodes.sam,
            Component::Iam => &mut nodes.iam,
        };
        let mut zones = zones_of_ready(cluster, *set, desired);
        let (others, ready_others) = group.as_ref().map_or((0, 0), |group| (group.desired, group.ready));
        zones.extend(group.take().into_iter().flat_map(|group| group.zones));
        *group = Some(NodeGroupStatus::new(
            desired.saturating_add(others),
            ready.saturating_add(ready_others),
            zones,
        ));
    }
    nodes
}

fn selector_text(cluster: &ValidatedCluster) -> String {
    let selector = build_selector(cluster, NodeSet::whole(Component::Compute));
    selector.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests;
