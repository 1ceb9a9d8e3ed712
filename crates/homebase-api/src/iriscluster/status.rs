//! What the hub tells about an `IrisCluster`. It must not compute anything from a cluster.

use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{limits, null, schema};

/// What the hub last saw and did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IrisClusterStatus {
    /// Generation of the spec that this status describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// State in one word: `Creating`, `Running`, `Updating`, `Degraded`, `Stalled` or `Unknown`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::word")]
    pub phase: Option<Phase>,

    /// Conditions: `Ready`, `Reconciling`, `Stalled`, `TopologySatisfied`, `StorageReady`, `SpecAccepted`,
    /// `FieldConflict`.
    #[serde(default, deserialize_with = "null::as_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,

    /// The node groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodes: Option<NodesStatus>,

    /// The mirrors, by shard: one for each that has ever answered who is primary. Absent when none has.
    #[serde(default, deserialize_with = "null::as_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::LIST_ITEMS))]
    pub mirrors: Vec<MirrorStatus>,

    /// What is held back, and what it waits for, in words.
    #[serde(default, deserialize_with = "null::as_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::LIST_ITEMS), inner(length(max = limits::SENTENCE_LENGTH)))]
    pub waiting: Vec<String>,

    /// Number of compute pods that exist, for the scale subresource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compute_replicas: Option<i32>,

    /// Label selector of the compute pods, for the scale subresource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::SENTENCE_LENGTH))]
    pub compute_selector: Option<String>,
}

/// What the members of one mirror have answered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MirrorStatus {
    /// Number of the shard that the mirror holds, from 0.
    pub shard: i32,

    /// Pod that was the last to say, alone, that it is the primary. Absent when none has so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::NAME_LENGTH))]
    pub primary: Option<String>,

    /// Time at which that pod was first heard to be the primary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub primary_since: Option<Time>,

    /// Why nobody can tell who is primary now: `NoPrimary`, `TwoPrimaries` or `MirrorSilent`, as in the condition
    /// `Ready`. Absent while one member alone says that it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::LABEL_LENGTH))]
    pub problem: Option<String>,
}

/// The node groups of a cluster. A group that the spec does not have is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodesStatus {
    /// Data nodes, all shards together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<NodeGroupStatus>,

    /// Compute nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compute: Option<NodeGroupStatus>,

    /// The arbiter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arbiter: Option<NodeGroupStatus>,

    /// Web gateways that are nodes of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webgateway: Option<NodeGroupStatus>,

    /// System Alerting and Monitoring.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sam: Option<NodeGroupStatus>,

    /// `InterSystems` API Manager.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iam: Option<NodeGroupStatus>,
}

/// One node group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeGroupStatus {
    /// Number of pods that the group should have.
    pub desired: i32,

    /// Number of pods that are ready.
    pub ready: i32,

    /// Ready and desired pods for people, such as `19/128`.
    #[schemars(length(max = limits::LABEL_LENGTH))]
    pub pods: String,

    /// Zones that the ready pods run in, sorted.
    #[serde(default, deserialize_with = "null::as_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::LIST_ITEMS), inner(length(max = limits::LABEL_LENGTH)))]
    pub zones: Vec<String>,
}

impl NodeGroupStatus {
    /// The status of a group, with `pods` made from the two numbers and the zones sorted without doubles.
    pub fn new(desired: i32, ready: i32, zones: impl IntoIterator<Item = String>) -> Self {
        let zones: std::collections::BTreeSet<_> = zones.into_iter().collect();
        Self { desired, ready, pods: format!("{ready}/{desired}"), zones: zones.into_iter().collect() }
    }
}

/// The state of a cluster in one word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Phase {
    /// Its nodes come up for the first time.
    Creating,
    /// Every node is ready and up to date.
    Running,
    /// Its nodes are being changed or scaled.
    Updating,
    /// It has been running, and nodes are missing now, or nobody can tell who is primary in a mirror.
    Degraded,
    /// It cannot go on without a change by somebody: see the condition `Stalled`.
    Stalled,
    /// Nobody can tell, or a newer hub wrote a word that this one does not know.
    #[default]
    #[serde(other)]
    Unknown,
}

impl Phase {
    /// The word in the status.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "Creating",
            Self::Running => "Running",
            Self::Updating => "Updating",
            Self::Degraded => "Degraded",
            Self::Stalled => "Stalled",
            Self::Unknown => "Unknown",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
