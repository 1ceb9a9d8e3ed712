//! What another operator made for an `IrisCluster` is taken over: under the same names, on the same volumes, and with the
//! pods as they are where what they are made of is the same. The other operator is played by objects as it leaves them:
//! its field manager, its fields, none of our marks.

use std::collections::BTreeMap;

use kube::api::{DynamicObject, PostParams};
use serde_json::{Value, json};

use super::fixture::{CLUSTER, Case, IMAGE, condition, mirrored, text, uid};
use crate::cli::homebase;

/// The field manager of the other operator.
const OTHER: &str = "intersystems-iris-operator";

/// The objects that the hub would make of a cluster, without anything by which one could tell that it was the hub.
async fn foretold(case: &Case, cluster: &Value) -> Vec<Value> {
    let folder = tempfile(case);
    let mut manifest = cluster.clone();
    manifest["apiVersion"] = "intersystems.com/v1alpha1".into();
    manifest["kind"] = CLUSTER.into();
    std::fs::write(&folder, manifest.to_string()).unwrap();
    let ran = homebase(&["plan", "-o", "json", "-f", folder.to_str().unwrap()]).await;
    std::fs::remove_file(&folder).unwrap();
    assert_eq!(ran.code, 0, "{ran:?}");
    let list: Value = serde_json::from_str(&ran.out).unwrap();
    let mut objects = list["items"].as_array().unwrap().clone();
    objects.iter_mut().for_each(strip);
    objects
}

fn tempfile(case: &Case) -> std::path::PathBuf {
    std::env::temp_dir().join(format!("homebase-{}-{}.json", std::process::id(), case.namespace))
}

fn strip(object: &mut Value) {
    for meta in ["/metadata", "/spec/template/metadata"] {
        let Some(meta) = object.pointer_mut(meta) else { continue };
        let ours = |key: &String| key.starts_with("homebase.dev/") || key == "app.kubernetes.io/managed-by";
        for kind in ["labels", "annotations"] {
            let Some(map) = meta.get_mut(kind).and_then(Value::as_object_mut) else { continue };
            map.retain(|key, _| !ours(key));
        }
    }
    // It leaves this to Kubernetes, which fills in what only one strategy bears.
    if let Some(spec) = object["spec"].as_object_mut() {
        spec.remove("updateStrategy");
    }
    // It has a key of its own beside ours.
    if object["kind"] == "ConfigMap" {
        object["data"]["theirs.cpf"] = "[config]\n".into();
    }
}

/// Makes the objects as the other operator would have made them.
async fn make(case: &Case, objects: &[Value], owner: Option<&Value>) {
    for object in objects {
        let mut object = object.clone();
        let metadata = object["metadata"].as_object_mut().unwrap();
        metadata.remove("ownerReferences");
        if let Some(owner) = owner.filter(|_| metadata["name"] != "iris-svc") {
            let reference = json!({"apiVersion": owner["apiVersion"], "kind": CLUSTER, "controller": true,
                "name": owner["metadata"]["name"], "uid": uid(owner), "blockOwnerDeletion": true});
            metadata.insert("ownerReferences".to_owned(), json!([reference]));
        }
        let kind = text(&object, "/kind");
        let object: DynamicObject = serde_json::from_value(object).unwrap();
        let params = PostParams { field_manager: Some(OTHER.to_owned()), ..PostParams::default() };
        case.api(&kind).create(&params, &object).await.unwrap();
    }
}

async fn pods(case: &Case) -> BTreeMap<String, String> {
    let pods = case.list("Pod", "intersystems.com/kind=IrisCluster").await;
    pods.iter().map(|pod| (text(pod, "/metadata/name"), uid(pod))).collect()
}

async fn claims(case: &Case) -> BTreeMap<String, String> {
    let claims = case.list("PersistentVolumeClaim", "").await;
    claims.iter().map(|claim| (text(claim, "/metadata/name"), uid(claim))).collect()
}

/// Waits until every pod of a StatefulSet of the other operator is ready.
async fn until_up(case: &Case, name: &str, replicas: i64) {
    case.until("StatefulSet", name, |set| {
        let ready = set["status"]["readyReplicas"] == replicas;
        if ready { Ok(()) } else { Err(set["status"].to_string()) }
    })
    .await;
}

