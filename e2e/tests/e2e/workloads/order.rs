//! The order in which node groups come up: arbiter, data, compute. Each is held back by a node selector that no node
//! fits until the test says so.

use k8s_openapi::api::core::v1::Node;
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Value, json};

use super::fixture::{CLUSTER, Case, mirrored, text, with_compute};

/// Lets the pods with this node selector be placed.
async fn release(case: &Case, key: &str) {
    let nodes: Api<Node> = Api::all(case.plane().client().await.unwrap());
    let patch = json!({"metadata": {"labels": {key: "yes"}}});
    nodes.patch("boston-0", &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
}

/// Waits until the status says exactly this of what is held back.
async fn until_waiting(case: &Case, wanted: &[&str]) -> Value {
    case.until(CLUSTER, "iris", |cluster| {
        let waiting = &cluster["status"]["waiting"];
        if *waiting == json!(wanted) { Ok(cluster.clone()) } else { Err(cluster["status"].to_string()) }
    })
    .await
}

#[tokio::test]
async fn compute_waits_for_data_and_data_for_the_arbiter() {
    let case = Case::begin("order").await;
    let mut cluster = with_compute(mirrored(), 3);
    for group in ["arbiter", "data"] {
        let selector = json!({"spec": {"nodeSelector": {format!("e2e/order-{group}"): "yes"}}});
        cluster["spec"]["topology"][group]["podTemplate"] = selector;
    }
    case.apply(CLUSTER, "iris", &cluster).await;

    let told = until_waiting(
        &case,
        &["data waits for arbiter: 0 of 1 pods ready", "compute waits for data: not created yet"],
    )
    .await;
    assert_eq!(told["status"]["phase"], "Creating");
    let (header, line) = case.columns(&["irisclusters"]).await;
    assert_eq!(header[4..6], ["STATUS", "READY"]);
    assert_eq!(line.last_chunk::<3>().unwrap()[..2], ["Creating", "False"]);
    case.until_event("iris", "Normal Waiting data waits for arbiter: ").await;
    assert_eq!(case.names("StatefulSet", "").await, ["iris-arbiter"]);

    release(&case, "e2e/order-arbiter").await;
    until_waiting(&case, &["compute waits for data: 0 of 2 pods ready"]).await;
    assert_eq!(case.names("StatefulSet", "").await, ["iris-arbiter", "iris-data-0"]);
    // Data pods come one by one: the second one must not be there before the first one is ready.
    assert_eq!(case.names("Pod", "intersystems.com/component=data").await, ["iris-data-0-0"]);

    release(&case, "e2e/order-data").await;
    let ready = case.until_ready(CLUSTER, "iris").await;
    assert!(ready["status"]["waiting"].is_null(), "{}", ready["status"]);
    assert_eq!(text(&ready, "/status/nodes/compute/pods"), "3/3");
    let compute = case.get("StatefulSet", "iris-compute").await.unwrap();
    assert_eq!(compute["spec"]["podManagementPolicy"], "Parallel");
    let writes = case.hub_writes();
    let first = |name: &str| {
        let is = |write: &&_| is_set(write, name);
        writes.iter().position(|write| is(&write)).unwrap()
    };
    let order = ["iris-arbiter", "iris-data-0", "iris-compute"].map(first);
    assert!(order.is_sorted(), "{order:?}");
    case.assert_quiet().await;
    case.end().await;
}

fn is_set(write: &homebase_testkit::AuditEvent, name: &str) -> bool {
    write.resource == "statefulsets" && write.name == name
}
