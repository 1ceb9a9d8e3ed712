//! Decides which pods stand in the way of their StatefulSet, so that it gives no pod its new template. Must not name a pod
//! that is of the present one.
//!
//! Kubernetes leaves both cases to people. Pods that come one by one are awaited before an update goes on, also one that
//! waits for a node or an image that there never was (a "forced rollback"): of these only pods go that have never run. And
//! a set that was made anew with more volumes tries for ever to add them to the pods that it took on, which no pod bears:
//! these restart for their new template anyway, one by one. Each of them has run, so that it goes only when all others are
//! there and ready, when its claims wait for the next one, and when a mirror can do without it.

use std::collections::BTreeMap;

use homebase_api::iriscluster::MirrorRole;
use homebase_api::labels::Component;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, Pod};
use kube_core::ResourceExt as _;

use super::readiness::is_applied;
use super::restart::{
    Hold, REVISION, Restart, RestartStep, is_marked, is_owned, is_ready, keeps_member, mirror_roles,
    selector_text,
};
use crate::cluster::names::NodeSet;
use crate::cluster::observed::{ObservedClaim, ObservedPod, ObservedStatefulSet, PodState};
use crate::cluster::primary::{Finding, has_answered};
use crate::cluster::validated::ValidatedCluster;

/// The phase of a pod whose containers have not all started.
const PENDING: &str = "Pending";

/// A StatefulSet that some pod of an earlier template stands in the way of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StuckSet {
    /// The nodes that are stuck.
    pub set: NodeSet,
    /// Name of the StatefulSet.
    pub stateful_set: String,
    /// UID of the StatefulSet.
    pub uid: String,
    /// The labels by which its pods are selected.
    pub selector: String,
    /// The members by ordinal of a mirror that has ever answered: name of the pod, and the role that it has while another
    /// one is primary. Empty of all others.
    pub members: Vec<(String, MirrorRole)>,
}

/// What is done about a StatefulSet that is stuck.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StuckStep {
    /// No pod stands in its way.
    Nothing,
    /// This pod, which never ran, goes.
    Restart(Restart),
    /// A pod lacks a volume and may not go yet.
    Hold(Hold),
    /// A pod lacks a volume and goes when [`replace_step`] lets it.
    Replace(Replacement),
}

/// A pod that lacks a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replacement {
    /// The pod.
    pub restart: Restart,
    /// The claims that the next pod of its name needs.
    pub claims: Vec<String>,
}

impl StuckSet {
    /// The shard whose mirror is to be asked who is primary before a pod of it goes that has run.
    pub fn mirror(&self) -> Option<usize> {
        self.set.shard.filter(|_| !self.members.is_empty())
    }
}

/// Whether a StatefulSet may wait for such a pod. Those with another order or strategy go on by themselves, or are the
/// user's or the hub's to restart.
pub(super) fn plan_stuck(
    cluster: &ValidatedCluster,
    set: NodeSet,
    planned: &StatefulSet,
    observed: Option<&ObservedStatefulSet>,
) -> Option<StuckSet> {
    let observed = observed?;
    let is_settled =
        observed.observed_generation >= observed.generation && observed.update_revision.is_some();
    if !is_applied(planned, Some(observed)) || !is_settled || !gives_templates(planned) {
        return None;
    }
    let ordinals = 0..usize::try_from(observed.replicas).unwrap_or_default();
    let mut pods = ordinals.filter_map(|ordinal| cluster.found.pods.get(&cluster.key.pod(set, ordinal)));
    let waits_for_one = waits_for_pods(planned) && pods.any(|pod| never_got_template(pod, observed));
    // Only a look at the pods tells whether the set took them on without a volume: its revisions are the same at first, but
    // not after another change, and never again where the hub restarts the pods.
    let may_lack_a_volume = observed.has_old_pods() && claim_templates(planned).next().is_some();
    (waits_for_one || may_lack_a_volume).then(|| StuckSet {
        set,
        stateful_set: cluster.key.stateful_set(set),
        uid: observed.uid.clone(),
        selector: selector_text(cluster, set),
        members: set
            .shard
            .filter(|shard| has_answered(cluster, *shard))
            .and_then(|_| mirror_roles(cluster, set))
            .unwrap_or_default(),
    })
}

