//! What a valid IrisCluster comes down to: every default filled in, every core value parsed. Must not be built
//! anywhere but in `validate`.

use std::collections::BTreeMap;

use homebase_api::iriscluster::{AlternativeServers, UpdateStrategyType, WebgatewayType};
use homebase_api::limits::MAX_REPLICAS;
use homebase_api::{IrisClusterSpec, IrisClusterStatus};
use k8s_openapi::api::core::v1::{
    Container, PersistentVolumeClaim, PersistentVolumeClaimSpec, PodSpec, ServiceSpec, Volume, VolumeMount,
};

use super::cpf::{Database, Dialect, Directories, Namespace};
use super::mirror::MirrorMap;
use super::names::{ClusterName, Connection, NodeSet};
use super::observed::Dereferenced;
use homebase_api::labels::Component;

/// An IrisCluster that can be built, with what was found of it. Only [`super::validate`] makes one.
#[derive(Clone, Debug, PartialEq)]
pub struct ValidatedCluster {
    pub(crate) key: ClusterName,
    pub(crate) uid: String,
    pub(crate) generation: Option<i64>,
    pub(crate) previous: Option<IrisClusterStatus>,
    pub(crate) data: Data,
    pub(crate) compute: Option<Compute>,
    pub(crate) arbiter: Option<Node>,
    pub(crate) webgateway: Option<Webgateway>,
    pub(crate) sam: Option<Node>,
    pub(crate) iam: Option<Node>,
    pub(crate) tls: Tls,
    pub(crate) service: ServiceOverride,
    /// Empty when the spec names none.
    pub(crate) config_source_name: String,
    pub(crate) license_secret: Option<String>,
    pub(crate) password_hash: Option<String>,
    pub(crate) image_pull_secrets: Vec<String>,
    pub(crate) warnings: Vec<String>,
    pub(crate) found: Dereferenced,
}

impl ValidatedCluster {
    /// What was accepted although part of it has no effect: each names the field.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The node groups of the spec in the order in which they come up.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = (Component, &Node)> {
        let arbiter = self.arbiter.as_ref().map(|node| (Component::Arbiter, node));
        let compute = self.compute.as_ref().map(|compute| (Component::Compute, &compute.node));
        let gateway = self.webgateway.as_ref().map(|gateway| (Component::Webgateway, &gateway.node));
        let sam = self.sam.as_ref().map(|node| (Component::Sam, node));
        let iam = self.iam.as_ref().map(|node| (Component::Iam, node));
        let beside = gateway.into_iter().chain(sam).chain(iam);
        arbiter.into_iter().chain([(Component::Data, &self.data.node)]).chain(compute).chain(beside)
    }

    /// The StatefulSets in the order in which they come up, each with its node group.
    pub(crate) fn sets(&self) -> impl Iterator<Item = (NodeSet, &Node)> {
        self.nodes().flat_map(|(component, node)| {
            let sets = match component {
                Component::Data => self.data_sets(),
                _ => vec![NodeSet::whole(component)],
            };
            sets.into_iter().map(move |set| (set, node))
        })
    }

    /// The StatefulSets of the data nodes: one for all shards, or one for each where each is a mirror.
    pub(crate) fn data_sets(&self) -> Vec<NodeSet> {
        let component = Component::Data;
        match self.mirror_map() {
            None => vec![NodeSet::whole(component)],
            Some(_) => (0..self.shards()).map(|shard| NodeSet { component, shard: Some(shard) }).collect(),
        }
    }

    /// The StatefulSet of the data node that every other node can ask for the rest.
    pub(crate) fn first_data_set(&self) -> NodeSet {
        NodeSet { component: Component::Data, shard: self.mirror_map().map(|_| 0) }
    }

    /// Number of shards; 1 when the cluster is not sharded.
    pub(crate) fn shards(&self) -> usize {
        self.data.shards.unwrap_or(1)
    }

    /// The members of the mirror, when the data nodes are one.
    pub(crate) fn mirror_map(&self) -> Option<&MirrorMap> {
        self.data.mirror.as_ref()
    }

    /// Pods of a StatefulSet of this group; `None` when an autoscaler decides, or when there is no such group.
    pub(crate) fn replicas(&self, component: Component) -> Option<i32> {
        match component {
            Component::Arbiter | Component::Sam | Component::Iam => Some(1),
            // Both are bounded, so the count fits.
            Component::Data => {
                let pods = self.mirror_map().map_or(self.shards(), |map| map.roles().len());
                Some(i32::try_from(pods).unwrap_or(i32::MAX))
            }
            Component::Compute => self.compute.as_ref().and_then(|compute| compute.replicas),
            Component::Webgateway => self.webgateway.as_ref().map(|gateway| gateway.replicas),
        }
    }

    /// Compute pods that there are to be; what an autoscaler made of them when it decides.
    pub(crate) fn compute_pods(&self) -> usize {
        let Some(compute) = &self.compute else { return 0 };
        let set = NodeSet::whole(Component::Compute);
        bounded(compute.replicas.unwrap_or_else(|| self.found_replicas(set)))
    }

    /// What is not looked at, because an autoscaler wants more of it than the hub would take from a spec.
    pub(crate) fn too_many_pods(&self) -> Option<String> {
        let set = NodeSet::whole(Component::Compute);
        let is_left = self.compute.as_ref().is_some_and(|compute| compute.replicas.is_none());
        let found = self.found_replicas(set);
        (is_left && found > MAX_REPLICAS).then(|| {
            let name = self.key.stateful_set(set);
            format!(
                "spec.topology.compute.replicas: StatefulSet {name} asks for {found} pods; only the first {MAX_REPLICAS} are \
                 looked at, and given to web gateways: lower the number, or the maximum of the autoscaler"
            )
        })
    }

    /// Pods of a StatefulSet of which an autoscaler decides how many: what it made of them. One pod to begin with, as
    /// Kubernetes does it.
    pub(crate) fn found_replicas(&self, set: NodeSet) -> i32 {
        let found = self.found.stateful_sets.get(&self.key.stateful_set(set));
        found.map(|found| found.replicas).or_else(|| self.left_replicas(set)).unwrap_or(1)
    }

    /// What an autoscaler made of a StatefulSet that is not there while its pods run: they tell by their names. All of
    /// them count, also those of which the news that nobody looks after them is still on its way: a set with fewer
    /// would end the rest.
    pub(crate) fn left_replicas(&self, set: NodeSet) -> Option<i32> {
        let name = self.key.stateful_set(set);
        if self.found.stateful_sets.contains_key(&name) {
            return None;
        }
        self.found.pods_of(&name).map(|(ordinal, _)| ordinal + 1).max()
    }
}