/// What a comparison says before the hub is there, as a person asks who is about to change hands.
async fn compared(case: &Case, resource: &Value) -> Vec<Value> {
    let (file, kubeconfig) = (tempfile(case), case.plane().admin_kubeconfig_path());
    let mut manifest = resource.clone();
    manifest["apiVersion"] = "intersystems.com/v1alpha1".into();
    manifest["kind"] = CLUSTER.into();
    std::fs::write(&file, manifest.to_string()).unwrap();
    let words = ["plan", "-o", "json", "-f", file.to_str().unwrap(), "--diff", "--kubeconfig"];
    let ran = homebase(&[&words[..], &[kubeconfig.to_str().unwrap()]].concat()).await;
    std::fs::remove_file(&file).unwrap();
    assert_eq!(ran.code, 1, "{ran:?}");
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    report["differences"].as_array().unwrap().clone()
}

/// A pair with an environment variable that is taken away later.
fn pair(case: &Case) -> Value {
    let mut cluster = mirrored();
    cluster["metadata"] = json!({"name": "iris", "namespace": case.namespace});
    cluster["spec"]["topology"]["data"]["podTemplate"] =
        json!({"spec": {"env": [{"name": "TZ", "value": "UTC"}]}});
    cluster
}

fn managers(object: &Value) -> Vec<String> {
    let entries = object["metadata"]["managedFields"].as_array().unwrap();
    entries
        .iter()
        .filter(|entry| entry["subresource"].is_null())
        .map(|entry| text(entry, "/manager"))
        .collect()
}

#[tokio::test]
async fn a_cluster_of_another_operator_is_taken_over_with_its_pods() {
    let mut case = Case::alone("takeover").await;
    case.hub_mut().kill9();
    let cluster = pair(&case);
    let objects = foretold(&case, &cluster).await;
    let resource = case.apply(CLUSTER, "iris", &cluster).await;
    make(&case, &objects, Some(&resource)).await;
    until_up(&case, "iris-arbiter", 1).await;
    until_up(&case, "iris-data-0", 2).await;
    let (pods_before, claims_before) = (pods(&case).await, claims(&case).await);
    assert_eq!((pods_before.len(), claims_before.len()), (3, 8));
    for one in compared(&case, &resource).await {
        assert_eq!((&one["action"], &one["restarts"]), (&"change".into(), &Value::Null), "{one}");
    }
    // A part that the spec gives up would go, but nothing goes before the hub has taken it over.
    let mut smaller = resource.clone();
    smaller["spec"]["topology"].as_object_mut().unwrap().remove("arbiter");
    let compared = compared(&case, &smaller).await;
    assert!(compared.iter().all(|one| one["action"] != "remove"), "{compared:?}");

    case.start_hub().await;
    case.until_ready(CLUSTER, "iris").await;
    assert_eq!(pods(&case).await, pods_before, "a pod was restarted");
    assert_eq!(claims(&case).await, claims_before);
    for (kind, name) in [
        ("StatefulSet", "iris-data-0"),
        ("StatefulSet", "iris-arbiter"),
        ("Service", "iris"),
        ("ConfigMap", "iris-data-0"),
    ] {
        let object = case.get(kind, name).await.unwrap();
        assert_eq!(object["metadata"]["labels"]["app.kubernetes.io/managed-by"], "homebase", "{kind} {name}");
        assert!(!managers(&object).contains(&OTHER.to_owned()), "{kind} {name}: {:?}", managers(&object));
    }
    case.until_event("iris", "Normal Adopted Took over StatefulSet iris-data-0; its pods stay as they are")
        .await;
    // The pods of a set that was taken over are seen as well as others: one of them is labelled as the primary.
    case.until("Pod", "iris-data-0-0", |pod| {
        let role = text(pod, "/metadata/labels/intersystems.com~1mirrorRole");
        if role == "primary" { Ok(()) } else { Err(role) }
    })
    .await;
    case.assert_quiet().await;

    // It is ours now: what the spec gives up is given up, and a change reaches the pods.
    let mut changed = cluster.clone();
    changed["spec"]["topology"]["data"]["podTemplate"] = json!({"spec": {"env": []}});
    case.apply(CLUSTER, "iris", &changed).await;
    let old = &pods_before["iris-data-0-0"];
    let pod = case.until_replaced("Pod", "iris-data-0-0", old).await;
    let names: Vec<_> = pod["spec"]["containers"][0]["env"].as_array().unwrap().clone();
    assert!(names.iter().all(|variable| variable["name"] != "TZ"), "{names:?}");
    case.until_ready(CLUSTER, "iris").await;
    assert_eq!(claims(&case).await, claims_before);
    let pod = case.get("Pod", "iris-data-0-0").await.unwrap();
    assert_eq!(pod["metadata"]["labels"]["app.kubernetes.io/managed-by"], "homebase");
    case.end().await;
}

