//! Pods with `preferredZones` on nodes with zones: a real scheduler places them. It must not test where mirror members
//! belong.

use std::collections::BTreeMap;

use serde_json::json;

use super::fixture::{CLUSTER, Case, IMAGE, condition, mirrored, single, text};

/// The zones of the pods of a component: the fixture names nodes by them.
async fn zones(case: &Case, component: &str) -> BTreeMap<String, usize> {
    let mut zones = BTreeMap::new();
    for pod in case.list("Pod", &format!("intersystems.com/component={component}")).await {
        let node = text(&pod, "/spec/nodeName");
        *zones.entry(node.rsplit_once('-').unwrap().0.to_owned()).or_default() += 1;
    }
    zones
}

#[tokio::test]
async fn pods_run_in_their_zones_and_spread_over_them() {
    let case = Case::begin("zones").await;
    let mut cluster = mirrored();
    let topology = &mut cluster["spec"]["topology"];
    topology["arbiter"]["preferredZones"] = json!(["london"]);
    topology["compute"] = json!({
        "image": IMAGE, "replicas": 4, "ephemeral": true, "preferredZones": ["london", "boston"],
    });
    case.apply(CLUSTER, "iris", &cluster).await;
    case.until_ready(CLUSTER, "iris").await;
    assert_eq!(zones(&case, "arbiter").await, [("london".to_owned(), 1)].into());
    assert_eq!(zones(&case, "compute").await.len(), 2);
    let told = case.until_condition(CLUSTER, "iris", ("TopologySatisfied", "True")).await;
    assert_eq!(condition(&told, "TopologySatisfied")["reason"], "AsPlanned");

    // Out of one zone: the pods follow, and nothing but the template says so.
    cluster["spec"]["topology"]["compute"]["preferredZones"] = json!(["boston"]);
    case.apply(CLUSTER, "iris", &cluster).await;
    case.until_ready(CLUSTER, "iris").await;
    assert_eq!(zones(&case, "compute").await, [("boston".to_owned(), 4)].into());

    cluster["spec"]["topology"]["compute"].as_object_mut().unwrap().remove("preferredZones");
    cluster["spec"]["topology"]["arbiter"].as_object_mut().unwrap().remove("preferredZones");
    case.apply(CLUSTER, "iris", &cluster).await;
    let ready = case.until_ready(CLUSTER, "iris").await;
    assert_eq!(condition(&ready, "TopologySatisfied")["reason"], "NoZones");
    let set = case.get("StatefulSet", "iris-compute").await.unwrap();
    let pod = &set["spec"]["template"]["spec"];
    assert!(pod["affinity"].is_null() && pod["topologySpreadConstraints"].is_null(), "{pod}");
    case.end().await;
}

#[tokio::test]
async fn a_zone_without_nodes_is_said_and_waited_for() {
    let case = Case::begin("no-such-zone").await;
    let mut cluster = single();
    cluster["spec"]["topology"]["data"]["preferredZones"] = json!(["atlantis"]);
    case.apply(CLUSTER, "iris", &cluster).await;
    let told = case.until_condition(CLUSTER, "iris", ("TopologySatisfied", "Unknown")).await;
    assert_eq!(condition(&told, "TopologySatisfied")["reason"], "NotScheduled");
    assert_eq!(condition(&told, "Ready")["status"], "False");
    case.end().await;
}
