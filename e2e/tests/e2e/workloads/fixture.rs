//! One home cluster, one work cluster and one hub for all tests of this module; a namespace for each test. It must
//! not hold a case.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::{Deref, DerefMut};
use std::sync::LazyLock;
use std::time::Duration;

use homebase_testkit::{AuditEvent, AuditMark, ControlPlane, PodNetwork, eventually};
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Service};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::Client;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use serde_json::{Value, json};
use tokio::sync::{OnceCell, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::support::{FIELD_MANAGER, Fleet, OBJECT_READY, SOON, events, hub_requests};

/// The images are never pulled: KWOK plays the kubelets.
pub(super) const IMAGE: &str = "containers.intersystems.com/intersystems/iris:2025.1";
/// See [`IMAGE`].
pub(super) const ARBITER_IMAGE: &str = "containers.intersystems.com/intersystems/arbiter:2025.1";
/// A storage class beside the default one, for the test that changes it.
pub(super) const OTHER_STORAGE_CLASS: &str = "changing";
/// Names of the kinds that tests look at.
pub(super) const CLUSTER: &str = "IrisCluster";
/// See [`CLUSTER`].
pub(super) const IRIS: &str = "Iris";

static FLEET: OnceCell<RwLock<Fleet>> = OnceCell::const_new();
static PODS: LazyLock<PodNetwork> = LazyLock::new(|| PodNetwork::start().unwrap());

/// What the apiserver finds at the addresses of pods: nobody, unless a test says who.
pub(super) fn pod_network() -> &'static PodNetwork {
    &PODS
}

/// The fleet. It ends with the test binary: the watchdogs of its processes see to that.
async fn fleet() -> &'static RwLock<Fleet> {
    FLEET
        .get_or_init(|| async {
            let plane = ControlPlane::builder("workloads")
                .zones(["boston", "chicago", "seattle", "london"])
                .pod_proxy(pod_network().socket())
                .storage_classes([OTHER_STORAGE_CLASS.to_owned()]);
            let fleet = Fleet::builder("workloads").work(plane).start().await;
            fleet.register(&fleet.work[0]).await;
            fleet.wait_cluster_ready("workloads").await;
            RwLock::new(fleet)
        })
        .await
}