#[tokio::test]
async fn what_belongs_to_nobody_is_taken_over_only_when_the_user_says_so() {
    let mut case = Case::alone("takeover-ownerless").await;
    case.hub_mut().kill9();
    let mut cluster = pair(&case);
    cluster["spec"]["updateStrategy"] = json!({"type": "OnDelete"});
    let objects = foretold(&case, &cluster).await;
    make(&case, &objects, None).await;
    // Nobody knows the UID of a resource that is not there, and no apiserver takes an owner without one.
    let compared = compared(&case, &cluster).await;
    assert!(compared.iter().any(|one| one["kind"] == "StatefulSet"), "{compared:?}");
    case.apply(CLUSTER, "iris", &cluster).await;
    until_up(&case, "iris-data-0", 2).await;
    let pods_before = pods(&case).await;

    case.start_hub().await;
    let told = case.until_condition(CLUSTER, "iris", ("FieldConflict", "True")).await;
    let message = text(&condition(&told, "FieldConflict"), "/message");
    assert!(message.contains("homebase.dev/adopt=true"), "{message}");
    assert!(
        case.hub_writes().iter().all(|write| write.resource == "irisclusters"),
        "{:?}",
        case.hub_writes()
    );

    case.edit(CLUSTER, "iris", &json!({"metadata": {"annotations": {"homebase.dev/adopt": "true"}}})).await;
    case.until_ready(CLUSTER, "iris").await;
    assert_eq!(pods(&case).await, pods_before, "a pod was restarted");
    case.end().await;
}

#[tokio::test]
async fn pods_of_another_template_are_made_anew_and_said_to_be() {
    let mut case = Case::alone("takeover-differs").await;
    case.hub_mut().kill9();
    let mut cluster = json!({"spec": {"topology": {"data": {"image": IMAGE}}}});
    cluster["metadata"] = json!({"name": "iris", "namespace": case.namespace});
    let mut objects = foretold(&case, &cluster).await;
    for object in objects.iter_mut().filter(|object| object["kind"] == "StatefulSet") {
        object["spec"]["template"]["spec"]["containers"][0]["image"] = "elsewhere/iris:2024.1".into();
    }
    let resource = case.apply(CLUSTER, "iris", &cluster).await;
    make(&case, &objects, Some(&resource)).await;
    until_up(&case, "iris-data", 1).await;
    let (pods_before, claims_before) = (pods(&case).await, claims(&case).await);

    case.start_hub().await;
    let pod = case.until_replaced("Pod", "iris-data-0", &pods_before["iris-data-0"]).await;
    assert_eq!(pod["spec"]["containers"][0]["image"], IMAGE);
    case.until_ready(CLUSTER, "iris").await;
    case.until_event("iris", "Normal Adopted Took over StatefulSet iris-data; its pods restart").await;
    assert_eq!(claims(&case).await, claims_before);
    case.end().await;
}

#[tokio::test]
async fn a_set_that_differs_in_what_cannot_change_is_made_anew_around_its_pods() {
    let mut case = Case::alone("takeover-fixed").await;
    case.hub_mut().kill9();
    let cluster = pair(&case);
    let mut objects = foretold(&case, &cluster).await;
    for object in objects.iter_mut().filter(|object| object["metadata"]["name"] == "iris-data-0") {
        if object["kind"] == "StatefulSet" {
            object["spec"]["podManagementPolicy"] = "Parallel".into();
        }
    }
    let resource = case.apply(CLUSTER, "iris", &cluster).await;
    make(&case, &objects, Some(&resource)).await;
    until_up(&case, "iris-arbiter", 1).await;
    until_up(&case, "iris-data-0", 2).await;
    let (pods_before, claims_before) = (pods(&case).await, claims(&case).await);
    let old = uid(&case.get("StatefulSet", "iris-data-0").await.unwrap());

    case.start_hub().await;
    let set = case.until_replaced("StatefulSet", "iris-data-0", &old).await;
    assert_eq!(set["spec"]["podManagementPolicy"], "OrderedReady");
    case.until_ready(CLUSTER, "iris").await;
    assert_eq!(pods(&case).await, pods_before, "a pod was restarted");
    assert_eq!(claims(&case).await, claims_before);
    case.until_event("iris", "Normal Recreated Deleted StatefulSet iris-data-0 to make it anew").await;
    case.assert_quiet().await;
    case.end().await;
}
