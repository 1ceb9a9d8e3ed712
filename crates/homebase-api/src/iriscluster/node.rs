//! What every node group has in common. It must not hold what only one group has.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::VolumeMount;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::PodTemplate;
use crate::{embedded::Embedded, limits, null};

/// The fields that every node group has.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeSpec {
    /// Image of the container. Its tag picks the CPF dialect unless `compatibilityVersion` does.
    #[schemars(length(min = 1, max = limits::IMAGE_LENGTH), regex(pattern = limits::IMAGE))]
    pub image: String,

    /// Changes to the pods of this group and to their controller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_template: Option<PodTemplate>,

    /// Zones for the pods of this group, which run in no others: values of the node label
    /// `topology.kubernetes.io/zone`. Default: anywhere. They spread over all of them.
    /// Data, mirrored: member M of each mirror belongs in the M-th zone. A zone may be there for several members; members
    /// beyond the list may run in any of its zones. The work cluster itself places them, also while the hub is down, where
    /// it has the policy `homebase-mirror-zones` (Kubernetes 1.36); elsewhere they are spread only, and the condition
    /// `TopologySatisfied` says so, and who runs where it does not belong.
    /// Volumes stay in the zone that they came up in: name zones before the first pods of a mirror run.
    /// A zone that `nodeSelector` or a required node affinity of `podTemplate` names wins.
    #[serde(default, deserialize_with = "null::as_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::ZONES), inner(length(min = 1, max = limits::LABEL_LENGTH), regex(pattern = limits::LABEL)))]
    pub preferred_zones: Vec<String>,

    /// How the pods of this group get a new template. Default: that of the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_strategy: Option<UpdateStrategy>,

    /// Mounts of `volumes` and `volumeClaimTemplates` of the cluster.
    #[serde(default, deserialize_with = "null::as_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::LIST_ITEMS))]
    pub volume_mounts: Vec<Embedded<VolumeMount>>,

    /// Version of IRIS, quoted, such as `"2024.1"`; picks the CPF dialect of data and compute nodes. Default: taken from
    /// the image tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::VERSION_LENGTH), regex(pattern = limits::VERSION))]
    pub compatibility_version: Option<String>,
}

/// A node group that has only what every group has. Manifests in the wild write more, such as `mirrored: false` of an
/// arbiter.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlainNode {
    /// What every node group has.
    #[serde(flatten)]
    pub node: NodeSpec,

    /// Fields that Homebase does not know: kept, reported as a warning, without effect.
    #[serde(flatten)]
    pub unknown: BTreeMap<String, Value>,
}

/// How pods get a new template.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UpdateStrategy {
    /// `RollingUpdate` (default) restarts pods one by one; `OnDelete` waits until somebody deletes a pod.
    #[serde(
        rename = "type",
        default,
        deserialize_with = "null::as_default",
        skip_serializing_if = "UpdateStrategyType::is_default"
    )]
    pub type_: UpdateStrategyType,
}

/// The ways in which pods get a new template.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum UpdateStrategyType {
    /// Pods are restarted one by one.
    #[default]
    RollingUpdate,
    /// A pod gets the new template when somebody deletes it.
    OnDelete,
}

impl UpdateStrategyType {
    /// Whether this is what holds without a word about it.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes what it asks about by reference")]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
