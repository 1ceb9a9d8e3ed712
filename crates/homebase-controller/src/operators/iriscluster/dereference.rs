//! The first step of a reconcile: everything besides the resource itself that its plan depends on. It reads what
//! the watches have brought and asks the apiserver for nothing.

use std::collections::{BTreeMap, BTreeSet};

use homebase_api::IrisCluster;
use homebase_core::ObjectKey;
use homebase_iris::cluster::{
    ChildKind, ConfigSource, Dereferenced, ObservedChild, ObservedPod, ObservedStatefulSet, Placement,
    places_members,
};
use homebase_kube::apply::key_of;
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use kube::ResourceExt as _;

use super::{Child, IrisClusterReconciler, Source, source_key};

/// A child of which nothing matters but that it is there and whether it was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Uninspected;

impl From<&Service> for Uninspected {
    fn from(_: &Service) -> Self {
        Self
    }
}

impl From<&ConfigMap> for Uninspected {
    fn from(_: &ConfigMap) -> Self {
        Self
    }
}

impl IrisClusterReconciler {
    /// The UID of a data pod that is there and not on its way out.
    pub(super) fn pod_uid(&self, pod: &ObjectKey) -> Option<String> {
        self.pods.get(pod).filter(|pod| !pod.deleting).map(|pod| pod.observed.uid)
    }

    /// What a plan depends on; none while the ConfigMap of `spec.configSource` has not been listed yet, or the zones of
    /// nodes and the policy for them are just being looked at. Who brings them wakes the cluster.
    pub(super) fn dereference(&self, cluster: &IrisCluster) -> Option<Dereferenced> {
        let config_source = match source_key(cluster) {
            None => ConfigSource::NotReferenced,
            Some(key) => match self.sources.get(&key) {
                Source::Unknown => return None,
                Source::Missing => ConfigSource::Missing,
                Source::Found(data) => ConfigSource::Found(data),
            },
        };
        // Asked for at the same time, not one after the other.
        let pods = self.observe_pods(cluster);
        let zones = self.nodes.zones_of(pods.values().filter_map(|pod| pod.node.as_ref()));
        let needs_policy = places_members(&cluster.spec);
        let placement = if needs_policy { self.placement.get() } else { Some(Placement::NotAsked) };
        // Nothing waits for it: the hub keeps the volumes by itself as long as it runs.
        self.volume_retention.get();
        let (stateful_sets, terminating) = self.observe_stateful_sets(cluster);
        Some(Dereferenced {
            config_source,
            stateful_sets,
            terminating,
            claims: self.volumes.observe(cluster),
            pods,
            zones: zones?,
            placement: placement?,
            mirrors: self.mirrors.findings(&key_of(cluster)),
            existing: self.observe_children(cluster),
        })
    }

    /// The StatefulSets that the cluster owns, and the names of those that are on their way out.
    pub(super) fn observe_stateful_sets(
        &self,
        cluster: &IrisCluster,
    ) -> (BTreeMap<String, ObservedStatefulSet>, BTreeSet<String>) {
        let (namespace, uid) = place(cluster);
        let (mut standing, mut terminating) = (BTreeMap::new(), BTreeSet::new());
        for (key, set) in self.stateful_sets.owned_by(&namespace, &uid) {
            if set.deleting {
                terminating.insert(key.name);
            } else {
                standing.insert(key.name, set.view);
            }
        }
        (standing, terminating)
    }

    fn observe_pods(&self, cluster: &IrisCluster) -> BTreeMap<String, ObservedPod> {
        let (namespace, name) = (cluster.namespace().unwrap_or_default(), cluster.name_any());
        let pods = self.pods.in_namespace(&namespace, |pod| pod.cluster == name && !pod.deleting);
        pods.into_iter().map(|(key, pod)| (key.name, pod.observed)).collect()
    }

    fn observe_children(&self, cluster: &IrisCluster) -> Vec<ObservedChild> {
        let (namespace, uid) = place(cluster);
        let sets = named(ChildKind::StatefulSet, self.stateful_sets.owned_by(&namespace, &uid));
        let services = named(ChildKind::Service, self.services.owned_by(&namespace, &uid));
        let config_maps = named(ChildKind::ConfigMap, self.config_maps.owned_by(&namespace, &uid));
        sets.chain(services).chain(config_maps).collect()
    }
}

fn place(cluster: &IrisCluster) -> (String, String) {
    (cluster.namespace().unwrap_or_default(), cluster.uid().unwrap_or_default())
}

fn named<V>(kind: ChildKind, children: Vec<(ObjectKey, Child<V>)>) -> impl Iterator<Item = ObservedChild> {
    let standing = children.into_iter().filter(|(_, child)| !child.deleting);
    standing.map(move |(key, child)| ObservedChild { kind, name: key.name, uid: child.uid })
}
