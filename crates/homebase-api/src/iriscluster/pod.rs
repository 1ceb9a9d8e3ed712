//! The part of a node group that shapes its pods. Fields that are unknown here are kept and reported, never refused.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Affinity, Container, EnvFromSource, EnvVar, HostAlias, Lifecycle, PodDNSConfig, PodSecurityContext,
    Probe, ResourceRequirements, SecurityContext, Toleration, TopologySpreadConstraint,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::LocalReference;
use crate::{embedded::Embedded, limits, null, schema};

/// Changes to the pods of a node group and to the StatefulSet that controls them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodTemplate {
    /// Labels and annotations of the pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<ObjectMetadata>,

    /// Annotations of the StatefulSet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub controller: Option<ControllerTemplate>,

    /// Fields of the pod and of its container, side by side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec: Option<PodSpecTemplate>,

    /// Fields that Homebase does not know: kept, reported as a warning, without effect.
    #[serde(flatten)]
    pub unknown: BTreeMap<String, Value>,
}

/// Labels and annotations for a pod.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectMetadata {
    /// Labels to add. Those of Homebase win.
    #[serde(default, deserialize_with = "null::as_default", skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::labels")]
    pub labels: BTreeMap<String, String>,

    /// Annotations to add.
    #[serde(default, deserialize_with = "null::as_default", skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::annotations")]
    pub annotations: BTreeMap<String, String>,

    /// Fields that Homebase does not know: kept, reported as a warning, without effect.
    #[serde(flatten)]
    pub unknown: BTreeMap<String, Value>,
}

/// What is added to the StatefulSet of a node group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ControllerTemplate {
    /// Annotations to add.
    #[serde(default, deserialize_with = "null::as_default", skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::annotations")]
    pub annotations: BTreeMap<String, String>,

    /// Fields that Homebase does not know: kept, reported as a warning, without effect.
    #[serde(flatten)]
    pub unknown: BTreeMap<String, Value>,
}

/// Fields of a pod and of its main container, side by side.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodSpecTemplate {
    /// Arguments for IRIS, appended to those of Homebase.
    #[serde(default, deserialize_with = "null::as_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::LIST_ITEMS), inner(length(max = limits::ARGUMENT_LENGTH)))]
    pub args: Vec<String>,

    /// Environment variables of the container.
    #[serde(default, deserialize_with = "null::as_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::LIST_ITEMS))]
    pub env: Vec<Embedded<EnvVar>>,

    /// Sources of environment variables of the container.
    #[serde(default, deserialize_with = "null::as_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::LIST_ITEMS))]
    pub env_from: Vec<Embedded<EnvFromSource>>,

    /// Resource requests and limits of the container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Embedded<ResourceRequirements>>,

    /// Liveness probe of the container. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub liveness_probe: Option<Embedded<Probe>>,

    /// Readiness probe of the container. Default: none, so that a pod counts as ready once IRIS was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readiness_probe: Option<Embedded<Probe>>,

    /// Start-up probe of the container. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub startup_probe: Option<Embedded<Probe>>,

    /// Hooks of the container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<Embedded<Lifecycle>>,

    /// Labels that a node needs to run the pods.
    #[serde(default, deserialize_with = "null::as_default", skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::labels")]
    pub node_selector: BTreeMap<String, String>,

    /// Affinity of the pods, joined with what `preferredZones` asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub affinity: Option<Embedded<Affinity>>,

    /// Tolerations of the pods.
    #[serde(default, deserialize_with = "null::as_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::LIST_ITEMS))]
    pub tolerations: Vec<Embedded<Toleration>>,

    /// How the pods spread. Given here, it replaces what `preferredZones` asks for.
    #[serde(default, deserialize_with = "null::as_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::LIST_ITEMS))]
    pub topology_spread_constraints: Vec<Embedded<TopologySpreadConstraint>>,

    /// Scheduler of the pods. Default: that of the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::NAME_LENGTH))]
    pub scheduler_name: Option<String>,

    /// Priority class of the pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::NAME_LENGTH))]
    pub priority_class_name: Option<String>,

    /// Runtime class of the pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::NAME_LENGTH))]
    pub runtime_class_name: Option<String>,

    /// Security context of the pods. Keys that only a container has are accepted and go to the container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security_context: Option<Embedded<PodSecurityContext>>,

    /// Security context of the container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container_security_context: Option<Embedded<SecurityContext>>,

    /// Service account of the pods. Default: `default` of the namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::NAME_LENGTH))]
    pub service_account_name: Option<String>,

    /// Secrets with which images are pulled, in addition to those of the cluster.
    #[serde(default, deserialize_with = "null::as_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::LIST_ITEMS))]
    pub image_pull_secrets: Vec<LocalReference>,

    /// Containers that run to their end before the main container starts.
    #[serde(default, deserialize_with = "null::as_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::LIST_ITEMS))]
    pub init_containers: Vec<Embedded<Container>>,

    /// Seconds that a pod gets to stop. Default: 30, as for every pod; a database with much to write wants more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub termination_grace_period_seconds: Option<i64>,

    /// DNS policy of the pods. Default: `ClusterFirst`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::LABEL_LENGTH))]
    pub dns_policy: Option<String>,

    /// DNS settings of the pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns_config: Option<Embedded<PodDNSConfig>>,

    /// Whether the pods use the network of their node. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_network: Option<bool>,

    /// Entries of `/etc/hosts` in the pods.
    #[serde(default, deserialize_with = "null::as_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::LIST_ITEMS))]
    pub host_aliases: Vec<Embedded<HostAlias>>,

    /// Whether the containers of a pod see each other's processes. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share_process_namespace: Option<bool>,

    /// Whether the pods get the token of their service account. Default: as the service account says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub automount_service_account_token: Option<bool>,

    /// Whether the pods get environment variables for the Services of their namespace. Default: true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enable_service_links: Option<bool>,

    /// Fields that Homebase does not know: kept, reported as a warning, without effect.
    #[serde(flatten)]
    pub unknown: BTreeMap<String, Value>,
}
