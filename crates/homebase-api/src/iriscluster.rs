//! The kind `IrisCluster`: what a user may ask for. It must not decide what that becomes in a cluster.
//!
//! Field names follow the manifests that users already have; they are not ours to improve.

mod node;
mod pod;
mod service;
mod status;
mod storage;
mod topology;
mod webgateway;

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Volume};
use kube_derive::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use node::{NodeSpec, PlainNode, UpdateStrategy, UpdateStrategyType};
pub use pod::{ControllerTemplate, ObjectMetadata, PodSpecTemplate, PodTemplate};
pub use service::{ServiceMetadata, ServiceTemplate};
pub use status::{IrisClusterStatus, MirrorStatus, NodeGroupStatus, NodesStatus, Phase};
pub use storage::{StorageResources, StorageSpec, VolumeSettings};
pub use topology::{Compute, Data, IrisDatabase, IrisNamespace, MirrorRole, Topology, UnknownMirrorRole};
pub use webgateway::{AlternativeServers, Webgateway, WebgatewaySettings, WebgatewaySidecar, WebgatewayType};

use crate::{embedded::Embedded, limits, null, rules};

/// What a user asks for: the nodes of the cluster and what they have in common.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "intersystems.com",
    version = "v1alpha1",
    kind = "IrisCluster",
    doc = "An InterSystems IRIS cluster: data nodes, and optionally compute nodes, an arbiter and web gateways.",
    plural = "irisclusters",
    singular = "iriscluster",
    shortname = "ic",
    namespaced,
    status = "IrisClusterStatus",
    derive = "PartialEq",
    printcolumn = r#"{"name":"Data", "type":"string", "jsonPath":".status.nodes.data.pods", "description":"Ready and desired data pods."}"#,
    printcolumn = r#"{"name":"Compute", "type":"string", "jsonPath":".status.nodes.compute.pods", "description":"Ready and desired compute pods."}"#,
    printcolumn = r#"{"name":"Mirrored", "type":"boolean", "jsonPath":".spec.topology.data.mirrored", "description":"Whether each data node is a mirror."}"#,
    printcolumn = r#"{"name":"Status", "type":"string", "jsonPath":".status.phase", "description":"State in one word."}"#,
    printcolumn = r#"{"name":"Ready", "type":"string", "jsonPath":".status.conditions[?(@.type==\"Ready\")].status", "description":"Whether the cluster does its work."}"#,
    printcolumn = r#"{"name":"Zones", "type":"string", "jsonPath":".status.nodes.data.zones", "priority":1, "description":"Zones of the data pods."}"#,
    printcolumn = r#"{"name":"Gateway", "type":"string", "jsonPath":".status.nodes.webgateway.pods", "priority":1, "description":"Ready and desired web gateway pods."}"#,
    printcolumn = r#"{"name":"Age", "type":"date", "jsonPath":".metadata.creationTimestamp", "description":"Time since it was created."}"#,
    scale(
        spec_replicas_path = ".spec.topology.compute.replicas",
        status_replicas_path = ".status.computeReplicas",
        label_selector_path = ".status.computeSelector"
    ),
    crates(kube_core = "::kube_core", k8s_openapi = "::k8s_openapi")
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::spec()))]
pub struct IrisClusterSpec {
    /// Secret with the IRIS licence under the key `iris.key`. Default: none, so IRIS runs unlicensed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license_key_secret: Option<LocalReference>,

    /// `ConfigMap` with any of the keys `common.cpf`, `data.cpf`, `compute.cpf` and `CSP-merge.ini` (older:
    /// `CSP.ini`), appended to the generated text, `common.cpf` first; and `CSP.conf`, which replaces the configuration of
    /// the web server in every web gateway, so that `applicationPaths` have to be in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_source: Option<LocalReference>,

    /// Legacy: the hash of the password of the predefined accounts, written as `[Startup] PasswordHash=`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::PASSWORD_HASH_LENGTH), regex(pattern = limits::PASSWORD_HASH))]
    pub password_hash: Option<String>,

    /// Secrets with which images are pulled, for every node.
    #[serde(default, deserialize_with = "null::as_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::LIST_ITEMS))]
    pub image_pull_secrets: Vec<LocalReference>,

    /// Storage class of all predefined volumes. Default: that of the cluster. A storage class that is given
    /// with a volume wins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::NAME_LENGTH))]
    pub storage_class_name: Option<String>,

    /// How pods get a new template, for every node group that does not say so itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_strategy: Option<UpdateStrategy>,

    /// What the Services `NAME` and `NAME-webgateway` look like. Default: type `ClusterIP`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_template: Option<ServiceTemplate>,

    /// Where the certificates of the connections come from. Default: no TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,

    /// Pod volumes that `volumeMounts` of node groups refer to.
    #[serde(default, deserialize_with = "null::as_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::LIST_ITEMS))]
    pub volumes: Vec<Embedded<Volume>>,

    /// Volume claim templates that `volumeMounts` of node groups refer to.
    #[serde(default, deserialize_with = "null::as_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::LIST_ITEMS))]
    pub volume_claim_templates: Vec<Embedded<PersistentVolumeClaim>>,

    /// The nodes of the cluster, by group.
    pub topology: Topology,
}

/// A reference to an object in the namespace of the `IrisCluster`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LocalReference {
    /// Name of the object.
    #[schemars(length(min = 1, max = limits::NAME_LENGTH), regex(pattern = limits::SUBDOMAIN))]
    pub name: String,
}

/// Certificates by connection. A specific one beats `common`.
///
/// Each is the source of a pod volume, a core `Volume` without its name, that holds `tls.crt` and `tls.key`, and
/// `ca.pem` where it says so, all in PEM.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tls {
    /// For every connection that has no source of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("minProperties" = 1))]
    pub common: Option<Embedded<Volume>>,

    /// For the connections between mirror members. Needs `ca.pem`. A pod takes a new certificate when it restarts.
    /// IRIS may keep a member that joins pending until somebody authorizes it on the primary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("minProperties" = 1))]
    pub mirror: Option<Embedded<Volume>>,

    /// For the connections of browsers to the web gateway, on port 443.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("minProperties" = 1))]
    pub webgateway: Option<Embedded<Volume>>,

    /// For the connections of clients to the superserver, which takes connections without TLS as well. Needs
    /// `ca.pem` when there are web gateways of their own: they connect with TLS then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("minProperties" = 1))]
    pub superserver: Option<Embedded<Volume>>,

    /// For the connections of compute nodes to data nodes (Enterprise Cache Protocol). Needs `ca.pem`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("minProperties" = 1))]
    pub ecp: Option<Embedded<Volume>>,
}

#[cfg(test)]
mod tests;
