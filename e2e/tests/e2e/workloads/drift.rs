//! Children that somebody edits or deletes by hand come back as they were, on the same volumes.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::fixture::{CLUSTER, Case, IMAGE, single, uid};

async fn case(namespace: &str) -> Case {
    let case = Case::begin(namespace).await;
    let mut cluster = single();
    cluster["spec"]["topology"]["compute"] = json!({"image": IMAGE, "replicas": 1});
    case.apply(CLUSTER, "iris", &cluster).await;
    case.until_ready(CLUSTER, "iris").await;
    case
}

async fn claims(case: &Case) -> BTreeSet<String> {
    case.list("PersistentVolumeClaim", "").await.iter().map(uid).collect()
}

/// Edits a child and waits until the value at a pointer is again what it was.
async fn comes_back(case: &Case, kind: &str, name: &str, patch: &Value, pointer: &str) {
    let before = case.get(kind, name).await.unwrap();
    let wanted = before.pointer(pointer).unwrap();
    assert!(
        patch.pointer(pointer).is_some_and(|edited| edited != wanted),
        "{patch} does not change {pointer}"
    );
    case.edit(kind, name, patch).await;
    case.until(kind, name, |object| {
        let found = object.pointer(pointer);
        if found == Some(wanted) { Ok(()) } else { Err(format!("{pointer} is {found:?}")) }
    })
    .await;
    assert_eq!(uid(&case.get(kind, name).await.unwrap()), uid(&before), "{kind} {name} was made anew");
}

#[tokio::test]
async fn an_edited_child_is_taken_back() {
    let case = case("edited").await;
    let label = |key: &str, value: Value| json!({"metadata": {"labels": {key: value}}});
    let component = "intersystems.com/component";
    let at_component = "/metadata/labels/intersystems.com~1component";
    for (kind, name, patch, pointer) in [
        ("StatefulSet", "iris-compute", json!({"spec": {"replicas": 4}}), "/spec/replicas"),
        ("StatefulSet", "iris-data", json!({"spec": {"replicas": 0}}), "/spec/replicas"),
        ("StatefulSet", "iris-data", label(component, json!("x")), at_component),
        ("StatefulSet", "iris-data", label(component, Value::Null), at_component),
        (
            "StatefulSet",
            "iris-compute",
            json!({"spec": {"template": {"metadata": {"annotations": {"homebase.dev/config-hash": "x"}}}}}),
            "/spec/template/metadata/annotations/homebase.dev~1config-hash",
        ),
        // Without this label the hub's own watch does not see it any more.
        (
            "Service",
            "iris",
            label("app.kubernetes.io/managed-by", Value::Null),
            "/metadata/labels/app.kubernetes.io~1managed-by",
        ),
        (
            "Service",
            "iris",
            json!({"spec": {"selector": {component: "compute"}}}),
            "/spec/selector/intersystems.com~1component",
        ),
        (
            "Service",
            "iris-svc",
            json!({"spec": {"publishNotReadyAddresses": false}}),
            "/spec/publishNotReadyAddresses",
        ),
        ("ConfigMap", "iris-data", json!({"data": {"data.cpf": "[Startup]\n"}}), "/data/data.cpf"),
        (
            "ConfigMap",
            "iris-compute",
            json!({"metadata": {"ownerReferences": []}}),
            "/metadata/ownerReferences",
        ),
    ] {
        comes_back(&case, kind, name, &patch, pointer).await;
    }
    case.until_ready(CLUSTER, "iris").await;

    // What the hub does not decide stays, and does not keep it busy.
    case.edit("StatefulSet", "iris-data", &label("team", json!("blue"))).await;
    case.assert_quiet().await;
    let set = case.get("StatefulSet", "iris-data").await.unwrap();
    assert_eq!(set["metadata"]["labels"]["team"], "blue");
    case.end().await;
}

#[tokio::test]
async fn a_deleted_child_is_made_anew() {
    let case = case("deleted").await;
    let volumes = claims(&case).await;
    assert_eq!(volumes.len(), 8);
    for (kind, name) in [
        ("Service", "iris"),
        ("Service", "iris-svc"),
        ("ConfigMap", "iris-data"),
        ("ConfigMap", "iris-compute"),
        ("StatefulSet", "iris-compute"),
        ("StatefulSet", "iris-data"),
    ] {
        let before = case.get(kind, name).await.unwrap();
        case.delete(kind, name).await;
        let after = case.until_replaced(kind, name, &uid(&before)).await;
        for field in
            ["/metadata/labels", "/metadata/ownerReferences", "/spec/selector", "/spec/template", "/data"]
        {
            assert_eq!(after.pointer(field), before.pointer(field), "{kind} {name} {field}");
        }
    }
    case.until_ready(CLUSTER, "iris").await;
    assert_eq!(claims(&case).await, volumes);
    assert_eq!(case.names("Pod", "").await, ["iris-compute-0", "iris-data-0"]);
    assert!(case.hub_writes().iter().all(|write| write.verb != "delete"));
    case.assert_quiet().await;
    case.end().await;
}
