//! What was found in the work cluster before a plan. Must not fetch it, and must not decide anything from it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use k8s_openapi::api::apps::v1::StatefulSet;

use super::adoption::ADOPTED_TEMPLATE;
pub use super::claims::{Claims, GrowthRefusal, ObservedClaim};
use super::fixed::FixedFields;
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
    /// The data pods by name.
    pub data_pods: BTreeMap<String, ObservedPod>,
    /// Every child of this IrisCluster that is there now: owned by its UID.
    pub existing: Vec<ObservedChild>,
}

/// The ConfigMap that `spec.configSource` names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ConfigSource {
    /// The spec names none.
    #[default]
    NotReferenced,
    /// The spec names one that is not there.
    Missing,
    /// Its `data`.
    Found(BTreeMap<String, String>),
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
    /// The annotation [`PLAN_HASH`]: from which plan it was applied.
    pub plan_hash: Option<String>,
    /// The annotation [`ADOPTED_TEMPLATE`]: which template its pods stand for, if another operator made them.
    pub adopted_template: Option<String>,
    /// The fields that cannot change while it exists.
    pub fixed: FixedFields,
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
            plan_hash: annotation(PLAN_HASH),
            adopted_template: annotation(ADOPTED_TEMPLATE),
            fixed: FixedFields::of(set),
        }
    }
}

/// A data pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObservedPod {
    /// Its UID.
    pub uid: String,
    /// Its resourceVersion.
    pub resource_version: String,
    /// Its label `intersystems.com/mirrorRole`.
    pub mirror_role: Option<String>,
    /// Whether no controller looks after it.
    pub orphaned: bool,
    /// Whether it has our label: pods that were taken over from another operator do not.
    pub marked: bool,
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
