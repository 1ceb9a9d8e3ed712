//! The resources of the soak as manifests, and what the hub has made of them in a form in which two namespaces can be
//! compared. It must not wait for anything.

use std::collections::BTreeMap;

use homebase_api::{Iris, IrisCluster, labels};
use homebase_testkit::ControlPlane;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use kube::ResourceExt as _;
use kube::api::{Api, ApiResource, DynamicObject, ListParams};
use serde_json::{Value, json};

use super::model::{Cluster, ClusterSpec, IrisSpec};

/// The one object that belongs to a namespace, not to a resource in it: it stays when the last resource has gone.
const SHARED: &str = "Service iris-svc";

/// The namespace that a user works in: another one on each cluster, so that a mistake shows.
pub(super) fn namespace(plane: &ControlPlane) -> String {
    format!("on-{}", plane.name())
}

/// The namespace in which the same resources are made for the first time.
pub(super) fn reference(plane: &ControlPlane) -> String {
    format!("ref-{}", plane.name())
}

pub(super) fn iris_name(number: usize) -> String {
    format!("iris-{number}")
}

pub(super) fn cluster_name(number: usize) -> String {
    format!("cluster-{number}")
}

/// The Deployment that an `Iris` asks for.
fn deployment_name(number: usize, spec: IrisSpec) -> String {
    format!("{}-{}", iris_name(number), if spec.renamed { "new" } else { "old" })
}

pub(super) fn iris(namespace: &str, number: usize, spec: IrisSpec) -> Value {
    json!({
        "apiVersion": "test.myardyas.club/v1alpha1", "kind": "Iris",
        "metadata": {"name": iris_name(number), "namespace": namespace},
        "spec": {"deploymentName": deployment_name(number, spec), "replicas": spec.replicas},
    })
}

pub(super) fn cluster(namespace: &str, number: usize, spec: ClusterSpec) -> Value {
    let image = format!("containers.intersystems.com/intersystems/iris:2025.{}", spec.image);
    let mut object = json!({
        "apiVersion": "intersystems.com/v1alpha1", "kind": "IrisCluster",
        "metadata": {"name": cluster_name(number), "namespace": namespace},
        "spec": {"topology": {"data": {"image": image}}},
    });
    if let Some(mark) = spec.mark {
        let annotations = json!({"example.com/mark": mark.to_string()});
        object["spec"]["serviceTemplate"] = json!({"metadata": {"annotations": annotations}});
    }
    object
}

/// The manifests of everything that is desired of a cluster.
pub(super) fn manifests(model: &Cluster, namespace: &str) -> Vec<Value> {
    let iris = model.iris.iter().map(|(number, spec)| iris(namespace, *number, *spec));
    let clusters = model.clusters.iter().map(|(number, spec)| cluster(namespace, *number, *spec));
    iris.chain(clusters).collect()
}

pub(super) fn kind(name: &str) -> ApiResource {
    match name {
        "Iris" => ApiResource::erase::<Iris>(&()),
        "IrisCluster" => ApiResource::erase::<IrisCluster>(&()),
        other => panic!("no soak writes {other}"),
    }
}

/// What the hub has made in a namespace, without what differs between namespaces, times and histories.
#[derive(Debug, PartialEq)]
pub(super) struct Made(BTreeMap<String, Value>);

impl Made {
    pub(super) async fn of(plane: &ControlPlane, namespace: &str) -> Result<Self, kube::Error> {
        let client = plane.client().await.unwrap();
        let ours = format!("{}={}", labels::MANAGED_BY, labels::MANAGED_BY_HOMEBASE);
        let ours = ListParams::default().labels(&ours);
        let mut owners = BTreeMap::new();
        for kind in ["Iris", "IrisCluster"].map(kind) {
            let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &kind);
            for found in api.list(&ListParams::default()).await? {
                owners.insert(found.uid().unwrap_or_default(), format!("{} {}", kind.kind, found.name_any()));
            }
        }
        let mut made = BTreeMap::new();
        for kind in [
            ApiResource::erase::<Deployment>(&()),
            ApiResource::erase::<StatefulSet>(&()),
            ApiResource::erase::<Service>(&()),
            ApiResource::erase::<ConfigMap>(&()),
        ] {
            let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &kind);
            for found in api.list(&ours).await? {
                let name = format!("{} {}", kind.kind, found.name_any());
                made.insert(name, comparable(&found, namespace, &owners));
            }
        }
        Ok(Self(made))
    }

    /// In words, where this differs from what is made of the same resources for the first time; none when it does not.
    pub(super) fn difference(&self, reference: &Self) -> Option<String> {
        let (mut found, wanted) = (self.0.clone(), reference.0.clone());
        if !wanted.contains_key(SHARED) {
            found.remove(SHARED);
        }
        if found == wanted {
            return None;
        }
        let names = wanted.keys().chain(found.keys().filter(|name| !wanted.contains_key(*name)));
        let differing = names.filter(|name| found.get(*name) != wanted.get(*name));
        let words = differing.map(|name| match (found.get(name), wanted.get(name)) {
            (None, _) => format!("{name} is missing"),
            (_, None) => format!("{name} is left over"),
            (Some(found), Some(wanted)) => format!("{name} is {found} instead of {wanted}"),
        });
        Some(words.collect::<Vec<_>>().join("; "))
    }

    /// In words, which of the desired resources has not been answered; none when all have.
    pub(super) fn unanswered(&self, model: &Cluster) -> Option<String> {
        let deployments = model.iris.iter().filter_map(|(number, spec)| {
            let name = format!("Deployment {}", deployment_name(*number, *spec));
            let replicas = self.0.get(&name).map(|found| found["content"]["spec"]["replicas"].clone());
            (replicas != Some(spec.replicas.into())).then_some(name)
        });
        let sets = model.clusters.keys().filter_map(|number| {
            let name = format!("Service {}", cluster_name(*number));
            (!self.0.contains_key(&name)).then_some(name)
        });
        let missing: Vec<String> = deployments.chain(sets).collect();
        (!missing.is_empty()).then(|| format!("not as desired: {}", missing.join(", ")))
    }
}

fn comparable(object: &DynamicObject, namespace: &str, owners: &BTreeMap<String, String>) -> Value {
    let text = serde_json::to_string(&object.data).unwrap().replace(namespace, "NAMESPACE");
    let mut content: Value = serde_json::from_str(&text).unwrap();
    if let Some(spec) = content["spec"].as_object_mut() {
        // Allotted by the apiserver.
        spec.retain(|field, _| field != "clusterIP" && field != "clusterIPs");
    }
    content.as_object_mut().unwrap().remove("status");
    blank_hashes(&mut content);
    let mut annotations = object.metadata.annotations.clone().unwrap_or_default();
    // That of the Deployment controller counts how often the template changed.
    annotations.retain(|key, _| !key.ends_with("-hash") && !key.starts_with("deployment.kubernetes.io/"));
    // By UID: an owner of an earlier life is a stranger.
    let owner = object.metadata.owner_references.iter().flatten().map(|owner| owners.get(&owner.uid));
    let is_leaving = object.metadata.deletion_timestamp.is_some();
    json!({
        "labels": object.metadata.labels, "annotations": annotations, "owners": owner.collect::<Vec<_>>(),
        "leaving": is_leaving, "content": content,
    })
}

/// Hashes of texts that hold the namespace.
fn blank_hashes(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                match field {
                    Value::String(text) if name.ends_with("-hash") => text.clear(),
                    field => blank_hashes(field),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(blank_hashes),
        _ => {}
    }
}
