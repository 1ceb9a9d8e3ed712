//! The node groups of a cluster and the vocabulary of mirrors. It must not place or count pods.

use std::{collections::BTreeMap, fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{NodeSpec, PlainNode, StorageSpec, Webgateway, WebgatewaySidecar};
use crate::{limits, null, rules};

/// The node groups of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Topology {
    /// Nodes that hold the databases.
    pub data: Data,

    /// Nodes that run application code against the data nodes. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compute: Option<Compute>,

    /// The third vote of a mirror. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arbiter: Option<PlainNode>,

    /// Web gateways as nodes of their own. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webgateway: Option<Webgateway>,

    /// The manager of System Alerting and Monitoring, one pod behind the Service `NAME-sam`. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sam: Option<PlainNode>,

    /// `InterSystems` API Manager, one pod behind the Service `NAME-iam`. It gets its licence from IRIS with the
    /// password of the user `IAM`: name a Secret in the environment variable `ISC_IAM_PASSWORD` of `podTemplate`.
    /// Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iam: Option<PlainNode>,
}

/// Nodes that hold the databases.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::data()))]
pub struct Data {
    /// What every node group has.
    #[serde(flatten)]
    pub node: NodeSpec,

    /// The predefined volumes.
    #[serde(flatten)]
    pub storage: StorageSpec,

    /// Whether each data node is a mirror. Default: false. Set once.
    #[serde(default, deserialize_with = "null::as_default", skip_serializing_if = "std::ops::Not::not")]
    pub mirrored: bool,

    /// Roles of the mirror members in their order, separated by commas: `primary` first, then at most one
    /// `backup`, then asyncs (`drasync`, `rorasync`, `rwrasync`). Default: `primary,backup` when mirrored. Without
    /// effect when not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = limits::MIRROR_MAP_LENGTH))]
    #[schemars(extend("x-kubernetes-validations" = rules::mirror_map_roles()))]
    pub mirror_map: Option<String>,

    /// Number of shards. Default: the cluster is not sharded. It may grow, never shrink.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = limits::MAX_SHARDS))]
    pub shards: Option<i32>,

    /// Databases to create, which compute nodes reach as well. One that exists is left as it is, and one that is
    /// no longer named stays. In a sharded cluster each data node gets its own.
    #[serde(default, deserialize_with = "null::as_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::IRIS_ITEMS), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"], "x-kubernetes-validations" = rules::iris_databases()))]
    pub iris_databases: Vec<IrisDatabase>,

    /// IRIS namespaces to create, on data and compute nodes. One that exists is left as it is, and one that is no
    /// longer named stays.
    #[serde(default, deserialize_with = "null::as_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::IRIS_ITEMS), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"], "x-kubernetes-validations" = rules::iris_namespaces()))]
    pub iris_namespaces: Vec<IrisNamespace>,

    /// A web gateway beside IRIS in every data pod. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webgateway: Option<WebgatewaySidecar>,
}

/// Nodes that run application code against the data nodes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::compute()))]
pub struct Compute {
    /// What every node group has.
    #[serde(flatten)]
    pub node: NodeSpec,

    /// The predefined volumes.
    #[serde(flatten)]
    pub storage: StorageSpec,

    /// Number of pods; 0 is legal. Default: 1 at the start, afterwards what an autoscaler of the StatefulSet
    /// made of it. An autoscaler of the `IrisCluster` itself needs a number here to begin with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = limits::MAX_REPLICAS))]
    pub replicas: Option<i32>,

    /// Whether the nodes run without volume claims; of the predefined volumes only `mountPath` has an effect then.
    /// Default: false.
    #[serde(default, deserialize_with = "null::as_default", skip_serializing_if = "std::ops::Not::not")]
    pub ephemeral: bool,

    /// A web gateway beside IRIS in every compute pod. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webgateway: Option<WebgatewaySidecar>,
}

/// A database to create on the data nodes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IrisDatabase {
    /// Name of the database.
    #[schemars(length(min = 1, max = limits::IRIS_NAME_LENGTH), regex(pattern = limits::IRIS_NAME))]
    pub name: String,

    /// Directory of the database, which must be on a volume to last. Default: one named after the database in
    /// lower case, beside the databases of IRIS itself in the data directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::PATH_LENGTH), regex(pattern = limits::DIRECTORY))]
    pub directory: Option<String>,

    /// Whether the database is mirrored, which takes a mirrored cluster. Default: as the cluster. The mirrors of a
    /// sharded cluster take no databases of yours: say `false` there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirrored: Option<bool>,

    /// Fields that Homebase does not know: kept, reported as a warning, without effect.
    #[serde(flatten)]
    pub unknown: BTreeMap<String, Value>,
}

/// An IRIS namespace to create on the data nodes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IrisNamespace {
    /// Name of the IRIS namespace.
    #[schemars(length(min = 1, max = limits::IRIS_NAME_LENGTH), regex(pattern = limits::IRIS_NAME))]
    pub name: String,

    /// Database of the globals. Default: the one named like the namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = limits::IRIS_NAME_LENGTH), regex(pattern = limits::IRIS_NAME))]
    pub globals: Option<String>,

    /// Database of the routines. Default: that of the globals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = limits::IRIS_NAME_LENGTH), regex(pattern = limits::IRIS_NAME))]
    pub routines: Option<String>,

    /// Whether the namespace is enabled for interoperability. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interop: Option<bool>,

    /// Fields that Homebase does not know: kept, reported as a warning, without effect.
    #[serde(flatten)]
    pub unknown: BTreeMap<String, Value>,
}

/// The role of a mirror member, as `mirrorMap` and the label `intersystems.com/mirrorRole` write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MirrorRole {
    /// The member that serves.
    Primary,
    /// The failover partner.
    Backup,
    /// Disaster recovery async.
    DrAsync,
    /// Read-only reporting async.
    RorAsync,
    /// Read-write reporting async.
    RwrAsync,
}

impl MirrorRole {
    /// Every role, in the order of a `mirrorMap`.
    pub const ALL: [Self; 5] = [Self::Primary, Self::Backup, Self::DrAsync, Self::RorAsync, Self::RwrAsync];

    /// The token in `mirrorMap` and in the label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Backup => "backup",
            Self::DrAsync => "drasync",
            Self::RorAsync => "rorasync",
            Self::RwrAsync => "rwrasync",
        }
    }
}

impl fmt::Display for MirrorRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is not the token of a mirror role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no mirror role: use primary, backup, drasync, rorasync or rwrasync")]
pub struct UnknownMirrorRole(pub String);

impl FromStr for MirrorRole {
    type Err = UnknownMirrorRole;

    fn from_str(token: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == token)
            .ok_or_else(|| UnknownMirrorRole(token.to_owned()))
    }
}
