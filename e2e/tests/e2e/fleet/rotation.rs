//! New kubeconfigs for a cluster that is engaged: the work goes on, nothing is made anew, and a bad one says why.

use std::time::Duration;

use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::pool::{apply_iris, fleet, lease, settled, wait_deployment, wait_event};
use crate::support::{CLUSTER_READY, Fleet, Metrics, SOON, condition, hub_requests, is, kubeconfig};

/// Waits until the `WorkCluster` speaks of the Secret as it is now, and accepts it.
async fn wait_rotated(fleet: &Fleet, name: &str) -> Duration {
    let secret = fleet.registrations().await.get(&format!("{name}-kubeconfig")).await.unwrap();
    let version = secret.metadata.resource_version.unwrap();
    let rotated = fleet.wait_work_cluster(name, CLUSTER_READY, |found| {
        let seen = found.status.as_ref().and_then(|status| status.observed_secret.as_ref());
        let seen = seen.map(|secret| secret.resource_version.clone()).unwrap_or_default();
        if seen != version {
            return Err(format!("{seen} of {version} was observed"));
        }
        is(&condition(found, "CredentialsValid")?, "True", "Valid")?;
        is(&condition(found, "Ready")?, "True", "AllChecksPassed")
    });
    rotated.await.1
}

#[tokio::test]
async fn another_valid_token_takes_over_and_nothing_is_written() {
    let (fleet, [plane]) = (fleet().await, lease().await);
    let name = "rotated";
    fleet.register_as(name, kubeconfig(&plane).await).await;
    fleet.wait_cluster_ready(name).await;
    apply_iris(&plane, name, "app", 1).await;
    let before = wait_deployment(&plane, (name, "app"), 1).await;
    let pinned = fleet.work_cluster(name).await.unwrap().status.unwrap().identity.unwrap().uid;

    let mark = settled(&plane).await;
    fleet.register_as(name, kubeconfig(&plane).await).await;
    let took = wait_rotated(fleet, name).await;
    eprintln!("figure: rotated Secret to Ready with it: {took:?}");
    assert_eq!(hub_requests(&plane, mark), Vec::new(), "a rotation alone is no reason to write");
    assert_eq!(wait_deployment(&plane, (name, "app"), 1).await, before);
    apply_iris(&plane, name, "app", 3).await;
    assert_eq!(wait_deployment(&plane, (name, "app"), 3).await.0, before.0);
    let identity = fleet.work_cluster(name).await.unwrap().status.unwrap().identity.unwrap().uid;
    assert_eq!(identity, pinned);
    fleet.assert_invariants().await;
}

#[tokio::test]
async fn a_secret_that_changes_in_nothing_but_looks_keeps_its_session() {
    let (fleet, [plane]) = (fleet().await, lease().await);
    let name = "touched";
    let text = kubeconfig(&plane).await;
    let registration = fleet.register_as(name, &text).await;
    fleet.wait_cluster_ready(name).await;
    let label = format!("member_cluster=\"{name}\"");
    // A new session begins to count from zero.
    let requests = async || {
        Metrics::of(fleet.hub()).await.sum("homebase_member_cluster_requests_total", &[&label]).unwrap()
    };
    let before = requests().await;
    assert!(before > 0.0);
    let secrets = fleet.registrations().await;
    let patch = Patch::Merge(json!({"metadata": {"annotations": {"example.com/note": "a note"}}}));
    secrets.patch(&registration.secret, &PatchParams::default(), &patch).await.unwrap();
    fleet.register_as(name, format!("# a comment\n{text}")).await;
    // What comes after in the same watch proves that both changes were seen.
    let bad = fleet.register_as("after-touched", "").await;
    fleet.wait_condition("after-touched", ("Ready", "False", "InvalidRegistration"), SOON).await;
    let after = requests().await;
    assert!(after >= before, "{after} requests after {before}: another session");
    fleet.deregister(&bad).await;
    fleet.assert_invariants().await;
}

#[tokio::test]
async fn a_bad_new_kubeconfig_says_why_while_the_work_goes_on_with_the_old_one() {
    let (fleet, [plane]) = (fleet().await, lease().await);
    let name = "spoilt";
    fleet.register_as(name, kubeconfig(&plane).await).await;
    fleet.wait_cluster_ready(name).await;
    apply_iris(&plane, name, "app", 1).await;
    let before = wait_deployment(&plane, (name, "app"), 1).await;

    fleet.register_as(name, "neither: a\nkubeconfig: [").await;
    let rejected = ("CredentialsValid", "False", "RotationRejected");
    let (message, took) = fleet.wait_condition(name, rejected, SOON).await;
    eprintln!("figure: garbage rotated in to condition: {took:?}");
    assert!(message.contains("at line 2"), "{message}");
    let spoilt = fleet.work_cluster(name).await.unwrap();
    is(&condition(&spoilt, "Ready").unwrap(), "True", "AllChecksPassed").unwrap();
    wait_event(fleet, name, "RotationRejected").await;
    apply_iris(&plane, name, "app", 2).await;
    assert_eq!(wait_deployment(&plane, (name, "app"), 2).await.0, before.0);

    fleet.register_as(name, kubeconfig(&plane).await).await;
    wait_rotated(fleet, name).await;
    apply_iris(&plane, name, "app", 3).await;
    assert_eq!(wait_deployment(&plane, (name, "app"), 3).await.0, before.0);
    fleet.assert_invariants().await;
}
