//! Decides whether the names of a cluster's children can exist, and whether the cluster is still what it was built
//! as. Must not look at pods.

use homebase_api::{IrisCluster, IrisClusterStatus};

use crate::cluster::names::{ClusterName, HEADLESS_SERVICE, NodeSet};
use crate::cluster::observed::{ChildKind, Dereferenced};
use crate::cluster::primary::last_primary;
use crate::cluster::validated::{Data, ValidatedCluster};
use crate::report::{InvalidKind, Report};
use homebase_api::labels::Component;
use homebase_api::limits::CLUSTER_NAME_LENGTH;

/// Name and namespace of the cluster.
pub(super) fn validate_identity(cluster: &IrisCluster, report: &mut Report) -> ClusterName {
    let name = cluster.metadata.name.clone().unwrap_or_default();
    let namespace = cluster.metadata.namespace.clone().unwrap_or_else(|| "default".to_owned());
    let path = "metadata.name";
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.chars().all(plain) || name.ends_with('-')
    {
        report.invalid(
            path,
            "must begin with a lower case letter and have only lower case letters, digits and `-`: it becomes \
             the name of a Service",
        );
    } else if name.len() > CLUSTER_NAME_LENGTH {
        report.invalid(
            path,
            format!("must have {CLUSTER_NAME_LENGTH} characters at most: it begins the names of pods"),
        );
    } else if name == HEADLESS_SERVICE {
        report
            .invalid(path, format!("{HEADLESS_SERVICE} is the name of the Service that all clusters share"));
    }
    ClusterName { namespace, name }
}

/// Refuses a mirror map that ends before the member that is primary now: it would be the first to go.
pub(super) fn refuse_lost_primary(cluster: &ValidatedCluster, report: &mut Report) {
    let Some(map) = cluster.mirror_map() else { return };
    let members = map.roles().len();
    for set in cluster.data_sets() {
        let Some(primary) = last_primary(cluster, set.shard.unwrap_or_default()) else { continue };
        let stays = (0..members).any(|ordinal| cluster.key.pod(set, ordinal) == primary);
        if !stays && cluster.found.pods.contains_key(primary) {
            report.refuse(
                InvalidKind::Immutable,
                "spec.topology.data.mirrorMap",
                format!("{primary} is the primary now: have a member that stays take over before you shorten the map"),
            );
        }
    }
}

/// Refuses a cluster whose data nodes are there in the other form: applying it would tear them down.
pub(super) fn refuse_changed_form(
    key: &ClusterName,
    mirrored: bool,
    found: &Dereferenced,
    report: &mut Report,
) {
    let is_other = |name: &&str| data_set(key, name).is_some_and(|set| set.shard.is_some() != mirrored);
    if let Some(other) = existing_sets(found).find(is_other) {
        report.refuse(
            InvalidKind::Immutable,
            "spec.topology.data.mirrored",
            format!("cannot change while the StatefulSet {other} exists: set it back to {}", !mirrored),
        );
    }
}

/// Refuses a cluster that has more shards than its spec: each of them holds a part of the data.
///
/// A mirror per shard is a StatefulSet, which shows by its name. Otherwise shards are pods of one StatefulSet, of which
/// somebody may have asked for too many by hand; in a sharded cluster they have joined it by then, elsewhere the number
/// that we told last says whether they are ours.
pub(super) fn refuse_lost_shards(
    key: &ClusterName,
    data: &Data,
    status: Option<&IrisClusterStatus>,
    found: &Dereferenced,
    report: &mut Report,
) {
    let wanted = data.shards.unwrap_or(1);
    let shards = if data.mirror.is_some() {
        existing_sets(found).filter_map(|name| data_set(key, name)?.shard).max().map(|shard| shard + 1)
    } else {
        let told = status.and_then(|status| status.nodes.as_ref()?.data.as_ref()).map(|data| data.desired);
        let set = key.stateful_set(NodeSet::whole(Component::Data));
        let there = found.stateful_sets.get(&set).map(|set| set.replicas);
        let is_ours = data.shards.is_some() || told.is_some_and(|told| told > 1);
        there.filter(|_| is_ours).and_then(|pods| usize::try_from(pods).ok())
    };
    if let Some(shards) = shards.filter(|shards| *shards > wanted) {
        report.refuse(
            InvalidKind::Immutable,
            "spec.topology.data.shards",
            format!("cannot shrink while {shards} shards exist, because each holds a part of the data: set it to {shards}"),
        );
    }
}

/// Names of the cluster's StatefulSets.
fn existing_sets(found: &Dereferenced) -> impl Iterator<Item = &str> {
    let sets = found.existing.iter().filter(|child| child.kind == ChildKind::StatefulSet);
    sets.map(|child| child.name.as_str()).chain(found.stateful_sets.keys().map(String::as_str))
}

/// The StatefulSet of data nodes that has this name.
fn data_set(key: &ClusterName, name: &str) -> Option<NodeSet> {
    let whole = NodeSet::whole(Component::Data);
    let rest = name.strip_prefix(&key.stateful_set(whole))?;
    if rest.is_empty() {
        return Some(whole);
    }
    let shard = Some(rest.strip_prefix('-')?.parse().ok()?);
    Some(NodeSet { shard, ..whole })
}

#[cfg(test)]
mod tests;
