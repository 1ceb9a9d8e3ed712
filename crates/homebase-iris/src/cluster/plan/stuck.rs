//! Decides which pods stand in the way of their StatefulSet, so that it gives no pod its new template. Must not name a pod
//! that is of the present one.
//!
//! Kubernetes leaves both cases to people. Pods that come one by one are awaited before an update goes on, also one that
//! waits for a node or an image that there never was (a "forced rollback"): of these only pods go that have never run. And
//! a set that was made anew with more volumes tries for ever to add them to the pods that it took on, which no pod bears:
//! these restart for their new template anyway, one by one.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, Pod};
use kube_core::ResourceExt as _;

use super::readiness::is_applied;
use super::restart::{REVISION, Restart, is_marked, is_owned, is_ready, selector_text};
use crate::cluster::names::NodeSet;
use crate::cluster::observed::{ObservedStatefulSet, PodState};
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
}

/// Whether a StatefulSet waits for such a pod. Those with another order or strategy go on by themselves, or are the
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
    let waits_for_one = waits_for_pods(planned)
        && pods.any(|pod| {
            pod.state == PodState::Pending
                && pod.revision.is_some()
                && pod.revision != observed.update_revision
        });
    // It begins with two revisions that are the same; pods of another one are those that it took on.
    let took_on_pods = observed.current_revision == observed.update_revision
        && observed.has_old_pods()
        && claim_templates(planned).next().is_some();
    (waits_for_one || took_on_pods).then(|| StuckSet {
        set,
        stateful_set: cluster.key.stateful_set(set),
        uid: observed.uid.clone(),
        selector: selector_text(cluster, set),
    })
}

/// The pod that is to go, from the StatefulSet and its pods as they are at this moment.
pub fn stuck_pod(stuck: &StuckSet, set: &StatefulSet, pods: &[Pod]) -> Option<Restart> {
    let observed = ObservedStatefulSet::from(set);
    let revision = observed.update_revision.as_ref()?;
    let is_settled = observed.observed_generation >= observed.generation;
    if observed.uid != stuck.uid || !is_settled || !gives_templates(set) {
        return None;
    }
    let owned: Vec<&Pod> = pods.iter().filter(|pod| is_owned(pod, &stuck.uid)).collect();
    let is_earlier = |pod: &&&Pod| {
        let of_earlier = pod.labels().get(REVISION).is_some_and(|found| found != revision);
        of_earlier && pod.metadata.deletion_timestamp.is_none()
    };
    let earlier: Vec<_> = owned.iter().filter(is_earlier).collect();
    let is_on_its_way = |pod: &&Pod| pod.metadata.deletion_timestamp.is_some() || !is_ready(pod);
    let pod = match earlier.iter().find(|pod| waits_for_pods(set) && never_started(pod)) {
        Some(pod) => pod,
        None if owned.iter().any(is_on_its_way) => return None,
        // The set comes to no pod behind the first one that it cannot add a volume to.
        None => earlier.iter().filter(|pod| lacks_a_volume(set, pod)).min_by_key(|pod| ordinal(pod))?,
    };
    Some(Restart { pod: pod.name_any(), uid: pod.uid()? })
}

fn ordinal(pod: &Pod) -> Option<usize> {
    pod.name_any().rsplit_once('-')?.1.parse().ok()
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
