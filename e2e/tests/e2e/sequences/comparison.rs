//! What a cluster consists of, without what differs between any two deployments of one spec. It must leave nothing out
//! that the hub decides.

use std::collections::BTreeMap;

use homebase_testkit::ControlPlane;
use kube::api::{Api, ApiResource, DynamicObject, ListParams};
use kube::core::GroupVersionKind;
use serde_json::Value;

/// Kinds that the hub makes; pods show what becomes of them.
const KINDS: [(&str, &str, &str); 4] =
    [("apps", "v1", "StatefulSet"), ("", "v1", "Service"), ("", "v1", "ConfigMap"), ("", "v1", "Pod")];

/// Annotations that tell of when and by whom, and fingerprints of what has the namespace and UIDs in it.
const PASSING: [&str; 4] = [
    "homebase.dev/plan-hash",
    "homebase.dev/config-hash",
    "homebase.dev/hub-id",
    "homebase.dev/adopted-template",
];

/// The objects of a namespace by kind and name, comparable between namespaces.
pub(super) async fn objects(plane: &ControlPlane, namespace: &str) -> BTreeMap<String, Value> {
    let client = plane.client().await.unwrap();
    let ours = ListParams::default().labels("intersystems.com/kind=IrisCluster");
    let mut all = BTreeMap::new();
    for (group, version, kind) in KINDS {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
        for object in api.list(&ours).await.unwrap() {
            let name = format!("{kind} {}", object.metadata.name.clone().unwrap());
            all.insert(name, comparable(&object, namespace));
        }
    }
    all
}

fn comparable(object: &DynamicObject, namespace: &str) -> Value {
    let mut value = serde_json::to_value(object).unwrap();
    let map = value.as_object_mut().unwrap();
    map.retain(|key, _| ["metadata", "spec", "data"].contains(&key.as_str()));
    let meta = map["metadata"].as_object_mut().unwrap();
    meta.retain(|key, _| ["labels", "annotations"].contains(&key.as_str()));
    for pointer in ["/metadata", "/spec/template/metadata"] {
        let Some(meta) = value.pointer_mut(pointer).and_then(Value::as_object_mut) else { continue };
        if let Some(annotations) = meta.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.retain(|key, _| !PASSING.contains(&key.as_str()));
            if annotations.is_empty() {
                meta.remove("annotations");
            }
        }
        if let Some(labels) = meta.get_mut("labels").and_then(Value::as_object_mut) {
            labels.remove("controller-revision-hash");
            // Kubernetes tells pods where they run.
            labels.retain(|key, _| !key.starts_with("topology.kubernetes.io/"));
        }
    }
    if let Some(spec) = value["spec"].as_object_mut() {
        for given_by_the_cluster in ["clusterIP", "clusterIPs", "nodeName", "healthCheckNodePort"] {
            // That a Service has no address is a choice of the spec.
            if spec.get(given_by_the_cluster).is_some_and(|value| value != "None") {
                spec.remove(given_by_the_cluster);
            }
        }
        for port in spec.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
            port.as_object_mut().unwrap().remove("nodePort");
        }
        // The token of the ServiceAccount has a random name.
        if let Some(volumes) = spec.get_mut("volumes").and_then(Value::as_array_mut) {
            volumes.retain(|volume| !is_token(volume));
            // Those of claims come in any order.
            volumes.sort_by_key(|volume| volume["name"].to_string());
        }
        for list in ["containers", "initContainers"] {
            for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
                let mounts = container.get_mut("volumeMounts").and_then(Value::as_array_mut);
                if let Some(mounts) = mounts {
                    mounts.retain(|mount| !is_token(mount));
                }
            }
        }
    }
    let text = value.to_string().replace(&format!("{namespace}."), "NAMESPACE.");
    let text = text.replace(&format!(".{namespace}\""), ".NAMESPACE\"");
    serde_json::from_str(&text).unwrap()
}

fn is_token(object: &Value) -> bool {
    object["name"].as_str().is_some_and(|name| name.starts_with("kube-api-access-"))
}

/// In words, where two deployments differ; none when they do not.
pub(super) fn difference(one: &BTreeMap<String, Value>, other: &BTreeMap<String, Value>) -> Option<String> {
    for name in one.keys().chain(other.keys()) {
        match (one.get(name), other.get(name)) {
            (Some(one), Some(other)) if one != other => {
                return Some(format!("{name}: {}", first_difference(one, other, "")));
            }
            (Some(_), None) => return Some(format!("{name} is over")),
            (None, Some(_)) => return Some(format!("{name} is missing")),
            _ => {}
        }
    }
    None
}

fn first_difference(one: &Value, other: &Value, path: &str) -> String {
    match (one, other) {
        (Value::Object(a), Value::Object(b)) => {
            let keys = a.keys().chain(b.keys());
            let differs = |key: &&String| a.get(*key) != b.get(*key);
            let Some(key) = keys.into_iter().find(differs) else { return path.to_owned() };
            let null = Value::Null;
            let (a, b) = (a.get(key).unwrap_or(&null), b.get(key).unwrap_or(&null));
            first_difference(a, b, &format!("{path}/{key}"))
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let index = (0..a.len()).find(|index| a[*index] != b[*index]).unwrap_or_default();
            first_difference(&a[index], &b[index], &format!("{path}/{index}"))
        }
        _ => format!("{path} is {one:.300}, and {other:.300} in a fresh deployment"),
    }
}