/// A share in the fleet, or all of it.
enum Share {
    Some(RwLockReadGuard<'static, Fleet>),
    All(RwLockWriteGuard<'static, Fleet>),
    /// Another fleet than that of the module.
    Own(Box<Fleet>),
}

/// One test: its namespace on the work cluster, and the hub.
pub(super) struct Case {
    share: Share,
    client: Client,
    pub(super) namespace: String,
    mark: AuditMark,
}

impl Deref for Case {
    type Target = Fleet;

    fn deref(&self) -> &Fleet {
        match &self.share {
            Share::Some(fleet) => fleet,
            Share::All(fleet) => fleet,
            Share::Own(fleet) => fleet,
        }
    }
}

/// Only for a test that has the fleet for itself.
impl DerefMut for Case {
    fn deref_mut(&mut self) -> &mut Fleet {
        match &mut self.share {
            Share::Some(_) => panic!("this test shares the fleet: begin with `Case::alone`"),
            Share::All(fleet) => fleet,
            Share::Own(fleet) => fleet,
        }
    }
}

impl Case {
    /// Begins a test in a namespace of this name; others may run beside it.
    pub(super) async fn begin(namespace: &str) -> Self {
        Self::with(Share::Some(fleet().await.read().await), namespace).await
    }

    /// Begins a test that stops the hub: none runs beside it.
    pub(super) async fn alone(namespace: &str) -> Self {
        Self::with(Share::All(fleet().await.write().await), namespace).await
    }

    /// Begins a test on a fleet of its own.
    pub(super) async fn on(fleet: Fleet, namespace: &str) -> Self {
        Self::with(Share::Own(Box::new(fleet)), namespace).await
    }

    async fn with(share: Share, namespace: &str) -> Self {
        let plane = match &share {
            Share::Some(fleet) => &fleet.work[0],
            Share::All(fleet) => &fleet.work[0],
            Share::Own(fleet) => &fleet.work[0],
        };
        let (client, mark) = (plane.client().await.unwrap(), plane.audit_mark().unwrap());
        let case = Self { share, client, namespace: namespace.to_owned(), mark };
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
        let namespaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(case.client.clone());
        namespaces.patch(namespace, &PatchParams::apply(FIELD_MANAGER), &Patch::Apply(object)).await.unwrap();
        case.until("ServiceAccount", "default", |_| Ok(())).await;
        case
    }

    /// Ends a test with the invariants.
    pub(super) async fn end(self) {
        self.assert_invariants().await;
        self.assert_volumes_kept(self.plane(), &self.namespace).await;
    }

    /// The work cluster.
    pub(super) fn plane(&self) -> &ControlPlane {
        &self.work[0]
    }

    pub(super) fn api(&self, kind: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource(kind))
    }

    /// Applies an object by its fields besides name and kind, and returns it.
    pub(super) async fn apply(&self, kind: &str, name: &str, fields: &Value) -> Value {
        let resource = resource(kind);
        let mut object = fields.clone();
        object["apiVersion"] = resource.api_version.into();
        object["kind"] = kind.into();
        object["metadata"]["name"] = name.into();
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let applied = self.api(kind).patch(name, &params, &Patch::Apply(&object)).await.unwrap();
        serde_json::to_value(applied).unwrap()
    }

    /// Merges a patch into an object, as `kubectl edit` does.
    pub(super) async fn edit(&self, kind: &str, name: &str, patch: &Value) {
        self.api(kind).patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }

    /// Deletes an object; its dependents follow in the background.
    pub(super) async fn delete(&self, kind: &str, name: &str) {
        self.api(kind).delete(name, &DeleteParams::background()).await.unwrap();
    }

    /// An object as it is now.
    pub(super) async fn get(&self, kind: &str, name: &str) -> Option<Value> {
        let found = self.api(kind).get_opt(name).await.unwrap();
        found.map(|object| serde_json::to_value(object).unwrap())
    }

    /// The objects of a kind in the namespace, by label selector.
    pub(super) async fn list(&self, kind: &str, selector: &str) -> Vec<Value> {
        let found = self.api(kind).list(&ListParams::default().labels(selector)).await.unwrap();
        found.items.into_iter().map(|object| serde_json::to_value(object).unwrap()).collect()
    }

    /// The sorted names of the objects of a kind in the namespace, by label selector.
    pub(super) async fn names(&self, kind: &str, selector: &str) -> Vec<String> {
        let mut names: Vec<String> =
            self.list(kind, selector).await.iter().map(|object| text(object, "/metadata/name")).collect();
        names.sort();
        names
    }

    /// Waits until `check` holds of an object.
    pub(super) async fn until<T>(
        &self,
        kind: &str,
        name: &str,
        check: impl Fn(&Value) -> Result<T, String>,
    ) -> T {
        let (api, check) = (self.api(kind), &check);
        let what = format!("{kind} {}/{name}", self.namespace);
        let found = eventually(what, OBJECT_READY, || async {
            let object = api.get(name).await.map_err(|error| error.to_string())?;
            check(&serde_json::to_value(object).unwrap())
        });
        found.await.unwrap()
    }

    /// Waits until an object is gone.
    pub(super) async fn until_gone(&self, kind: &str, name: &str) {
        self.eventually(&format!("{kind} {name} is gone"), OBJECT_READY, || async {
            self.get(kind, name).await.map_or(Ok(()), |object| Err(object["metadata"].to_string()))
        })
        .await;
    }

    /// Waits until an object has another UID than this one.
    pub(super) async fn until_replaced(&self, kind: &str, name: &str, old: &str) -> Value {
        self.until(kind, name, |object| {
            let is_new = uid(object) != old && object["metadata"]["deletionTimestamp"].is_null();
            if is_new { Ok(object.clone()) } else { Err("it still is the old one".to_owned()) }
        })
        .await
    }

    /// Waits until `check` holds.
    pub(super) async fn eventually<T, E: Display, F: Future<Output = Result<T, E>>>(
        &self,
        what: &str,
        bound: Duration,
        check: impl FnMut() -> F,
    ) -> T {
        eventually(format!("{}: {what}", self.namespace), bound, check).await.unwrap()
    }

    /// Waits until a condition of an object speaks of its present spec and has this status; returns the object.
    pub(super) async fn until_condition(&self, kind: &str, name: &str, wanted: (&str, &str)) -> Value {
        self.until(kind, name, |object| {
            let found = condition(object, wanted.0);
            let is_current = found["observedGeneration"] == object["metadata"]["generation"];
            if is_current && found["status"] == wanted.1 {
                return Ok(object.clone());
            }
            Err(format!("generation {}: {}", object["metadata"]["generation"], object["status"]))
        })
        .await
    }

    /// Waits until an object is Ready for its present spec.
    pub(super) async fn until_ready(&self, kind: &str, name: &str) -> Value {
        self.until_condition(kind, name, ("Ready", "True")).await
    }

    /// The Events on an object as type, reason and note, oldest first.
    pub(super) async fn events(&self, name: &str) -> Vec<String> {
        let events = events(self.plane(), &self.namespace, name).await;
        let mut told: Vec<_> = events
            .into_iter()
            .map(|event| {
                let words = [event.type_, event.reason, event.note].map(Option::unwrap_or_default);
                (event.event_time, words.join(" "))
            })
            .collect();
        told.sort();
        told.into_iter().map(|(_, text)| text).collect()
    }

    /// Waits until there is an Event on an object that has this beginning.
    pub(super) async fn until_event(&self, name: &str, beginning: &str) {
        self.eventually(&format!("an Event `{beginning}`"), SOON, || async {
            let events = self.events(name).await;
            let found = events.iter().any(|event| event.starts_with(beginning));
            if found { Ok(()) } else { Err(events.join("; ")) }
        })
        .await;
    }

    /// The hub's effective writes to the namespace since the test began, Events left out.
    pub(super) fn hub_writes(&self) -> Vec<AuditEvent> {
        let mut all = hub_requests(self.plane(), self.mark);
        all.retain(|event| {
            event.namespace == self.namespace && event.resource != "events" && event.is_effective()
        });
        all
    }

    /// The hub writes nothing to the namespace within a bounded window. Longer ones are observed elsewhere.
    pub(super) async fn assert_quiet(&self) {
        const WINDOW: Duration = Duration::from_secs(3);
        // What a test has just seen may not be answered yet, and is logged with the answer.
        const SETTLE: Duration = Duration::from_secs(1);
        tokio::time::timeout(SETTLE, std::future::pending::<()>()).await.unwrap_err();
        let before = self.hub_writes().len();
        tokio::time::timeout(WINDOW, std::future::pending::<()>()).await.unwrap_err();
        let writes = self.hub_writes();
        assert_eq!(writes.len(), before, "{:?}", &writes[before..]);
    }

    /// The UIDs of the objects of a kind in the namespace by name, by label selector.
    pub(super) async fn uids(&self, kind: &str, selector: &str) -> BTreeMap<String, String> {
        let found = self.list(kind, selector).await;
        found.iter().map(|object| (text(object, "/metadata/name"), uid(object))).collect()
    }

    /// Waits until `StorageReady` of a cluster speaks of its present spec and has this reason; returns its message.
    pub(super) async fn until_storage(&self, name: &str, reason: &str) -> String {
        self.until_storage_of(name, reason, "").await
    }

    /// The same with a message that holds a text: several claims can be the first one that a reason is about.
    pub(super) async fn until_storage_of(&self, name: &str, reason: &str, words: &str) -> String {
        self.until(CLUSTER, name, |cluster| {
            let storage = condition(cluster, "StorageReady");
            let is_current = storage["observedGeneration"] == cluster["metadata"]["generation"];
            let message = text(&storage, "/message");
            if is_current && storage["reason"] == reason && message.contains(words) {
                return Ok(message);
            }
            Err(format!("generation {}: {storage}", cluster["metadata"]["generation"]))
        })
        .await
    }

    /// Runs kubectl in the namespace.
    pub(super) async fn kubectl(&self, arguments: &[&str]) -> String {
        let all: Vec<&str> = ["-n", &self.namespace].iter().chain(arguments).copied().collect();
        self.plane().kubectl_ok(&all).await.unwrap()
    }

    /// The words of header and only line of `kubectl get`.
    pub(super) async fn columns(&self, arguments: &[&str]) -> (Vec<String>, Vec<String>) {
        let table = self.kubectl(&[&["get"], arguments].concat()).await;
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let lines: Vec<_> = table.lines().map(words).collect();
        let [header, line] = lines.try_into().unwrap_or_else(|_| panic!("not one line: {table}"));
        (header, line)
    }
}

fn resource(kind: &str) -> ApiResource {
    match kind {
        "Deployment" => ApiResource::erase::<Deployment>(&()),
        "StatefulSet" => ApiResource::erase::<StatefulSet>(&()),
        "Service" => ApiResource::erase::<Service>(&()),
        "ConfigMap" => ApiResource::erase::<ConfigMap>(&()),
        "Pod" => ApiResource::erase::<Pod>(&()),
        "PodDisruptionBudget" => ApiResource::erase::<PodDisruptionBudget>(&()),
        "PersistentVolumeClaim" => ApiResource::erase::<PersistentVolumeClaim>(&()),
        "ResourceQuota" => ApiResource::erase::<k8s_openapi::api::core::v1::ResourceQuota>(&()),
        "HorizontalPodAutoscaler" => {
            ApiResource::erase::<k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler>(&())
        }
        "ServiceAccount" => ApiResource::erase::<k8s_openapi::api::core::v1::ServiceAccount>(&()),
        CLUSTER => ApiResource::erase::<homebase_api::IrisCluster>(&()),
        IRIS => ApiResource::erase::<homebase_api::Iris>(&()),
        other => panic!("no test looks at {other}"),
    }
}

/// The text at a JSON pointer; empty when there is none.
pub(super) fn text(object: &Value, pointer: &str) -> String {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The UID of an object.
pub(super) fn uid(object: &Value) -> String {
    text(object, "/metadata/uid")
}

/// A condition of an object; null when it has none of this type.
pub(super) fn condition(object: &Value, kind: &str) -> Value {
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
    let found = conditions.and_then(|all| all.iter().find(|condition| condition["type"] == kind));
    found.cloned().unwrap_or_default()
}

/// A cluster of one data node.
pub(super) fn single() -> Value {
    json!({"spec": {"topology": {"data": {"image": IMAGE}}}})
}

/// A mirrored pair with an arbiter.
pub(super) fn mirrored() -> Value {
    json!({"spec": {"topology": {
        "data": {"image": IMAGE, "mirrored": true},
        "arbiter": {"image": ARBITER_IMAGE},
    }}})
}

/// `cluster` with compute nodes without volumes.
pub(super) fn with_compute(mut cluster: Value, replicas: u32) -> Value {
    cluster["spec"]["topology"]["compute"] = json!({"image": IMAGE, "replicas": replicas, "ephemeral": true});
    cluster
}
