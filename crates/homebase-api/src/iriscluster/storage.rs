//! The predefined volumes of IRIS nodes. It must not name claims or mount paths: that is the plan's part.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::{TypedLocalObjectReference, TypedObjectReference},
    apimachinery::pkg::{api::resource::Quantity, apis::meta::v1::LabelSelector},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{embedded::Embedded, limits, null, rules, schema};

/// The predefined volumes of an IRIS node. A volume that is not given has 2Gi, `ReadWriteOnce`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StorageSpec {
    /// Volume of the databases (`/irissys/data`).
    #[serde(rename = "storageDB", default, skip_serializing_if = "Option::is_none")]
    pub db: Option<VolumeSettings>,

    /// Volume of the write image journal (`/irissys/wij`).
    #[serde(rename = "storageWIJ", default, skip_serializing_if = "Option::is_none")]
    pub wij: Option<VolumeSettings>,

    /// Volume of the primary journal (`/irissys/journal1`).
    #[serde(rename = "storageJournal1", default, skip_serializing_if = "Option::is_none")]
    pub journal1: Option<VolumeSettings>,

    /// Volume of the alternate journal (`/irissys/journal2`).
    #[serde(rename = "storageJournal2", default, skip_serializing_if = "Option::is_none")]
    pub journal2: Option<VolumeSettings>,

    /// Legacy name of `storageDB`. Not together with it.
    #[serde(rename = "storage", default, skip_serializing_if = "Option::is_none")]
    pub legacy: Option<VolumeSettings>,
}

impl StorageSpec {
    /// The volume of the databases: `storageDB`, else the legacy `storage`.
    pub fn database(&self) -> Option<&VolumeSettings> {
        self.db.as_ref().or(self.legacy.as_ref())
    }

    /// Whether no volume is given.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// One predefined volume: the spec of a `PersistentVolumeClaim`, and where it is mounted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::volume_settings()))]
pub struct VolumeSettings {
    /// Where the directory lives. Under one of the node's `volumeMounts` it needs no claim of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::PATH_LENGTH), regex(pattern = limits::PATH))]
    pub mount_path: Option<String>,

    /// Access modes of the claim. Default: `ReadWriteOnce`.
    #[serde(default, deserialize_with = "null::as_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = limits::LIST_ITEMS), inner(length(max = limits::LABEL_LENGTH)))]
    pub access_modes: Vec<String>,

    /// Size of the claim. It may grow, never shrink. Default: 2Gi.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<StorageResources>,

    /// Storage class of the claim. Default: that of the `IrisCluster`, else that of the work cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::NAME_LENGTH))]
    pub storage_class_name: Option<String>,

    /// Labels of the persistent volumes that may be bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<Embedded<LabelSelector>>,

    /// `Filesystem` (default) or `Block`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::LABEL_LENGTH))]
    pub volume_mode: Option<String>,

    /// The persistent volume to bind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::NAME_LENGTH))]
    pub volume_name: Option<String>,

    /// Snapshot or claim that the volume starts from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_source: Option<Embedded<TypedLocalObjectReference>>,

    /// Object that the volume starts from, with its API group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_source_ref: Option<Embedded<TypedObjectReference>>,

    /// Class of volume attributes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::NAME_LENGTH))]
    pub volume_attributes_class_name: Option<String>,
}

impl VolumeSettings {
    /// The size that is asked for, as it was written.
    pub fn size(&self) -> Option<&Quantity> {
        self.resources.as_ref()?.requests.get("storage")
    }
}

/// Requests and limits of a claim.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StorageResources {
    /// What is asked for; `storage` is the size.
    #[serde(default, deserialize_with = "null::as_default", skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::quantities")]
    pub requests: BTreeMap<String, Quantity>,

    /// The most that may be bound.
    #[serde(default, deserialize_with = "null::as_default", skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::quantities")]
    pub limits: BTreeMap<String, Quantity>,
}
