//! What is taken from the objects of an apiserver. Must not judge it.

use homebase_iris::cluster::attest::{SeenLease, SeenNode, SeenPod, key_by_name, leases_by_node};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Node, Pod};
use serde_json::{Value, json};

fn pod(value: Value) -> SeenPod {
    SeenPod::from(&serde_json::from_value::<Pod>(value).unwrap())
}

fn node(value: Value) -> SeenNode {
    SeenNode::from(&serde_json::from_value::<Node>(value).unwrap())
}

#[test]
fn a_pod_says_where_it_is_and_why_it_is_not_ready() {
    let ready = json!({"type": "Ready", "status": "True"});
    let seen = pod(json!({"spec": {"nodeName": "n", "containers": []}, "status": {"conditions": [ready]}}));
    assert_eq!(seen, SeenPod { node: Some("n".to_owned()), ..SeenPod::default() });

    let conditions = json!([
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/4 nodes are available"},
    ]);
    let pending = pod(json!({"status": {"phase": "Pending", "conditions": conditions}}));
    assert_eq!(pending.node, None);
    assert_eq!(pending.unschedulable.as_deref(), Some("0/4 nodes are available"));
    assert_eq!(pending.unready.as_deref(), Some("its phase is Pending"));

    let conditions =
        json!([{"type": "Ready", "status": "False", "reason": "ContainersNotReady", "message": "m"}]);
    let unready = pod(
        json!({"spec": {"nodeName": "n", "containers": []}, "metadata": {"deletionTimestamp": "2026-11-20T10:00:00Z"},
            "status": {"phase": "Running", "conditions": conditions}}),
    );
    assert_eq!(unready.unready.as_deref(), Some("ContainersNotReady: m"));
    assert!(unready.terminating);
    assert_eq!(pod(json!({})).unready.as_deref(), Some("its phase is Unknown"));
}

#[test]
fn a_node_says_its_zone_and_why_it_is_not_ready() {
    let labels = json!({"labels": {"topology.kubernetes.io/zone": "boston"}});
    let ready = json!({"conditions": [{"type": "Ready", "status": "True"}]});
    let seen = node(json!({"metadata": labels, "status": ready}));
    assert_eq!(seen, SeenNode { zone: Some("boston".to_owned()), unready: None });
    let lost = json!({"conditions": [{"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown",
        "message": "Kubelet stopped posting node status."}]});
    let seen = node(json!({"status": lost}));
    assert_eq!(seen.zone, None);
    let words = "Ready=Unknown NodeStatusUnknown: Kubelet stopped posting node status.";
    assert_eq!(seen.unready.as_deref(), Some(words));
    assert!(node(json!({})).unready.is_some());
}

#[test]
fn leases_are_kept_by_node() {
    let lease: Lease = serde_json::from_value(json!({"metadata": {"name": "boston-0"},
        "spec": {"renewTime": "2026-11-20T10:00:00.000000Z", "leaseDurationSeconds": 40}}))
    .unwrap();
    let seen = leases_by_node([&lease]);
    let renewed = Some("2026-11-20T10:00:00Z".parse().unwrap());
    assert_eq!(seen["boston-0"], SeenLease { renewed, seconds: Some(40) });
    assert!(key_by_name::<Lease, SeenLease>([&Lease::default()]).is_empty());
}
