//! Decides which pods stand in the way of a mended spec: they never started, and their StatefulSet waits for them before it
//! gives any pod its new template. Must not name a pod that has run: what it did is not known.
//!
//! Kubernetes leaves this to people (a "forced rollback"): pods that come one by one are awaited before an update goes on,
//! also one that waits for a node or an image that there never was.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, Pod};
use kube_core::ResourceExt as _;

use super::readiness::is_applied;
use super::restart::{REVISION, Restart, is_marked, is_owned, selector_text};
use crate::cluster::names::NodeSet;
use crate::cluster::observed::{ObservedStatefulSet, PodState};
use crate::cluster::validated::ValidatedCluster;

/// The phase of a pod whose containers have not all started.
const PENDING: &str = "Pending";

/// A StatefulSet that waits for a pod which never started and is of an earlier template.
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
    if !waits_for_pods(planned) || !is_applied(planned, Some(observed)) || !is_settled {
        return None;
    }
    let ordinals = 0..usize::try_from(observed.replicas).unwrap_or_default();
    let mut pods = ordinals.filter_map(|ordinal| cluster.found.pods.get(&cluster.key.pod(set, ordinal)));
    let is_stuck = pods.any(|pod| {
        pod.state == PodState::Pending && pod.revision.is_some() && pod.revision != observed.update_revision
    });
    is_stuck.then(|| StuckSet {
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
    if observed.uid != stuck.uid || !is_settled || !waits_for_pods(set) {
        return None;
    }
    let is_in_the_way = |pod: &&Pod| {
        let of_earlier = pod.labels().get(REVISION).is_some_and(|found| found != revision);
        never_started(pod)
            && of_earlier
            && is_owned(pod, &stuck.uid)
            && pod.metadata.deletion_timestamp.is_none()
    };
    let pod = pods.iter().find(is_in_the_way)?;
    Some(Restart { pod: pod.name_any(), uid: pod.uid()? })
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

/// Whether a StatefulSet awaits each pod, and gives pods a new template by itself.
fn waits_for_pods(set: &StatefulSet) -> bool {
    let Some(spec) = &set.spec else { return false };
    let strategy = spec.update_strategy.as_ref().and_then(|strategy| strategy.type_.as_deref());
    spec.pod_management_policy.as_deref() == Some("OrderedReady")
        && strategy == Some("RollingUpdate")
        && !is_marked(set)
}

#[cfg(test)]
mod tests;