/// Whether a pod of an earlier template has not started.
fn never_got_template(pod: &ObservedPod, observed: &ObservedStatefulSet) -> bool {
    pod.state == PodState::Pending && pod.revision.is_some() && pod.revision != observed.update_revision
}

/// Whether a StatefulSet is to make pods anew from its present template only.
///
/// Without a partition it makes the lower ones from the template before, as many as there were of that
/// (`newVersionedStatefulSetPod`, Kubernetes 1.36): good while that one is good, for then a broken one reaches no more pods.
/// But a pod that never started for its sake would come back as it was, for ever. Below a partition pods are of the
/// template before, and nothing is below 0. So the set has it until that pod and all that wait for it are there.
pub(crate) fn needs_present_template(cluster: &ValidatedCluster, set: NodeSet) -> bool {
    let Some(observed) = cluster.found.stateful_sets.get(&cluster.key.stateful_set(set)) else {
        return false;
    };
    let has_it = match observed.partition {
        None => false,
        Some(0) => true,
        // It is somebody's who wants the template before there.
        Some(_) => return false,
    };
    if observed.observed_generation < observed.generation {
        return has_it;
    }
    let pods = cluster.replicas(set.component).and_then(|pods| usize::try_from(pods).ok());
    let needs = |ordinal| match cluster.found.pods.get(&cluster.key.pod(set, ordinal)) {
        Some(pod) => never_got_template(pod, observed),
        None => has_it,
    };
    set.component == Component::Data
        && observed.current_revision != observed.update_revision
        && (0..pods.unwrap_or_default()).any(needs)
}

/// Whether the controller of a StatefulSet would make this pod anew from the present template.
fn gets_present_template(observed: &ObservedStatefulSet, ordinal: usize) -> bool {
    let is_reached = |partition| usize::try_from(partition).is_ok_and(|partition| ordinal >= partition);
    observed.current_revision == observed.update_revision || observed.partition.is_some_and(is_reached)
}

/// What is to be done, from the StatefulSet and its pods as they are at this moment.
pub fn stuck_step(stuck: &StuckSet, set: &StatefulSet, pods: &[Pod]) -> StuckStep {
    let observed = ObservedStatefulSet::from(set);
    let is_settled = observed.observed_generation >= observed.generation;
    let Some(revision) = observed.update_revision.as_ref().filter(|_| is_settled) else {
        return StuckStep::Nothing;
    };
    if observed.uid != stuck.uid || !gives_templates(set) {
        return StuckStep::Nothing;
    }
    let wanted = 0..usize::try_from(observed.replicas).unwrap_or_default();
    let owned = pods.iter().filter(|pod| is_owned(pod, &stuck.uid));
    let owned: BTreeMap<usize, &Pod> = owned
        .filter_map(|pod| Some((ordinal(pod)?, pod)))
        .filter(|(ordinal, _)| wanted.contains(ordinal))
        .collect();
    let earlier = owned.iter().filter(|(_, pod)| {
        let of_earlier = pod.labels().get(REVISION).is_some_and(|found| found != revision);
        of_earlier && pod.metadata.deletion_timestamp.is_none()
    });
    let restart = |pod: &Pod| Some(Restart { pod: pod.name_any(), uid: pod.uid()? });
    if waits_for_pods(set)
        && let Some((_, pod)) = earlier
            .clone()
            .find(|(ordinal, pod)| never_started(pod) && gets_present_template(&observed, **ordinal))
    {
        return restart(pod).map_or(StuckStep::Nothing, StuckStep::Restart);
    }
    // The set comes to no pod behind the first one that it cannot add a volume to.
    let mut lacking = earlier.filter(|(_, pod)| lacks_a_volume(set, pod));
    let Some((first, pod, restart)) = lacking.find_map(|(first, pod)| Some((*first, *pod, restart(pod)?)))
    else {
        return StuckStep::Nothing;
    };
    // One that is not there is away as well: it may be the one that went before and cannot come back.
    let is_there = |ordinal: usize| {
        let pod = owned.get(&ordinal);
        pod.is_some_and(|pod| is_ready(pod) && pod.metadata.deletion_timestamp.is_none())
    };
    if let Some(away) = wanted.into_iter().find(|ordinal| *ordinal != first && !is_there(*ordinal)) {
        let name = format!("{}-{away}", stuck.stateful_set);
        let comes_later = away > first && !owned.contains_key(&away);
        return StuckStep::Hold(if comes_later {
            Hold::Behind(name, restart.pod)
        } else {
            Hold::NotReady(name)
        });
    }
    StuckStep::Replace(Replacement { claims: claims_of(set, pod).collect(), restart })
}

