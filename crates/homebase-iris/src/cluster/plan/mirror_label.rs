//! Decides the first label `intersystems.com/mirrorRole` of a data pod. Must not move a label that is there: only
//! what IRIS itself answers may do that.

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
    let primary_exists = cluster
        .found
        .data_pods
        .values()
        .any(|pod| pod.mirror_role.as_deref() == Some(MirrorRole::Primary.as_str()));
    let mut labels = Vec::new();
    for (ordinal, &mapped) in map.roles().iter().enumerate() {
        let name = cluster.key.data_pod(true, ordinal);
        let Some(pod) = cluster.found.data_pods.get(&name).filter(|pod| pod.mirror_role.is_none()) else {
            continue;
        };
        let role = if mapped == MirrorRole::Primary && primary_exists { MirrorRole::Backup } else { mapped };
        labels.push(MirrorLabel {
            pod: name,
            uid: pod.uid.clone(),
            resource_version: pod.resource_version.clone(),
            role,
        });
    }
    labels
}
