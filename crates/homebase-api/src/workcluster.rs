//! The kind `WorkCluster`: what the hub knows of one registered cluster. Status only: users write registrations,
//! never this. It must not hold anything that is secret.

use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube_derive::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{limits, null, schema};

/// What users set about a work cluster here: nothing. Settings are annotations of the registration Secret.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "homebase.dev",
    version = "v1alpha1",
    kind = "WorkCluster",
    doc = "What the hub knows of one registered cluster. The hub writes it; users write the registration Secret.",
    plural = "workclusters",
    singular = "workcluster",
    shortname = "wc",
    namespaced,
    no_spec,
    status = "WorkClusterStatus",
    derive = "PartialEq",
    derive = "Default",
    printcolumn = r#"{"name":"Ready", "type":"string", "jsonPath":".status.conditions[?(@.type==\"Ready\")].status", "description":"Whether the hub operates the cluster."}"#,
    printcolumn = r#"{"name":"Reason", "type":"string", "jsonPath":".status.conditions[?(@.type==\"Ready\")].reason", "description":"Why."}"#,
    printcolumn = r#"{"name":"Version", "type":"string", "jsonPath":".status.version.gitVersion", "description":"Kubernetes version."}"#,
    printcolumn = r#"{"name":"IrisClusters", "type":"integer", "jsonPath":".status.resources.irisClusters", "description":"Number of IrisClusters."}"#,
    printcolumn = r#"{"name":"Ready-IrisClusters", "type":"integer", "jsonPath":".status.resources.readyIrisClusters", "description":"Number of IrisClusters that are ready."}"#,
    printcolumn = r#"{"name":"Last-Seen", "type":"date", "jsonPath":".status.lastSeen", "description":"Time since the apiserver last answered."}"#,
    printcolumn = r#"{"name":"Credentials-Expire", "type":"string", "jsonPath":".status.credentialsExpire", "description":"When the credentials expire."}"#,
    printcolumn = r#"{"name":"Server", "type":"string", "jsonPath":".status.server", "priority":1, "description":"Host and port of the apiserver."}"#,
    printcolumn = r#"{"name":"Latency", "type":"integer", "jsonPath":".status.latencyMilliseconds", "priority":1, "description":"Latency of the last probe in milliseconds."}"#,
    printcolumn = r#"{"name":"Owner", "type":"string", "jsonPath":".status.owner", "priority":1, "description":"Replica of the hub that works on it."}"#,
    printcolumn = r#"{"name":"Age", "type":"date", "jsonPath":".metadata.creationTimestamp", "description":"Time since it was created."}"#,
    crates(kube_core = "::kube_core", k8s_openapi = "::k8s_openapi")
)]
pub struct WorkClusterSpec {}

/// What the hub knows of a work cluster. Values of an unreachable cluster are the last known ones.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkClusterStatus {
    /// Conditions: `Ready`, `Reachable`, `CredentialsValid`, `IdentityVerified`, `PermissionsVerified`,
    /// `CRDsInstalled`, `Synced`.
    #[serde(default, deserialize_with = "null::as_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,

    /// State of the session in one word, such as `Running` or `Unreachable`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::word")]
    pub state: Option<SessionState>,

    /// Replica of the hub that works on the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::NAME_LENGTH))]
    pub owner: Option<String>,

    /// Host and port of the apiserver, without scheme, path or credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::PATH_LENGTH))]
    pub server: Option<String>,

    /// Who the cluster is. Pinned on first contact and never changed by the hub afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<ClusterIdentity>,

    /// Kubernetes version of the apiserver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<ClusterVersion>,

    /// Resources that the hub operates there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ClusterResources>,

    /// When the apiserver last answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub last_seen: Option<Time>,

    /// How long the last answered probe took, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_milliseconds: Option<i64>,

    /// When the credentials expire; absent when they do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub credentials_expire: Option<Time>,

    /// The registration that all of this was found with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_secret: Option<ObservedSecret>,
}

/// Who a cluster is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterIdentity {
    /// UID of its Namespace `kube-system`.
    #[schemars(length(max = limits::NAME_LENGTH))]
    pub uid: String,

    /// When it was last read from the cluster.
    #[schemars(schema_with = "schema::time")]
    pub observed_at: Time,
}

/// Version of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterVersion {
    /// As the apiserver reports it, such as `v1.36.0`.
    #[schemars(length(max = limits::NAME_LENGTH))]
    pub git_version: String,

    /// When it was last read from the cluster.
    #[schemars(schema_with = "schema::time")]
    pub observed_at: Time,
}

/// How many resources the hub operates on a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterResources {
    /// Number of `IrisCluster` resources.
    pub iris_clusters: i64,

    /// Number of those that are ready.
    pub ready_iris_clusters: i64,

    /// Number of `Iris` resources.
    pub iris: i64,

    /// When they were last counted on a fresh view of the cluster.
    #[schemars(schema_with = "schema::time")]
    pub observed_at: Time,
}

/// One state of a registration Secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObservedSecret {
    /// Its name.
    #[schemars(length(max = limits::NAME_LENGTH))]
    pub name: String,

    /// Its UID.
    #[schemars(length(max = limits::NAME_LENGTH))]
    pub uid: String,

    /// Its resource version.
    #[schemars(length(max = limits::NAME_LENGTH))]
    pub resource_version: String,
}

/// Where the session of a cluster stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SessionState {
    /// Known, nothing done yet.
    Registered,
    /// A client is being set up.
    Connecting,
    /// Identity and permissions are being checked.
    Verifying,
    /// CRDs are being installed.
    InstallingCRDs,
    /// The first lists are under way.
    Syncing,
    /// The cluster is operated.
    Running,
    /// Operated, but something is wrong.
    Degraded,
    /// The apiserver does not answer.
    Unreachable,
    /// Stopped by the registration.
    Paused,
    /// The registration cannot be used.
    Rejected,
    /// The hub lets go of the cluster.
    Draining,
    /// A newer hub wrote a word that this one does not know.
    #[default]
    #[serde(other)]
    Unknown,
}

impl SessionState {
    /// The word in the status.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Registered => "Registered",
            Self::Connecting => "Connecting",
            Self::Verifying => "Verifying",
            Self::InstallingCRDs => "InstallingCRDs",
            Self::Syncing => "Syncing",
            Self::Running => "Running",
            Self::Degraded => "Degraded",
            Self::Unreachable => "Unreachable",
            Self::Paused => "Paused",
            Self::Rejected => "Rejected",
            Self::Draining => "Draining",
            Self::Unknown => "Unknown",
        }
    }
}

impl fmt::Display for SessionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
