//! Builds labels, selectors, owners and metadata of children. Users and selectors rely on every label: must not
//! leave one out.

use std::collections::BTreeMap;

use crate::cluster::names::NodeSet;
use homebase_api::IrisCluster;
use homebase_api::labels::{self, Component};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube_core::Resource as _;

use crate::cluster::validated::ValidatedCluster;

/// The shard that holds what is not sharded.
pub(crate) const FIRST_SHARD: &str = "0";

/// The labels by which the pods of a StatefulSet are selected.
///
/// The shard is part of it where each shard has a StatefulSet of its own: when mirrored. A selector cannot change,
/// so it must not have the shard where one StatefulSet is to hold them all.
pub(crate) fn build_selector(cluster: &ValidatedCluster, set: NodeSet) -> BTreeMap<String, String> {
    let mut selector = map([
        (labels::KIND, labels::KIND_IRIS_CLUSTER),
        (labels::NAME, &cluster.key.name),
        (labels::COMPONENT, set.component.as_str()),
        (labels::ROLE, labels::ROLE_IRIS),
    ]);
    if let Some(shard) = set.shard {
        selector.insert(labels::SHARD.to_owned(), shard.to_string());
    }
    selector
}

/// The labels of every child that belongs to a StatefulSet.
///
/// Where one StatefulSet holds all shards its pods have one template, and so all of them the first shard: they serve
/// alike, and the Service that selects it leads to any of them.
pub(crate) fn build_labels(cluster: &ValidatedCluster, set: NodeSet) -> BTreeMap<String, String> {
    let mut all = build_selector(cluster, set);
    all.insert(labels::MANAGED_BY.to_owned(), labels::MANAGED_BY_HOMEBASE.to_owned());
    if set.component == Component::Data {
        all.entry(labels::SHARD.to_owned()).or_insert_with(|| FIRST_SHARD.to_owned());
    }
    all
}

/// Metadata of a child.
pub(crate) fn build_meta(cluster: &ValidatedCluster, set: NodeSet, name: String) -> ObjectMeta {
    ObjectMeta {
        name: Some(name),
        namespace: Some(cluster.key.namespace.clone()),
        labels: Some(build_labels(cluster, set)),
        owner_references: Some(vec![build_owner(cluster)]),
        ..ObjectMeta::default()
    }
}

fn build_owner(cluster: &ValidatedCluster) -> OwnerReference {
    OwnerReference {
        api_version: IrisCluster::api_version(&()).into_owned(),
        kind: IrisCluster::kind(&()).into_owned(),
        name: cluster.key.name.clone(),
        uid: cluster.uid.clone(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

/// A map of texts.
pub(crate) fn map<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}
