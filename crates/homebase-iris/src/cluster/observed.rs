//! What was found in the work cluster before a plan. Must not fetch it, and must not decide anything from it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use k8s_openapi::api::apps::v1::StatefulSet;

use super::adoption::ADOPTED_TEMPLATE;
pub use super::claims::{Claims, GrowthRefusal, ObservedClaim};
use super::config_source::ConfigSource;
use super::fixed::FixedFields;
use super::primary::Finding;
use super::retention::keeps_volumes;
use crate::hash::PLAN_HASH;

/// Everything besides the IrisCluster itself that a plan depends on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dereferenced {
    /// The ConfigMap that `spec.configSource` names.
    pub config_source: ConfigSource,
    /// The cluster's StatefulSets by name.
    pub stateful_sets: BTreeMap<String, ObservedStatefulSet>,
    /// Names of StatefulSets that are being deleted: nothing can be made of them, and another one not before they are gone.
    pub terminating: BTreeSet<String>,
    /// The claims of its pods, those that outlived earlier pods among them.
    pub claims: Claims,
    /// The pods by name.
    pub pods: BTreeMap<String, ObservedPod>,
    /// The zones of the nodes that the pods run on.
    pub zones: NodeZones,
    /// Whether the work cluster itself places members of mirrors.
    pub placement: Placement,
    /// What the members of the mirrors answer, by shard; a shard that is not in it was not asked.
    pub mirrors: BTreeMap<usize, Finding>,
    /// Every child of this IrisCluster that is there now: owned by its UID.
    pub existing: Vec<ObservedChild>,
}

impl Dereferenced {
    /// The pods with names of a StatefulSet, whoever looks after them, each with its ordinal.
    pub(crate) fn pods_of<'a>(
        &'a self,
        stateful_set: &str,
    ) -> impl Iterator<Item = (i32, &'a ObservedPod)> + use<'a> {
        let prefix = format!("{stateful_set}-");
        let ordinal = move |pod: &str| pod.strip_prefix(&prefix)?.parse::<u16>().ok().map(i32::from);
        self.pods.iter().filter_map(move |(pod, found)| Some((ordinal(pod)?, found)))
    }
}

/// The part of a StatefulSet that a plan and a status depend on; small, because it is kept for every cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObservedStatefulSet {
    /// Its UID.
    pub uid: String,
    /// `metadata.generation`.
    pub generation: i64,
    /// `status.observedGeneration`; 0 before its controller has seen it.
    pub observed_generation: i64,
    /// `spec.replicas`: pods wanted.
    pub replicas: i32,
    /// `status.replicas`: pods there, terminating ones among them.
    pub current_replicas: i32,
    /// `status.readyReplicas`.
    pub ready_replicas: i32,
    /// `status.updatedReplicas`.
    pub updated_replicas: i32,
    /// `status.currentRevision`.
    pub current_revision: Option<String>,
    /// `status.updateRevision`.
    pub update_revision: Option<String>,
    /// `spec.updateStrategy.rollingUpdate.partition`: the first ordinal that an update reaches.
    pub partition: Option<i32>,
    /// The annotation [`PLAN_HASH`]: from which plan it was applied.
    pub plan_hash: Option<String>,
    /// The annotation [`ADOPTED_TEMPLATE`]: which template its pods stand for, if another operator made them.
    pub adopted_template: Option<String>,
    /// The fields that cannot change while it exists.
    pub fixed: FixedFields,
    /// Whether a claim would be deleted when it is scaled down or deleted.
    pub deletes_volumes: bool,
}

impl From<&StatefulSet> for ObservedStatefulSet {
    fn from(set: &StatefulSet) -> Self {
        let status = set.status.clone().unwrap_or_default();
        let annotation = |key: &str| set.metadata.annotations.as_ref().and_then(|all| all.get(key).cloned());
        Self {
            uid: set.metadata.uid.clone().unwrap_or_default(),
            generation: set.metadata.generation.unwrap_or_default(),
            observed_generation: status.observed_generation.unwrap_or_default(),
            // The apiserver fills in 1 when nobody says how many.
            replicas: set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1),
            current_replicas: status.replicas,
            ready_replicas: status.ready_replicas.unwrap_or_default(),
            updated_replicas: status.updated_replicas.unwrap_or_default(),
            current_revision: status.current_revision,
            update_revision: status.update_revision,
            partition: partition_of(set),
            plan_hash: annotation(PLAN_HASH),
            adopted_template: annotation(ADOPTED_TEMPLATE),
            fixed: FixedFields::of(set),
            deletes_volumes: !keeps_volumes(set),
        }
    }
}

