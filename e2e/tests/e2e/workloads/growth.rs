//! A running cluster gets more parts: mirror members, compute nodes, a web gateway, and gives some of them up again. What
//! runs restarts only where what it is made of changes.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::fixture::{CLUSTER, Case, IMAGE, mirrored, text, uid, with_compute};

const GATEWAY_IMAGE: &str = "containers.intersystems.com/intersystems/webgateway:2025.1";
const ROLE: &str = "/metadata/labels/intersystems.com~1mirrorRole";

async fn pods(case: &Case) -> BTreeMap<String, String> {
    let pods = case.list("Pod", "intersystems.com/kind=IrisCluster").await;
    pods.iter().map(|pod| (text(pod, "/metadata/name"), uid(pod))).collect()
}

/// Applies a cluster, waits until it is ready, and says which pods were there before and are the same.
async fn changed(case: &Case, cluster: &Value) -> Vec<String> {
    let before = pods(case).await;
    case.apply(CLUSTER, "iris", cluster).await;
    case.until_ready(CLUSTER, "iris").await;
    let after = pods(case).await;
    before.into_iter().filter(|(name, uid)| after.get(name) == Some(uid)).map(|(name, _)| name).collect()
}

#[tokio::test]
async fn parts_are_added_to_a_running_cluster_and_taken_away() {
    let case = Case::begin("growth").await;
    let mut cluster = mirrored();
    case.apply(CLUSTER, "iris", &cluster).await;
    case.until_ready(CLUSTER, "iris").await;

    // Compute nodes and a gateway concern nobody else.
    cluster = with_compute(cluster, 1);
    let kept = changed(&case, &cluster).await;
    assert_eq!(kept, ["iris-arbiter-0", "iris-data-0-0", "iris-data-0-1"]);
    cluster["spec"]["topology"]["webgateway"] =
        json!({"image": GATEWAY_IMAGE, "type": "nginx", "replicas": 2, "applicationPaths": ["/csp/user"]});
    let kept = changed(&case, &cluster).await;
    assert_eq!(kept, ["iris-arbiter-0", "iris-compute-0", "iris-data-0-0", "iris-data-0-1"]);
    assert!(case.get("Service", "iris-webgateway").await.is_some());

    // A member more: the others read its role from their CPF, so they restart, and the new one has its role.
    cluster["spec"]["topology"]["data"]["mirrorMap"] = "primary,backup,drasync".into();
    let claims = case.names("PersistentVolumeClaim", "").await;
    changed(&case, &cluster).await;
    case.until("Pod", "iris-data-0-2", |pod| {
        let role = text(pod, ROLE);
        if role == "drasync" { Ok(()) } else { Err(role) }
    })
    .await;
    let more = case.names("PersistentVolumeClaim", "").await;
    assert_eq!(more.len(), claims.len() + 4);

    // And back: the member goes, its volumes stay.
    cluster["spec"]["topology"]["data"]["mirrorMap"] = "primary,backup".into();
    changed(&case, &cluster).await;
    case.until_gone("Pod", "iris-data-0-2").await;
    assert_eq!(case.names("PersistentVolumeClaim", "").await, more);
    let topology = cluster["spec"]["topology"].as_object_mut().unwrap();
    topology.remove("webgateway");
    topology.remove("compute");
    let kept = changed(&case, &cluster).await;
    assert_eq!(kept, ["iris-arbiter-0", "iris-data-0-0", "iris-data-0-1"]);
    for (kind, name) in [
        ("StatefulSet", "iris-webgateway"),
        ("StatefulSet", "iris-compute"),
        ("Service", "iris-webgateway"),
        ("ConfigMap", "iris-webgateway"),
    ] {
        case.until_gone(kind, name).await;
    }
    assert_eq!(case.names("PersistentVolumeClaim", "").await, more);
    case.end().await;
}

#[tokio::test]
async fn two_clusters_of_a_namespace_do_not_see_each_other() {
    let case = Case::begin("neighbours").await;
    for name in ["one", "two"] {
        case.apply(CLUSTER, name, &with_compute(mirrored(), 1)).await;
    }
    for name in ["one", "two"] {
        case.until_ready(CLUSTER, name).await;
    }
    let before = pods(&case).await;
    let image = format!("{IMAGE}.2");
    let change = json!({"spec": {"topology": {"compute": {"image": image}}}});
    case.edit(CLUSTER, "one", &change).await;
    case.until_replaced("Pod", "one-compute-0", &before["one-compute-0"]).await;
    case.until_ready(CLUSTER, "one").await;
    let after = pods(&case).await;
    let restarted: Vec<_> = before.iter().filter(|(name, uid)| after.get(*name) != Some(uid)).collect();
    assert_eq!(restarted.len(), 1, "{restarted:?}");
    case.end().await;
}
