//! Web gateways, as nodes of their own or as sidecars. It must not write `CSP.ini`.

use k8s_openapi::api::core::v1::VolumeMount;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{LocalReference, NodeSpec, PodTemplate, VolumeSettings};
use crate::{embedded::Embedded, limits, null, rules};

/// Web gateways as nodes of their own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::webgateway()))]
pub struct Webgateway {
    /// What every node group has.
    #[serde(flatten)]
    pub node: NodeSpec,

    /// What every web gateway has.
    #[serde(flatten)]
    pub gateway: WebgatewaySettings,

    /// Number of pods. Default: 1. 0 is legal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = limits::MAX_REPLICAS))]
    pub replicas: Option<i32>,

    /// Volume of the configuration and the logs of the gateway.
    #[serde(rename = "storageDB", default, skip_serializing_if = "Option::is_none")]
    pub storage_db: Option<VolumeSettings>,
}

/// A web gateway beside IRIS, in every pod of the node group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::webgateway()))]
pub struct WebgatewaySidecar {
    /// Image of the sidecar.
    #[schemars(length(min = 1, max = limits::IMAGE_LENGTH), regex(pattern = limits::IMAGE))]
    pub image: String,

    /// What every web gateway has.
    #[serde(flatten)]
    pub gateway: WebgatewaySettings,

    /// Changes to the container of the sidecar; fields of the pod have no effect here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_template: Option<PodTemplate>,

    /// Mounts of `volumes` and `volumeClaimTemplates` of the cluster.
    #[serde(default, deserialize_with = "null::as_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::LIST_ITEMS))]
    pub volume_mounts: Vec<Embedded<VolumeMount>>,

    /// Volume of the configuration and the logs of the gateway.
    #[serde(rename = "storageDB", default, skip_serializing_if = "Option::is_none")]
    pub storage_db: Option<VolumeSettings>,
}

/// What every web gateway has, wherever it runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebgatewaySettings {
    /// Web server that the image holds. Default: by the name of the image, `nginx` where that says `nginx`,
    /// `apache-lockeddown` where it says `lockeddown`, else `apache`.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub type_: Option<WebgatewayType>,

    /// Paths of the web applications to serve, such as `/csp/user`. Default: none beyond those of IRIS.
    #[serde(default, deserialize_with = "null::as_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::LIST_ITEMS), inner(length(max = limits::PATH_LENGTH), regex(pattern = limits::PATH)))]
    pub application_paths: Vec<String>,

    /// How the gateway uses several IRIS servers. Default: `LoadBalancing` for compute nodes or shards,
    /// `FailOver` for a mirror.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alternative_servers: Option<AlternativeServers>,

    /// Secret with `username` and `password`, with which the gateway signs in to IRIS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login_secret: Option<LocalReference>,

    /// Whether the gateway keeps its configuration without a volume claim; of `storageDB` only `mountPath` has an
    /// effect then. Default: false.
    #[serde(default, deserialize_with = "null::as_default", skip_serializing_if = "std::ops::Not::not")]
    pub ephemeral: bool,
}

/// Web servers of the gateway images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WebgatewayType {
    /// Apache httpd.
    Apache,
    /// nginx.
    Nginx,
    /// Apache httpd in the locked-down image.
    ApacheLockeddown,
}

/// How a web gateway uses several IRIS servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum AlternativeServers {
    /// All of them, in turn.
    LoadBalancing,
    /// The next one only when one fails.
    FailOver,
}
