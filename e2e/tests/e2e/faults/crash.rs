//! A hub that is killed in the middle of its work (SIGKILL) and started again: the end is the same, and nothing is
//! made twice.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::StreamExt as _;
use homebase_testkit::{AuditEvent, AuditMark, ControlPlane, eventually};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, ApiResource, DynamicObject, ListParams, WatchEvent, WatchParams};
use serde_json::{Value, json};

use super::scene::{NAME, iris_cluster, mirrored, planes, wait_quiet};
use crate::support::{Fleet, Identities, Metrics, OBJECT_READY, SOON, hub_requests, object, wait_ready};

/// Beyond this the moment in which to kill the hub has not come.
const MOMENT: Duration = Duration::from_secs(60);
/// The same for the apiserver, which rounds to seconds.
const MOMENT_SECONDS: u32 = 60;
/// From the last change until the hub has told of it.
const SETTLED: Duration = Duration::from_secs(60);
/// Claims of a data node: data, write image journal and two journals.
const VOLUMES: usize = 4;
/// The namespace of the run without a fault.
const REFERENCE: &str = "reference";

/// The write after which the hub is killed: the first one that shows this object.
struct Moment {
    namespace: &'static str,
    kind: ApiResource,
    name: &'static str,
}

fn moments() -> [Moment; 5] {
    let kill = |namespace, kind, name| Moment { namespace, kind, name };
    [
        kill("after-service", ApiResource::erase::<Service>(&()), "iris-svc"),
        kill("after-configmap", ApiResource::erase::<ConfigMap>(&()), "sample-data-0"),
        kill("after-arbiter", ApiResource::erase::<StatefulSet>(&()), "sample-arbiter"),
        kill("after-data", ApiResource::erase::<StatefulSet>(&()), "sample-data-0"),
        kill("after-compute", ApiResource::erase::<StatefulSet>(&()), "sample-compute"),
    ]
}

#[tokio::test]
async fn a_hub_that_is_killed_at_any_moment_comes_to_the_same_end_and_makes_nothing_twice() {
    let mut fleet = planes("kill", &["work"]).await;
    fleet.start_hub().await;
    kill_in_crd_installation(&mut fleet).await;

    fleet.work[0].apply(&mirrored(REFERENCE)).await.unwrap();
    wait_end(&fleet, REFERENCE).await;
    let reference = End::of(&fleet.work[0], REFERENCE).await;
    let created = creations(&fleet.work[0], REFERENCE);

    for moment in moments() {
        let namespace = moment.namespace;
        let seen = appearance(&fleet.work[0], &moment.kind, Some(namespace), moment.name).await;
        fleet.work[0].apply(&mirrored(namespace)).await.unwrap();
        seen.await;
        fleet.hub_mut().kill9();
        let before = Identities::of(&fleet.work[0], &[namespace]).await;
        assert_unfinished(&fleet.work[0], namespace).await;
        fleet.spawn_hub().await;
        wait_end(&fleet, namespace).await;

        let after = Identities::of(&fleet.work[0], &[namespace]).await;
        assert_kept(namespace, &before, &after);
        assert_eq!(End::of(&fleet.work[0], namespace).await, reference, "{namespace}");
        let made = creations(&fleet.work[0], namespace);
        assert_eq!(made, created, "{namespace}");
        println!("kill {namespace}: {} of {} objects were there", before.0.len(), after.0.len());
    }
    kill_at_rest(&mut fleet).await;
    fleet.assert_invariants().await;
}

/// The first of two CRDs is there, and is neither established nor followed by the second one.
async fn kill_in_crd_installation(fleet: &mut Fleet) {
    let plane = &fleet.work[0];
    let kind = ApiResource::erase::<CustomResourceDefinition>(&());
    let seen = appearance(plane, &kind, None, "irisclusters.intersystems.com").await;
    fleet.register(plane).await;
    seen.await;
    fleet.hub_mut().kill9();
    let before = crds(&fleet.work[0]).await;
    fleet.spawn_hub().await;
    fleet.wait_cluster_ready("work").await;
    let after = crds(&fleet.work[0]).await;
    assert_eq!(after.len(), 2, "{after:?}");
    for (name, uid) in &before {
        assert_eq!(after.get(name), Some(uid), "{name} was made anew");
    }
    println!("kill in the CRD installation: {} of {} CRDs were there", before.len(), after.len());
}