/// As many pods of a StatefulSet as are looked at one by one. Where an autoscaler or somebody else decides how many there are
/// to be, it may be any number, and a plan must not take the longer for it.
pub(crate) fn bounded(replicas: i32) -> usize {
    usize::try_from(replicas.min(MAX_REPLICAS)).unwrap_or_default()
}

/// Whether a spec asks for members of a mirror in zones of their own, for which the work cluster needs the policy.
pub fn places_members(spec: &IrisClusterSpec) -> bool {
    let data = &spec.topology.data;
    data.mirrored && !data.node.preferred_zones.is_empty()
}

/// The data nodes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Data {
    pub(crate) node: Node,
    pub(crate) dialect: Dialect,
    /// Present for a mirrored cluster.
    pub(crate) mirror: Option<MirrorMap>,
    /// Present for a sharded cluster.
    pub(crate) shards: Option<usize>,
    pub(crate) databases: Vec<Database>,
    pub(crate) namespaces: Vec<Namespace>,
    /// The zones of the members of each mirror by ordinal; a zone may be there twice, and members beyond have none of
    /// their own. Empty when not mirrored, or when the spec names no zones.
    pub(crate) member_zones: Vec<String>,
}

/// The compute nodes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Compute {
    pub(crate) node: Node,
    /// Absent: an autoscaler decides.
    pub(crate) replicas: Option<i32>,
}

/// The web gateways that are nodes of their own.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Webgateway {
    pub(crate) node: Node,
    pub(crate) gateway: Gateway,
    pub(crate) replicas: i32,
}

/// The volumes with the certificates, by connection. A volume may be that of several connections.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Tls(pub(crate) BTreeMap<Connection, Volume>);

impl Tls {
    /// Whether a connection has certificates.
    pub(crate) fn has(&self, connection: Connection) -> bool {
        self.0.contains_key(&connection)
    }
}

/// What every web gateway has, wherever it runs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Gateway {
    pub(crate) type_: WebgatewayType,
    /// Application paths, without a slash at the end, each once.
    pub(crate) paths: Vec<String>,
    pub(crate) alternative: Option<AlternativeServers>,
    pub(crate) login_secret: Option<String>,
}

/// What every node group comes down to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) image: String,
    pub(crate) update_strategy: UpdateStrategyType,
    pub(crate) template: Template,
    pub(crate) volumes: Volumes,
    /// Where its pods belong, each zone once; empty: anywhere.
    pub(crate) zones: Vec<String>,
    /// A web gateway beside IRIS.
    pub(crate) sidecar: Option<Sidecar>,
}

/// A web gateway beside IRIS in every pod of a node group.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sidecar {
    pub(crate) image: String,
    /// The user's part of its container: no name, no image.
    pub(crate) container: Container,
    pub(crate) gateway: Gateway,
    pub(crate) volumes: Volumes,
}

/// What `podTemplate` comes down to.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Template {
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) annotations: BTreeMap<String, String>,
    pub(crate) controller_annotations: BTreeMap<String, String>,
    /// The user's part of the main container: no name, no image.
    pub(crate) container: Container,
    /// The user's part of the pod: no containers, no volumes.
    pub(crate) pod: PodSpec,
}

/// What the storage fields and `volumeMounts` of a node come down to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Volumes {
    pub(crate) predefined: Vec<PredefinedVolume>,
    pub(crate) directories: Directories,
    /// The user's mounts, and the volumes and claims that they and the init containers name.
    pub(crate) mounts: Vec<VolumeMount>,
    pub(crate) referenced: Vec<Volume>,
    pub(crate) claims: Vec<PersistentVolumeClaim>,
}

/// A predefined volume that is mounted on its own.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PredefinedVolume {
    pub(crate) name: &'static str,
    pub(crate) mount_path: String,
    /// `None`: an `emptyDir`.
    pub(crate) claim: Option<PersistentVolumeClaimSpec>,
}

/// What `serviceTemplate` comes down to; its ports have the names of ports of ours.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ServiceOverride {
    pub(crate) annotations: BTreeMap<String, String>,
    pub(crate) spec: ServiceSpec,
}