fn partition_of(set: &StatefulSet) -> Option<i32> {
    let strategy = set.spec.as_ref()?.update_strategy.as_ref()?;
    strategy.rolling_update.as_ref()?.partition
}

impl ObservedStatefulSet {
    /// Whether pods of an earlier revision are there. The revisions alone do not tell: with `OnDelete` the current one
    /// stays where it was when all pods are of the other.
    pub(crate) fn has_old_pods(&self) -> bool {
        self.updated_replicas < self.current_replicas.min(self.replicas)
    }
}

/// A pod of the cluster. What only data pods need is empty of all others, so that 128 of those cost little.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObservedPod {
    /// The node that it was scheduled to.
    pub node: Option<String>,
    /// How far it has come.
    pub state: PodState,
    /// Its UID; of data pods only.
    pub uid: String,
    /// Its resourceVersion; of data pods only.
    pub resource_version: String,
    /// Its label `intersystems.com/mirrorRole`; of data pods only.
    pub mirror_role: Option<String>,
    /// Its label `controller-revision-hash`; of data pods only.
    pub revision: Option<String>,
    /// UID of its controller; of data pods only.
    pub controller: Option<String>,
    /// Whether no controller looks after it.
    pub orphaned: bool,
    /// Whether it has our label: pods that were taken over from another operator do not.
    pub marked: bool,
}

/// How far a pod has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PodState {
    /// No container of it has started.
    Pending,
    /// It has started, or nobody can tell, and is not ready.
    #[default]
    Unready,
    /// Its condition `Ready` is true.
    Ready,
}

/// What is known of the zones of nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeZones {
    /// By the name of the node; `None` for a node without a zone. A node that is missing is not known.
    Known(BTreeMap<String, Option<String>>),
    /// Nothing is known.
    Unread(Unread),
}

impl Default for NodeZones {
    fn default() -> Self {
        Self::Known(BTreeMap::new())
    }
}

/// Why the zones of nodes are not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unread {
    /// The hub may not read nodes.
    Forbidden,
    /// The registration is restricted to namespaces, and nodes are in none.
    Restricted,
    /// They could not be listed so far; a closed word says why.
    Failed(&'static str),
}

/// Whether the work cluster itself places members of mirrors, so that it does while no hub runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Placement {
    /// Nobody asked.
    #[default]
    NotAsked,
    /// It does.
    InPlace,
    /// It does not.
    Missing(NoPlacement),
}

/// Why the work cluster does not place members of mirrors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoPlacement {
    /// It does not serve `MutatingAdmissionPolicy`.
    Unserved,
    /// The hub may not install the policy.
    Forbidden,
    /// The registration is restricted to namespaces, and the policy would be in none.
    Restricted,
    /// An object of somebody else has its name.
    Foreign,
    /// Another hub, whose ID this is, installed one that says something else.
    OtherHub(String),
    /// It could not be installed so far; a closed word says why.
    Failed(&'static str),
}

/// A child object of an IrisCluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedChild {
    /// Its kind.
    pub kind: ChildKind,
    /// Its name.
    pub name: String,
    /// Its UID: the precondition of its deletion.
    pub uid: String,
}

/// The kinds of objects that an IrisCluster owns. A `PersistentVolumeClaim` is none of them: it outlives the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChildKind {
    /// apps/v1
    StatefulSet,
    /// v1
    Service,
    /// v1
    ConfigMap,
}

impl ChildKind {
    /// The kind as Kubernetes writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::StatefulSet => "StatefulSet",
            Self::Service => "Service",
            Self::ConfigMap => "ConfigMap",
        }
    }
}

impl fmt::Display for ChildKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests;