/// Names and UIDs of the CRDs.
async fn crds(plane: &ControlPlane) -> BTreeMap<String, String> {
    let api: Api<CustomResourceDefinition> = Api::all(plane.client().await.unwrap());
    let found = api.list(&ListParams::default()).await.unwrap().items.into_iter();
    found.map(|crd| (crd.metadata.name.unwrap(), crd.metadata.uid.unwrap())).collect()
}

/// Nothing is left to do: not even a resourceVersion changes, and volumes and pods stay as they are.
async fn kill_at_rest(fleet: &mut Fleet) {
    let namespaces: Vec<&str> = moments().iter().map(|moment| moment.namespace).chain([REFERENCE]).collect();
    wait_quiet(fleet, SETTLED).await;
    let before = Identities::of(&fleet.work[0], &namespaces).await;
    let volumes = before.0.keys().filter(|key| key.starts_with("PersistentVolumeClaim ")).count();
    assert_eq!(volumes, 2 * VOLUMES * namespaces.len(), "those of two data nodes each");
    let mark = fleet.work[0].audit_mark().unwrap();
    fleet.hub_mut().kill9();
    fleet.spawn_hub().await;
    fleet.wait_cluster_ready("work").await;
    #[expect(clippy::cast_precision_loss, reason = "six")]
    let count = namespaces.len() as f64;
    eventually("all are reconciled", SOON, || async {
        let metrics = Metrics::of(fleet.hub()).await;
        let done = metrics.sum("controller_runtime_reconcile_total", &["controller=\"iriscluster\""]);
        let depth = metrics.sum("workqueue_depth", &[]);
        let active = metrics.sum("controller_runtime_active_workers", &[]);
        let figures = (done, depth, active);
        let is_done = done >= Some(count) && depth == Some(0.0) && active == Some(0.0);
        if is_done { Ok(()) } else { Err(format!("{figures:?}")) }
    })
    .await
    .unwrap();
    wait_quiet(fleet, SETTLED).await;
    assert_eq!(Identities::of(&fleet.work[0], &namespaces).await, before);
    let sent = hub_requests(&fleet.work[0], mark);
    assert!(sent.iter().all(|request| request.code == 200 && request.verb == "patch"), "{sent:#?}");
    println!("kill at rest: {} applies that changed nothing", sent.len());
}

async fn wait_end(fleet: &Fleet, namespace: &str) {
    wait_ready(&fleet.work[0], &iris_cluster(), (namespace, NAME), OBJECT_READY).await;
}