/// Whether a pod that lacks a volume goes now, with the claims as they are at this moment and, where [`StuckSet::mirror`]
/// asks for it, what the members of the mirror answer.
///
/// The claims come first: the controller makes those of a pod before it tries to add them to it, and where it cannot (a
/// quota, a storage class), the pod could not come back.
pub fn replace_step(
    stuck: &StuckSet,
    replacement: Replacement,
    pods: &[Pod],
    claims: Option<&BTreeMap<String, ObservedClaim>>,
    finding: &Finding,
) -> RestartStep {
    let Some(known) = claims else { return RestartStep::Hold(Hold::ClaimsUnknown) };
    let Replacement { restart, claims } = replacement;
    let is_missing = |claim: &String| known.get(claim).is_none_or(|claim| claim.deleting);
    if let Some(missing) = claims.into_iter().find(is_missing) {
        return RestartStep::Hold(Hold::NoClaim(missing));
    }
    let kept = (!stuck.members.is_empty())
        .then(|| keeps_member(&stuck.members, &stuck.uid, pods, &restart.pod, finding))
        .flatten();
    kept.map_or(RestartStep::Restart(restart), RestartStep::Hold)
}

fn ordinal(pod: &Pod) -> Option<usize> {
    pod.name_any().rsplit_once('-')?.1.parse().ok()
}

/// The claims that the controller of a StatefulSet gives to a pod.
fn claims_of(set: &StatefulSet, pod: &Pod) -> impl Iterator<Item = String> {
    let pod = pod.name_any();
    claim_templates(set).map(move |template| format!("{template}-{pod}"))
}

fn claim_templates(set: &StatefulSet) -> impl Iterator<Item = &str> {
    let templates = set.spec.as_ref().and_then(|spec| spec.volume_claim_templates.as_deref());
    templates.unwrap_or_default().iter().filter_map(|claim| claim.metadata.name.as_deref())
}

/// Whether a pod was made before its set had all of its claims.
fn lacks_a_volume(set: &StatefulSet, pod: &Pod) -> bool {
    let volumes = pod.spec.as_ref().and_then(|spec| spec.volumes.as_deref()).unwrap_or_default();
    let has = |claim: &str| {
        let wanted = format!("{claim}-{}", pod.name_any());
        // A volume of this name may also be one that goes with the pod.
        let found = volumes.iter().filter(|volume| volume.name == claim);
        found
            .filter_map(|volume| volume.persistent_volume_claim.as_ref())
            .any(|source| source.claim_name == wanted)
    };
    !claim_templates(set).all(has)
}

/// Whether no container of a pod has ever run, those that prepare it among them: one may be filling a volume.
pub fn never_started(pod: &Pod) -> bool {
    let Some(status) = &pod.status else { return false };
    let lists =
        [&status.init_container_statuses, &status.container_statuses, &status.ephemeral_container_statuses];
    let mut containers = lists.into_iter().flatten().flatten();
    let has_run = |container: &ContainerStatus| {
        let ran = |state: &Option<ContainerState>| {
            state.as_ref().is_some_and(|state| state.running.is_some() || state.terminated.is_some())
        };
        container.restart_count > 0 || ran(&container.state) || ran(&container.last_state)
    };
    status.phase.as_deref() == Some(PENDING) && !containers.any(has_run)
}

/// Whether pods get a new template without a user who deletes them.
fn gives_templates(set: &StatefulSet) -> bool {
    let strategy = set.spec.as_ref().and_then(|spec| spec.update_strategy.as_ref());
    strategy.and_then(|strategy| strategy.type_.as_deref()) == Some("RollingUpdate") || is_marked(set)
}

/// Whether a StatefulSet awaits each pod before it gives the next one a new template by itself.
fn waits_for_pods(set: &StatefulSet) -> bool {
    let order = set.spec.as_ref().and_then(|spec| spec.pod_management_policy.as_deref());
    order == Some("OrderedReady") && gives_templates(set) && !is_marked(set)
}

#[cfg(test)]
mod tests;
