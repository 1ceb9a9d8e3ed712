//! What is rehearsed: one IrisCluster, what it refers to, and the nodes that it needs. It judges the manifests as
//! `validate` does and starts nothing.

use homebase_api::IrisCluster;
use homebase_iris::cluster::attest::{ExpectedTopology, expected_topology};
use homebase_iris::cluster::validate;
use homebase_planes::{PODS_PER_NODE, STORAGE_CLASS};
use serde_json::{Value, json};

use super::super::Exit;
use super::super::manifests::{self, Manifests};
use super::super::output::tell;
use super::super::plan::accepted;
use super::super::validate::judge::{dereferenced, find, typed};
use crate::arguments::ManifestArguments;

/// The zone of the nodes when the spec names none.
const SOME_ZONE: &str = "simulated";
/// Nodes of each zone at least, so that pods which must not share a node find others.
const NODES_PER_ZONE: usize = 3;
/// Kinds beside IrisCluster that are applied with it.
const COMPANIONS: [&str; 2] = ["ConfigMap", "Secret"];

/// What is rehearsed.
pub(super) struct Subject {
    pub(super) namespace: String,
    pub(super) name: String,
    /// The resource as it is applied.
    pub(super) resource: Value,
    /// ConfigMaps and Secrets of the same namespace, and stand-ins for those that are missing.
    pub(super) companions: Vec<Value>,
    pub(super) zones: Vec<String>,
    pub(super) nodes_per_zone: usize,
    /// The classes of its volumes, but for the default one.
    pub(super) storage_classes: Vec<String>,
}

impl Subject {
    /// Reads the manifests; says what is wrong with them.
    pub(super) fn read(arguments: &ManifestArguments) -> anyhow::Result<Result<Self, Exit>> {
        let manifests = manifests::read(arguments);
        for unreadable in &manifests.unreadable {
            tell(&format!("error: {}: {}", unreadable.place, unreadable.why));
        }
        if !manifests.unreadable.is_empty() {
            return Ok(Err(Exit::Unknown));
        }
        Self::of(&manifests)
    }

    pub(super) fn of(manifests: &Manifests) -> anyhow::Result<Result<Self, Exit>> {
        let resources = match accepted(manifests)? {
            Ok(resources) => resources,
            Err(exit) => return Ok(Err(exit)),
        };
        let clusters: Vec<_> = resources.into_iter().filter(|one| one.kind() == "IrisCluster").collect();
        let [document] = clusters.as_slice() else {
            tell(&format!("error: give one IrisCluster to rehearse, not {}", clusters.len()));
            return Ok(Err(Exit::Unknown));
        };
        let cluster: IrisCluster =
            typed(document).map_err(|()| anyhow::anyhow!("{}: it cannot be read", document.place))?;
        let validated = validate(&cluster, &dereferenced(&cluster, manifests))
            .map_err(|_| anyhow::anyhow!("{}: it is refused by the hub", document.place))?;
        let topology = expected_topology(&validated);
        let zones = topology.zones();
        let (namespace, name) = (document.text("/metadata/namespace"), document.text("/metadata/name"));
        Ok(Ok(Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            resource: applied(&document.value),
            companions: companions(&cluster, namespace, manifests),
            zones: if zones.is_empty() { vec![SOME_ZONE.to_owned()] } else { zones },
            nodes_per_zone: topology.pods().div_ceil(PODS_PER_NODE).max(NODES_PER_ZONE),
            storage_classes: storage_classes(&topology),
        }))
    }
}

/// The object as a person would write it: what an apiserver has added, in a copy of one that runs, is left out.
fn applied(object: &Value) -> Value {
    let field = |pointer| object.pointer(pointer).cloned().unwrap_or_default();
    let mut applied = json!({
        "apiVersion": field("/apiVersion"), "kind": field("/kind"),
        "metadata": {"name": field("/metadata/name"), "namespace": field("/metadata/namespace")},
    });
    for key in ["labels", "annotations"] {
        if let Some(map) = object.pointer(&format!("/metadata/{key}")).filter(|map| map.is_object()) {
            applied["metadata"][key] = map.clone();
        }
    }
    for (key, value) in object.as_object().into_iter().flatten() {
        if !["apiVersion", "kind", "metadata", "status"].contains(&key.as_str()) {
            applied[key] = value.clone();
        }
    }
    applied
}

/// A Secret with its keys, and nothing of what it keeps: pods that are only played read none.
fn blanked(mut object: Value) -> Value {
    /// Valid for every type of Secret; those of registries have to be JSON, and a key for SSH may not be empty.
    const BLANK: &str = "{}";
    /// The same in base64.
    const BLANK_BASE64: &str = "e30=";
    if object["kind"] != "Secret" {
        return object;
    }
    for (field, blank) in [("data", BLANK_BASE64), ("stringData", BLANK)] {
        let values = object.get_mut(field).and_then(Value::as_object_mut);
        values.into_iter().flatten().for_each(|(_, value)| *value = blank.into());
    }
    if let Some(metadata) = object["metadata"].as_object_mut() {
        // kubectl keeps a copy of the whole among them.
        metadata.remove("annotations");
    }
    object
}

fn companions(cluster: &IrisCluster, namespace: &str, manifests: &Manifests) -> Vec<Value> {
    let given = manifests.documents.iter().filter(|document| {
        COMPANIONS.contains(&document.kind()) && document.text("/metadata/namespace") == namespace
    });
    let mut all: Vec<Value> = given.map(|document| blanked(applied(&document.value))).collect();
    let source = cluster.spec.config_source.as_ref();
    if let Some(reference) = source.filter(|one| find(manifests, "ConfigMap", namespace, &one.name).is_none())
    {
        tell(&format!(
            "note: ConfigMap {} (spec.configSource) is not in the manifests: an empty one stands in for it",
            reference.name
        ));
        all.push(json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": reference.name, "namespace": namespace}}));
    }
    let secrets = cluster.spec.license_key_secret.iter().chain(&cluster.spec.image_pull_secrets);
    for reference in secrets.filter(|one| find(manifests, "Secret", namespace, &one.name).is_none()) {
        tell(&format!(
            "note: Secret {} is not in the manifests: pods that are only played come up without it, real ones would not",
            reference.name
        ));
    }
    all
}

fn storage_classes(topology: &ExpectedTopology) -> Vec<String> {
    let mut classes: Vec<String> = Vec::new();
    let sets = topology.groups.iter().filter_map(|group| group.planned.as_ref()?.spec.as_ref());
    for claim in sets.flat_map(|spec| spec.volume_claim_templates.iter().flatten()) {
        let class = claim.spec.as_ref().and_then(|spec| spec.storage_class_name.as_ref());
        if let Some(class) = class.filter(|class| *class != STORAGE_CLASS && !classes.contains(class)) {
            classes.push(class.clone());
        }
    }
    classes
}
