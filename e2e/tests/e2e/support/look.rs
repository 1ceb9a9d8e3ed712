//! Reading what the hub shows: conditions, Events, identities of objects. It must change nothing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use homebase_api::WorkCluster;
use homebase_testkit::{ControlPlane, eventually};
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{Api, ApiResource, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::GroupVersionKind;
use serde_json::Value;

use super::{CLUSTER_READY, FIELD_MANAGER, Fleet, NAMESPACE, SOON};

/// Kinds that the hub makes or operates on a work cluster: group, version, kind.
const KINDS: [(&str, &str, &str); 9] = [
    ("apps", "v1", "Deployment"),
    ("apps", "v1", "StatefulSet"),
    ("", "v1", "Service"),
    ("", "v1", "ConfigMap"),
    ("", "v1", "Pod"),
    ("", "v1", "PersistentVolumeClaim"),
    ("policy", "v1", "PodDisruptionBudget"),
    ("intersystems.com", "v1alpha1", "IrisCluster"),
    ("test.myardyas.club", "v1alpha1", "Iris"),
];

impl Fleet {
    /// The `WorkCluster` of a cluster, if there is one.
    pub(crate) async fn work_cluster(&self, cluster: &str) -> Option<WorkCluster> {
        let api: Api<WorkCluster> = Api::namespaced(self.home.client().await.unwrap(), NAMESPACE);
        match api.get_opt(cluster).await {
            Ok(found) => found,
            // Before the hub has installed the kind for the first time.
            Err(kube::Error::Api(status)) if status.code == 404 => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// Waits until `check` holds of the `WorkCluster` of a cluster, and says how long that took. It is checked every
    /// 100 ms.
    pub(crate) async fn wait_work_cluster<T>(
        &self,
        cluster: &str,
        bound: Duration,
        check: impl Fn(&WorkCluster) -> Result<T, String>,
    ) -> (T, Duration) {
        let start = Instant::now();
        let api: Api<WorkCluster> = Api::namespaced(self.home.client().await.unwrap(), NAMESPACE);
        let (api, check) = (&api, &check);
        let found = eventually(format!("the WorkCluster {cluster}"), bound, || async move {
            check(&api.get(cluster).await.map_err(|error| error.to_string())?)
        });
        (found.await.unwrap(), start.elapsed())
    }

    /// Waits until a condition of a `WorkCluster` has this status and reason; returns its message and the time.
    pub(crate) async fn wait_condition(
        &self,
        cluster: &str,
        (kind, status, reason): (&str, &str, &str),
        bound: Duration,
    ) -> (String, Duration) {
        let wanted = |found: &WorkCluster| {
            let condition = condition(found, kind)?;
            is(&condition, status, reason)?;
            Ok(condition.message)
        };
        self.wait_work_cluster(cluster, bound, wanted).await
    }

    /// Waits until the hub operates a cluster; says how long that took.
    pub(crate) async fn wait_cluster_ready(&self, cluster: &str) -> Duration {
        self.wait_condition(cluster, ("Ready", "True", "AllChecksPassed"), CLUSTER_READY).await.1
    }
}

/// A condition of a `WorkCluster`, or all of them in words.
pub(crate) fn condition(found: &WorkCluster, kind: &str) -> Result<Condition, String> {
    let conditions = found.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let searched = conditions.iter().find(|condition| condition.type_ == kind);
    searched.cloned().ok_or_else(|| format!("no {kind} among {conditions:?}"))
}

/// Whether a condition has this status and reason; if not, what it has, in words.
pub(crate) fn is(condition: &Condition, status: &str, reason: &str) -> Result<(), String> {
    if condition.status == status && condition.reason == reason {
        return Ok(());
    }
    let Condition { type_, status, reason, message, .. } = condition;
    Err(format!("{type_}={status} {reason}: {message}"))
}

/// The API of a kind.
fn resource_of(group: &str, version: &str, kind: &str) -> ApiResource {
    match kind {
        // Its plural is not the one that the rule gives.
        "Iris" => ApiResource::erase::<homebase_api::Iris>(&()),
        _ => ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind)),
    }
}

/// Applies an object with a namespace, as `kubectl apply --server-side` does; tests may do so side by side.
pub(crate) async fn apply(plane: &ControlPlane, manifest: &Value) -> DynamicObject {
    let text = |pointer: &str| manifest.pointer(pointer).and_then(Value::as_str).unwrap();
    let (group, version) = text("/apiVersion").split_once('/').unwrap_or(("", text("/apiVersion")));
    let resource = resource_of(group, version, text("/kind"));
    let client = plane.client().await.unwrap();
    let api: Api<DynamicObject> = Api::namespaced_with(client, text("/metadata/namespace"), &resource);
    let params = PatchParams::apply(FIELD_MANAGER).force();
    api.patch(text("/metadata/name"), &params, &Patch::Apply(manifest)).await.unwrap()
}

/// One object of any kind.
pub(crate) async fn object(
    plane: &ControlPlane,
    kind: &ApiResource,
    namespace: &str,
    name: &str,
) -> Option<DynamicObject> {
    let api: Api<DynamicObject> = Api::namespaced_with(plane.client().await.unwrap(), namespace, kind);
    api.get_opt(name).await.unwrap()
}

/// Waits until `check` holds of an object.
pub(crate) async fn wait_object<T>(
    plane: &ControlPlane,
    kind: &ApiResource,
    (namespace, name): (&str, &str),
    bound: Duration,
    check: impl Fn(&DynamicObject) -> Result<T, String>,
) -> T {
    let api: Api<DynamicObject> = Api::namespaced_with(plane.client().await.unwrap(), namespace, kind);
    let (api, check) = (&api, &check);
    let what = format!("{} {namespace}/{name} of {}", kind.kind, plane.name());
    let found =
        eventually(
            what,
            bound,
            || async move { check(&api.get(name).await.map_err(|error| error.to_string())?) },
        );
    found.await.unwrap()
}

/// Waits until an `Iris` or `IrisCluster` is Ready for its present spec.
pub(crate) async fn wait_ready(plane: &ControlPlane, kind: &ApiResource, key: (&str, &str), bound: Duration) {
    wait_object(plane, kind, key, bound, |found| {
        let conditions = found.data.pointer("/status/conditions").and_then(Value::as_array);
        let ready = conditions.and_then(|all| all.iter().find(|one| one["type"] == "Ready"));
        let ready = ready.ok_or("no condition Ready")?;
        let current = ready["observedGeneration"].as_i64() == found.metadata.generation;
        if current && ready["status"] == "True" { Ok(()) } else { Err(found.data["status"].to_string()) }
    })
    .await;
}

/// The Events on an object: of every type, oldest first.
pub(crate) async fn events(plane: &ControlPlane, namespace: &str, name: &str) -> Vec<Event> {
    let api: Api<Event> = Api::namespaced(plane.client().await.unwrap(), namespace);
    let mut events = api.list(&ListParams::default()).await.unwrap().items;
    events.retain(|event| event.regarding.as_ref().is_some_and(|on| on.name.as_deref() == Some(name)));
    events.sort_by(|a, b| a.metadata.creation_timestamp.cmp(&b.metadata.creation_timestamp));
    events
}

/// UID and resourceVersion of every object in some namespaces of a plane, of the kinds that the hub makes or operates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identities(pub(crate) BTreeMap<String, (String, String)>);

impl Identities {
    /// The objects that are there now.
    pub(crate) async fn of(plane: &ControlPlane, namespaces: &[&str]) -> Self {
        let client = plane.client().await.unwrap();
        let mut all = BTreeMap::new();
        for (group, version, kind) in KINDS {
            let resource = resource_of(group, version, kind);
            for namespace in namespaces {
                let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
                // An apiserver that has just come up asks to be asked again.
                let listed = eventually(format!("the list of {kind}"), SOON, || async {
                    match api.list(&ListParams::default()).await {
                        // A kind that is not installed has no objects.
                        Err(kube::Error::Api(status)) if status.code == 404 => Ok(Vec::new()),
                        found => found.map(|list| list.items).map_err(|error| error.to_string()),
                    }
                });
                for object in listed.await.unwrap() {
                    let meta = object.metadata;
                    let key = format!("{kind} {namespace}/{}", meta.name.unwrap_or_default());
                    let version = meta.resource_version.unwrap_or_default();
                    all.insert(key, (meta.uid.unwrap_or_default(), version));
                }
            }
        }
        Self(all)
    }

    /// The same without resourceVersions: whether objects are still the same ones.
    pub(crate) fn uids(&self) -> BTreeMap<&str, &str> {
        self.0.iter().map(|(key, (uid, _))| (key.as_str(), uid.as_str())).collect()
    }
}
