//! What a user may change about the Services of a cluster. It must not decide ports or selectors.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ServiceSpec;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{embedded::Embedded, null, schema};

/// What the Services `NAME` and `NAME-webgateway` look like.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceTemplate {
    /// Annotations of the Services.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<ServiceMetadata>,

    /// Fields of the Services: type, ports, addresses, traffic policies, session affinity. A port replaces the
    /// port of Homebase that has the same name; other ports are ignored. `selector` has no effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec: Option<Embedded<ServiceSpec>>,

    /// Fields that Homebase does not know: kept, reported as a warning, without effect.
    #[serde(flatten)]
    pub unknown: BTreeMap<String, Value>,
}

/// Annotations for a Service.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceMetadata {
    /// Annotations to add, such as those that a load balancer reads.
    #[serde(default, deserialize_with = "null::as_default", skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::annotations")]
    pub annotations: BTreeMap<String, String>,

    /// Fields that Homebase does not know: kept, reported as a warning, without effect.
    #[serde(flatten)]
    pub unknown: BTreeMap<String, Value>,
}
