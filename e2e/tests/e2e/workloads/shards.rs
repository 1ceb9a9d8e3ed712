//! Sharded clusters: a shard more, and none less. It must not test what IRIS makes of its shards: its image is never
//! pulled.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::fixture::{CLUSTER, Case, mirrored, single, text, uid, with_compute};

fn sharded(mut cluster: Value, shards: u32) -> Value {
    cluster["spec"]["topology"]["data"]["shards"] = json!(shards);
    cluster
}

/// The data and compute pods by name with their UIDs.
async fn pods(case: &Case) -> BTreeMap<String, String> {
    let pods = case.list("Pod", "intersystems.com/name=iris").await;
    pods.iter().map(|pod| (text(pod, "/metadata/name"), uid(pod))).collect()
}

/// Grows a cluster by one shard: what was there is still there, and the new pods are these.
async fn grows(case: &Case, cluster: fn() -> Value, new: &[&str]) {
    case.apply(CLUSTER, "iris", &with_compute(sharded(cluster(), 2), 1)).await;
    case.until_ready(CLUSTER, "iris").await;
    let before = pods(case).await;
    case.apply(CLUSTER, "iris", &with_compute(sharded(cluster(), 3), 1)).await;
    case.until_ready(CLUSTER, "iris").await;
    let after = pods(case).await;
    for (name, uid) in &before {
        assert_eq!(after.get(name), Some(uid), "{name} was replaced");
    }
    let added: Vec<_> = after.keys().filter(|name| !before.contains_key(*name)).map(String::as_str).collect();
    assert_eq!(added, new);
    case.assert_quiet().await;
}

#[tokio::test]
async fn a_shard_more_is_one_pod_more() {
    let case = Case::begin("shards").await;
    grows(&case, single, &["iris-data-2"]).await;
    let cluster = case.get(CLUSTER, "iris").await.unwrap();
    assert_eq!(text(&cluster, "/status/nodes/data/pods"), "3/3");
    let cpf = text(&case.get("ConfigMap", "iris-compute").await.unwrap(), "/data/compute.cpf");
    let url = "ClusterURL=IRIS://iris-data-0.iris-svc.shards.svc.cluster.local:1972/IRISCLUSTER,Role=compute";
    assert!(cpf.contains(url), "{cpf}");
    case.end().await;
}

#[tokio::test]
async fn a_mirrored_shard_more_is_one_mirror_more() {
    let case = Case::begin("mirrored-shards").await;
    grows(&case, mirrored, &["iris-data-2-0", "iris-data-2-1"]).await;
    let cluster = case.get(CLUSTER, "iris").await.unwrap();
    assert_eq!(text(&cluster, "/status/nodes/data/pods"), "6/6");
    let sets = case.names("StatefulSet", "intersystems.com/component=data").await;
    assert_eq!(sets, ["iris-data-0", "iris-data-1", "iris-data-2"]);
    assert_eq!(case.names("ConfigMap", "intersystems.com/component=data").await, sets);
    let primaries = case.names("Pod", "intersystems.com/mirrorRole=primary").await;
    assert_eq!(primaries, ["iris-data-0-0", "iris-data-1-0", "iris-data-2-0"]);
    case.end().await;
}

#[tokio::test]
async fn too_many_pods_by_hand_are_shards_and_stay() {
    let case = Case::begin("shards-by-hand").await;
    case.apply(CLUSTER, "iris", &sharded(single(), 1)).await;
    case.until_ready(CLUSTER, "iris").await;
    case.edit("StatefulSet", "iris-data", &json!({"spec": {"replicas": 2}})).await;
    let refused = case.until_condition(CLUSTER, "iris", ("SpecAccepted", "False")).await;
    assert!(refused["status"]["conditions"].to_string().contains("spec.topology.data.shards"), "{refused}");
    case.until("Pod", "iris-data-1", |_| Ok(())).await;
    // As the message says.
    case.apply(CLUSTER, "iris", &sharded(single(), 2)).await;
    case.until_ready(CLUSTER, "iris").await;
    case.end().await;
}
