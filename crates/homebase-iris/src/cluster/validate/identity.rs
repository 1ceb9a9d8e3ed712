//! Decides whether the names of a cluster's children can exist, and whether the cluster is still what it was built
//! as. Must not look at pods.

use homebase_api::IrisCluster;

use crate::cluster::names::{ClusterName, HEADLESS_SERVICE, NodeSet};
use crate::cluster::observed::{ChildKind, Dereferenced};
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

/// Refuses a cluster whose data nodes are there in the other form: applying it would tear them down.
pub(super) fn refuse_changed_form(
    key: &ClusterName,
    mirrored: bool,
    found: &Dereferenced,
    report: &mut Report,
) {
    let other = NodeSet { component: Component::Data, shard: (!mirrored).then_some(0) };
    let other = key.stateful_set(other);
    let exists = |child: &crate::cluster::observed::ObservedChild| {
        child.kind == ChildKind::StatefulSet && child.name == other
    };
    if found.existing.iter().any(exists) {
        report.refuse(
            InvalidKind::Immutable,
            "spec.topology.data.mirrored",
            format!("cannot change while the StatefulSet {other} exists: set it back to {}", !mirrored),
        );
    }
}
