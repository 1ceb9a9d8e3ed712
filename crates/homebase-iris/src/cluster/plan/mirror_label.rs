//! Decides the first label `intersystems.com/mirrorRole` of a data pod. Must not move a label that is there: only
//! what IRIS itself answers may do that.

use crate::cluster::mirror::MirrorMap;
use crate::cluster::names::NodeSet;
use crate::cluster::observed::ObservedPod;
use crate::cluster::validated::ValidatedCluster;
use homebase_api::iriscluster::MirrorRole;

/// A label for a pod that has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MirrorLabel {
    /// Name of the pod.
    pub pod: String,
    /// UID of the pod: a precondition.
    pub uid: String,
    /// resourceVersion of the pod: a precondition.
    pub resource_version: String,
    /// The value of the label.
    pub role: MirrorRole,
}

/// Labels for the data pods that have none, each from its place in the mirror map.
///
/// Member 0 becomes `backup` when another pod is `primary` already: it was replaced after a failover, and two pods
/// behind the Service would split the writes.
pub(super) fn plan_mirror_labels(cluster: &ValidatedCluster) -> Vec<MirrorLabel> {
    let Some(map) = cluster.mirror_map() else { return Vec::new() };
    cluster.data_sets().into_iter().flat_map(|set| plan_labels_of(cluster, set, map)).collect()
}

/// The labels of one mirror.
fn plan_labels_of(cluster: &ValidatedCluster, set: NodeSet, map: &MirrorMap) -> Vec<MirrorLabel> {
    // A member that is on its way out of the mirror counts as well while it is there.
    let prefix = format!("{}-", cluster.key.stateful_set(set));
    let is_primary = |pod: &ObservedPod| pod.mirror_role.as_deref() == Some(MirrorRole::Primary.as_str());
    let pods = cluster.found.pods.iter();
    let primary_exists = pods.filter(|(name, _)| name.starts_with(&prefix)).any(|(_, pod)| is_primary(pod));
    let members = map.roles().iter().enumerate().filter_map(|(ordinal, &mapped)| {
        let name = cluster.key.pod(set, ordinal);
        let pod = cluster.found.pods.get(&name)?;
        Some((name, pod, mapped))
    });
    let unlabelled = members.filter(|(_, pod, _)| pod.mirror_role.is_none());
    unlabelled
        .map(|(pod, observed, mapped)| MirrorLabel {
            pod,
            uid: observed.uid.clone(),
            resource_version: observed.resource_version.clone(),
            role: if mapped == MirrorRole::Primary && primary_exists { MirrorRole::Backup } else { mapped },
        })
        .collect()
}