/// The hub was killed before it had come to the end: its own last word says so.
async fn assert_unfinished(plane: &ControlPlane, namespace: &str) {
    let cluster = object(plane, &iris_cluster(), namespace, NAME).await.unwrap();
    let conditions = cluster.data["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let is_ready = conditions.iter().any(|one| one["type"] == "Ready" && one["status"] == "True");
    assert!(!is_ready, "{namespace}: the hub was killed too late: {conditions:?}");
}

/// Resolves when an object appears. What it returns watches already.
async fn appearance(
    plane: &ControlPlane,
    kind: &ApiResource,
    namespace: Option<&str>,
    name: &str,
) -> impl Future<Output = ()> + use<> {
    let client = plane.client().await.unwrap();
    let api: Api<DynamicObject> = match namespace {
        Some(namespace) => Api::namespaced_with(client, namespace, kind),
        None => Api::all_with(client, kind),
    };
    let only = WatchParams::default().fields(&format!("metadata.name={name}")).timeout(MOMENT_SECONDS);
    let mut events = api.watch(&only, "0").await.unwrap().boxed();
    let name = name.to_owned();
    async move {
        loop {
            let event = tokio::time::timeout(MOMENT, events.next()).await;
            let event = event.unwrap_or_else(|_| panic!("no {name} within {MOMENT:?}"));
            match event.unwrap_or_else(|| panic!("no {name} before the watch ended")).unwrap() {
                WatchEvent::Added(_) => return,
                WatchEvent::Bookmark(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

/// Everything that was there is still the same object.
fn assert_kept(namespace: &str, before: &Identities, after: &Identities) {
    let after = after.uids();
    for (object, uid) in before.uids() {
        assert_eq!(after.get(object), Some(&uid), "{namespace}: {object} was made anew");
    }
}

/// What the hub made in a namespace and how often; Events aside, of which one may be told again.
fn creations(plane: &ControlPlane, namespace: &str) -> BTreeMap<String, usize> {
    let mut made = BTreeMap::new();
    let is_creation = |request: &AuditEvent| {
        request.code == 201 && request.namespace == namespace && request.group != "events.k8s.io"
    };
    for request in hub_requests(plane, AuditMark::default()).into_iter().filter(is_creation) {
        *made.entry(format!("{} {}", request.resource, request.name)).or_default() += 1;
    }
    assert!(made.values().all(|count| *count == 1), "{namespace}: {made:?}");
    made
}

/// The end of a run, without what differs between namespaces and times.
#[derive(Debug, PartialEq)]
struct End {
    children: BTreeMap<String, Value>,
    status: Value,
    /// Names of pods, claims and everything else.
    names: BTreeSet<String>,
}

impl End {
    async fn of(plane: &ControlPlane, namespace: &str) -> Self {
        let mut children = BTreeMap::new();
        for kind in [
            ApiResource::erase::<StatefulSet>(&()),
            ApiResource::erase::<Service>(&()),
            ApiResource::erase::<ConfigMap>(&()),
        ] {
            let api: Api<DynamicObject> =
                Api::namespaced_with(plane.client().await.unwrap(), namespace, &kind);
            for found in api.list(&ListParams::default()).await.unwrap() {
                let key = format!("{} {}", kind.kind, found.metadata.name.clone().unwrap_or_default());
                children.insert(key, comparable(&found, namespace));
            }
        }
        let cluster = object(plane, &iris_cluster(), namespace, NAME).await.unwrap();
        let names = Identities::of(plane, &[namespace]).await;
        let names = names.0.keys().map(|key| key.replace(namespace, "NAMESPACE")).collect();
        Self { children, status: comparable_status(&cluster.data["status"]), names }
    }
}

fn comparable(object: &DynamicObject, namespace: &str) -> Value {
    let text = serde_json::to_string(&object.data).unwrap().replace(namespace, "NAMESPACE");
    let mut content: Value = serde_json::from_str(&text).unwrap();
    if let Some(spec) = content["spec"].as_object_mut() {
        // Allotted by the apiserver.
        spec.retain(|field, _| field != "clusterIP" && field != "clusterIPs");
    }
    content.as_object_mut().unwrap().remove("status");
    // Hashes of texts that hold the namespace.
    blank_annotations(&mut content);
    let annotations: BTreeSet<&String> =
        object.metadata.annotations.iter().flat_map(BTreeMap::keys).collect();
    json!({"labels": object.metadata.labels, "annotations": annotations, "content": content})
}

fn blank_annotations(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                match field {
                    Value::Object(annotations) if name == "annotations" => {
                        annotations.values_mut().for_each(|text| *text = Value::Null);
                    }
                    field => blank_annotations(field),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(blank_annotations),
        _ => {}
    }
}

fn comparable_status(status: &Value) -> Value {
    let mut status = status.clone();
    for condition in status["conditions"].as_array_mut().into_iter().flatten() {
        condition.as_object_mut().unwrap().remove("lastTransitionTime");
    }
    status
}
