//! The kind `Iris`: one Deployment under a name that the user chooses. It must not say what the Deployment holds.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube_derive::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{limits, null, rules, schema};

/// What a user asks for: the name of the Deployment and the number of its pods.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "test.myardyas.club",
    version = "v1alpha1",
    kind = "Iris",
    doc = "One Deployment of IRIS under a name of its own.",
    plural = "iris",
    singular = "iris",
    namespaced,
    status = "IrisStatus",
    derive = "PartialEq",
    printcolumn = r#"{"name":"Deployment", "type":"string", "jsonPath":".spec.deploymentName", "description":"Name of the Deployment."}"#,
    printcolumn = r#"{"name":"Desired", "type":"integer", "jsonPath":".spec.replicas", "description":"Number of pods that are asked for."}"#,
    printcolumn = r#"{"name":"Ready", "type":"integer", "jsonPath":".status.readyReplicas", "description":"Number of pods that are ready."}"#,
    printcolumn = r#"{"name":"Age", "type":"date", "jsonPath":".metadata.creationTimestamp", "description":"Time since it was created."}"#,
    scale(
        spec_replicas_path = ".spec.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    crates(kube_core = "::kube_core", k8s_openapi = "::k8s_openapi")
)]
#[serde(rename_all = "camelCase")]
pub struct IrisSpec {
    /// Name of the Deployment. When it changes, the Deployment of the old name is removed.
    #[schemars(length(min = 1, max = limits::DEPLOYMENT_NAME_LENGTH), regex(pattern = limits::SUBDOMAIN))]
    #[schemars(extend("x-kubernetes-validations" = rules::deployment_name()))]
    pub deployment_name: String,

    /// Number of pods. Default: 1. 0 is legal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = limits::MAX_REPLICAS))]
    pub replicas: Option<i32>,

    /// Image of the container. Default: that of the hub's settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = limits::IMAGE_LENGTH), regex(pattern = limits::IMAGE))]
    pub image: Option<String>,
}

/// What the hub last saw of the Deployment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IrisStatus {
    /// Generation of the spec that this status describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// Number of pods that exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,

    /// Number of pods that are ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_replicas: Option<i32>,

    /// Label selector of the pods, for the scale subresource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::SENTENCE_LENGTH))]
    pub selector: Option<String>,

    /// Conditions: `Ready`, `Reconciling`, `Stalled`, `SpecAccepted`, `FieldConflict`.
    #[serde(default, deserialize_with = "null::as_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
}
