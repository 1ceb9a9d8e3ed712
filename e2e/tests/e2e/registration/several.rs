//! Secrets with several clusters, of several conventions, or of one convention after another: each cluster counts
//! once, and keeps its work. It must not look at what a convention says of credentials.

use homebase_api::labels;
use homebase_testkit::{AuditMark, ControlPlane};
use serde_json::json;

use super::secrets::{Form, assert_left_alone, wait_gone, wait_taken, works};
use crate::fleet::pool::{fleet, lease};
use crate::support::{Fleet, Metrics, SOON, hub_requests, kubeconfig};

const RUNTIME: &str = "sigs.k8s.io/multicluster-runtime-kubeconfig";

/// Requests of a cluster's session: a new session begins to count from zero.
async fn requests(fleet: &Fleet, cluster: &str) -> f64 {
    let label = format!("member_cluster=\"{cluster}\"");
    Metrics::of(fleet.hub()).await.sum("homebase_member_cluster_requests_total", &[&label]).unwrap()
}

/// How often the hub has created a Deployment in a namespace.
fn created(plane: &ControlPlane, namespace: &str) -> usize {
    let made = hub_requests(plane, AuditMark::default()).into_iter();
    let is_one = |resource: &str| resource == "deployments";
    made.filter(|one| one.code == 201 && one.namespace == namespace && is_one(&one.resource)).count()
}

#[tokio::test]
async fn each_key_of_istio_is_a_cluster() {
    let (fleet, [first, second]) = (fleet().await, lease().await);
    let secret = Form::new("istio-remote-secret", json!({"istio/multiCluster": "true"}))
        .with("istio-a", kubeconfig(&first).await)
        .with("istio-b", kubeconfig(&second).await)
        .with("istio-c", "not a kubeconfig");
    let version = secret.put(fleet).await;
    wait_taken(fleet, "istio-a", &version).await;
    wait_taken(fleet, "istio-b", &version).await;
    fleet.wait_condition("istio-c", ("Ready", "False", "InvalidRegistration"), SOON).await;
    assert!(fleet.work_cluster("istio-remote-secret").await.is_none());
    let stays = works(&first, "istio-a", 1).await;
    let goes = works(&second, "istio-b", 1).await;
    crate::fleet::pool::settled(&second).await;

    let before = requests(fleet, "istio-a").await;
    let version = secret.clone().without("istio-b").put(fleet).await;
    wait_gone(fleet, "istio-b").await;
    assert_left_alone(fleet, &second, "istio-b", (1, &goes)).await;
    wait_taken(fleet, "istio-a", &version).await;
    let after = requests(fleet, "istio-a").await;
    assert!(after >= before, "{after} requests after {before}: another session");
    assert_eq!(works(&first, "istio-a", 2).await.0, stays.0);

    secret.delete(fleet).await;
    wait_gone(fleet, "istio-a").await;
    wait_gone(fleet, "istio-c").await;
    fleet.assert_invariants().await;
}

#[tokio::test]
async fn a_secret_of_two_conventions_counts_once() {
    let (fleet, [plane]) = (fleet().await, lease().await);
    let mark = fleet.home.audit_mark().unwrap();
    let both = json!({labels::CLUSTER: labels::TRUE, RUNTIME: "true"});
    let secret = Form::native("both", &kubeconfig(&plane).await).labelled(both);
    let version = secret.put(fleet).await;
    wait_taken(fleet, "both", &version).await;
    let before = works(&plane, "both", 1).await;
    let requests_before = requests(fleet, "both").await;
    // Not for a moment either: the two are watched apart.
    let other = "both-kubeconfig";
    let named = hub_requests(&fleet.home, mark).into_iter().filter(|request| request.name == other);
    assert_eq!(named.collect::<Vec<_>>(), Vec::new());

    // Once it has lost the second label, nothing has changed.
    let version = secret.labelled(json!({labels::CLUSTER: labels::TRUE})).put(fleet).await;
    wait_taken(fleet, "both", &version).await;
    let after = requests(fleet, "both").await;
    assert!(after >= requests_before, "{after} requests after {requests_before}: another session");
    assert_eq!(works(&plane, "both", 2).await.0, before.0);
    assert_eq!(created(&plane, "both"), 1);
    fleet.assert_invariants().await;
}

#[tokio::test]
async fn a_secret_that_changes_its_convention_keeps_its_cluster() {
    let (fleet, [plane]) = (fleet().await, lease().await);
    let label = |key: &str| json!({key: "true"});
    let native = Form::new("switch", label(labels::CLUSTER)).with("kubeconfig", kubeconfig(&plane).await);
    let version = native.put(fleet).await;
    wait_taken(fleet, "switch", &version).await;
    let shown = fleet.work_cluster("switch").await.unwrap();
    let pinned = shown.status.unwrap().identity.unwrap().uid;
    let before = works(&plane, "switch", 1).await;

    for (replicas, key) in [(2, RUNTIME), (3, labels::CLUSTER)] {
        let version = native.clone().labelled(label(key)).put(fleet).await;
        wait_taken(fleet, "switch", &version).await;
        assert_eq!(works(&plane, "switch", replicas).await.0, before.0);
        let now = fleet.work_cluster("switch").await.unwrap();
        assert_eq!(now.metadata.uid, shown.metadata.uid, "another WorkCluster");
        assert_eq!(now.status.unwrap().identity.unwrap().uid, pinned);
    }
    assert_eq!(created(&plane, "switch"), 1);
    fleet.assert_invariants().await;
}
