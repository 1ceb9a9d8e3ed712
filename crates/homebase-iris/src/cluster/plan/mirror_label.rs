//! Decides the label `intersystems.com/mirrorRole` of the data pods. Only what IRIS itself answers moves a label that is
//! there; must not decide what the answers mean.

use homebase_api::iriscluster::MirrorRole;
use homebase_api::labels::Component;
use homebase_api::{IrisCluster, IrisClusterStatus};

use crate::cluster::mirror::MirrorMap;
use crate::cluster::names::{ClusterName, NodeSet};
use crate::cluster::observed::{Dereferenced, ObservedPod};
use crate::cluster::primary::{Finding, heard, known, mirror_map, mirror_members};
use crate::cluster::validated::ValidatedCluster;

/// A label that a pod is to have.
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

/// The labels of the data pods that are not as they should be, mirror by mirror. They are to be set in this order, and none
/// after one that could not be set: who is to be `primary` comes last, so that two pods never have that label at once.
pub(super) fn plan_mirror_labels(cluster: &ValidatedCluster) -> Vec<MirrorLabel> {
    let Some(map) = cluster.mirror_map() else { return Vec::new() };
    let ValidatedCluster { key, found, previous, .. } = cluster;
    let mirrors = Mirrors { key, map, found, previous: previous.as_ref() };
    cluster.data_sets().into_iter().flat_map(|set| plan_labels_of(&mirrors, set)).collect()
}

/// The same for a cluster whose spec is refused: what runs keeps running, and may fail over.
pub fn mirror_labels(cluster: &IrisCluster, found: &Dereferenced) -> Vec<MirrorLabel> {
    let Some(map) = mirror_map(cluster) else { return Vec::new() };
    let key = ClusterName::of(cluster);
    let mirrors = Mirrors { key: &key, map: &map, found, previous: cluster.status.as_ref() };
    let shards = mirror_members(cluster).into_iter().map(|members| Some(members.shard));
    let sets = shards.map(|shard| NodeSet { component: Component::Data, shard });
    sets.flat_map(|set| plan_labels_of(&mirrors, set)).collect()
}

/// What the labels of the mirrors of a cluster depend on.
struct Mirrors<'a> {
    key: &'a ClusterName,
    map: &'a MirrorMap,
    found: &'a Dereferenced,
    previous: Option<&'a IrisClusterStatus>,
}

/// The labels of one mirror.
fn plan_labels_of(mirrors: &Mirrors<'_>, set: NodeSet) -> Vec<MirrorLabel> {
    let Mirrors { key, map, found, .. } = *mirrors;
    let shard = set.shard.unwrap_or_default();
    let prefix = format!("{}-", key.stateful_set(set));
    // A member that is on its way out of the mirror counts as well while it is there.
    let pods = found.pods.iter().filter(|(name, pod)| name.starts_with(&prefix) && is_ours(found, pod));
    let is_primary = |name: &str, pod: &ObservedPod| match heard(found, shard) {
        Finding::Primary { pod: primary, uid, .. } => Some(name == primary && pod.uid == *uid),
        _ => None,
    };
    // The pod that answered may have been replaced since: then nobody has said anything of those that are there.
    let is_heard = pods.clone().any(|(name, pod)| is_primary(name, pod) == Some(true));
    let is_labelled = |pod: &ObservedPod| pod.mirror_role.as_deref() == Some(MirrorRole::Primary.as_str());
    let has_primary = pods.clone().any(|(_, pod)| is_labelled(pod));
    let first = first_primary(mirrors, set);
    let mut labels: Vec<MirrorLabel> = pods
        .filter_map(|(name, pod)| {
            let mapped = (0..map.roles().len())
                .find(|ordinal| key.pod(set, *ordinal) == *name)
                .and_then(|ordinal| map.role(ordinal));
            let other =
                mapped.map(|role| if role == MirrorRole::Primary { MirrorRole::Backup } else { role });
            let role = match is_primary(name, pod) {
                Some(true) => Some(MirrorRole::Primary),
                Some(false) if is_heard => other.or(is_labelled(pod).then_some(MirrorRole::Backup)),
                // Nobody has said who is primary: what is there stays, and what is new takes its place.
                _ if pod.mirror_role.is_some() => None,
                None if !has_primary && first == *name => Some(MirrorRole::Primary),
                _ => other,
            }?;
            (pod.mirror_role.as_deref() != Some(role.as_str())).then(|| MirrorLabel {
                pod: name.clone(),
                uid: pod.uid.clone(),
                resource_version: pod.resource_version.clone(),
                role,
            })
        })
        .collect();
    labels.sort_by_key(|label| label.role == MirrorRole::Primary);
    labels
}

/// Whether a pod is not somebody else's: a StatefulSet that was not taken over has pods with the names and labels of ours.
fn is_ours(found: &Dereferenced, pod: &ObservedPod) -> bool {
    let is_of = |uid: &String| found.stateful_sets.values().any(|set| set.uid == *uid);
    pod.controller.as_ref().is_none_or(is_of)
}

/// The pod that is labelled as primary where none is and nobody says who is: the one that was heard last, or the first of
/// a mirror that has never answered.
fn first_primary(mirrors: &Mirrors<'_>, set: NodeSet) -> String {
    let shard = set.shard.unwrap_or_default();
    let known = known(mirrors.previous, shard).and_then(|known| known.primary.clone());
    known.unwrap_or_else(|| mirrors.key.pod(set, 0))
}

#[cfg(test)]
mod tests;
