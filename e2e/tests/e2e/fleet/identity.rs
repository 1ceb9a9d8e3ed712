//! Which cluster a registration really leads to: another one than before, one that is registered already, or a name
//! that somebody else has.

use std::time::Duration;

use homebase_api::annotations;
use homebase_testkit::{AuditMark, eventually};
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::pool::{apply_iris, fleet, lease, wait_deployment, wait_event};
use crate::support::{
    CLUSTER_READY, Fleet, NAMESPACE, SOON, condition, events, hub_requests, is, kubeconfig,
};

const DUPLICATE: (&str, &str, &str) = ("IdentityVerified", "False", "Duplicate");
/// A registration that waits looks again after at most a minute.
const TAKEN_OVER: Duration = Duration::from_secs(75);

#[tokio::test]
async fn a_secret_that_is_pointed_at_another_cluster_writes_nothing_there() {
    let (fleet, [first, second]) = (fleet().await, lease().await);
    let name = "moving";
    fleet.register_as(name, kubeconfig(&first).await).await;
    fleet.wait_cluster_ready(name).await;
    apply_iris(&first, name, "app", 1).await;
    let before = wait_deployment(&first, (name, "app"), 1).await;
    let mark = second.audit_mark().unwrap();

    // Once directly, and once by a detour on which the identity could be lost.
    for (replicas, detour) in [(2, None), (3, Some("not a kubeconfig"))] {
        if let Some(text) = detour {
            fleet.register_as(name, text).await;
            wait_rejected(fleet, name, "kubeconfig: ").await;
        }
        fleet.register_as(name, kubeconfig(&second).await).await;
        let took = wait_rejected(fleet, name, "another cluster").await;
        eprintln!("figure: re-pointed Secret to RotationRejected: {took:?}");
        // The work on the cluster that was registered goes on, and there only.
        apply_iris(&first, name, "app", replicas).await;
        assert_eq!(wait_deployment(&first, (name, "app"), replicas.into()).await.0, before.0);
        assert_eq!(hub_requests(&second, mark), Vec::new());
    }
    wait_event(fleet, name, "RotationRejected").await;

    fleet.register_as(name, kubeconfig(&first).await).await;
    fleet.wait_condition(name, ("CredentialsValid", "True", "Valid"), SOON).await;
    fleet.wait_cluster_ready(name).await;
    apply_iris(&first, name, "app", 4).await;
    assert_eq!(wait_deployment(&first, (name, "app"), 4).await.0, before.0);
    assert_eq!(hub_requests(&second, mark), Vec::new());
    fleet.assert_invariants().await;
}

async fn wait_rejected(fleet: &Fleet, name: &str, says: &str) -> Duration {
    let shown = fleet.wait_work_cluster(name, SOON, |found| {
        let credentials = condition(found, "CredentialsValid")?;
        is(&credentials, "False", "RotationRejected")?;
        if credentials.message.contains(says) { Ok(()) } else { Err(credentials.message) }
    });
    shown.await.1
}

/// Both registrations of one cluster as they should be.
async fn wait_holder(fleet: &Fleet, holder: &str, other: &str, bound: Duration) -> Duration {
    let (_, took) = fleet.wait_condition(holder, ("Ready", "True", "AllChecksPassed"), bound).await;
    let (message, _) = fleet.wait_condition(other, DUPLICATE, SOON).await;
    assert!(message.contains(holder), "{message}");
    let ready = ("Ready", "False", "IdentityNotVerified");
    fleet.wait_condition(other, ready, SOON).await;
    took
}

#[tokio::test]
async fn of_two_registrations_of_one_cluster_the_older_wins() {
    let (fleet, [plane]) = (fleet().await, lease().await);
    let text = kubeconfig(&plane).await;
    // Within one second of creation the name decides, so it agrees with the age.
    let (older, younger) = ("double-a", "double-b");
    fleet.register_as(older, "not a kubeconfig yet").await;
    fleet.wait_condition(older, ("Ready", "False", "InvalidRegistration"), SOON).await;
    let younger_registration = fleet.register_as(younger, &text).await;
    fleet.wait_cluster_ready(younger).await;
    apply_iris(&plane, "double", "app", 1).await;
    let before = wait_deployment(&plane, ("double", "app"), 1).await;

    // The older one becomes usable only now, and wins all the same.
    let older_registration = fleet.register_as(older, &text).await;
    wait_holder(fleet, older, younger, CLUSTER_READY).await;
    assert_eq!(wait_deployment(&plane, ("double", "app"), 1).await, before);
    apply_iris(&plane, "double", "app", 2).await;
    assert_eq!(wait_deployment(&plane, ("double", "app"), 2).await.0, before.0);

    // When it goes, the younger one takes over, and the next one of the old name is younger still.
    fleet.deregister(&older_registration).await;
    fleet.wait_condition(younger, ("Ready", "True", "AllChecksPassed"), TAKEN_OVER).await;
    eventually("the older WorkCluster is gone", SOON, || async {
        fleet.work_cluster(older).await.map_or(Ok(()), |_| Err("it is there"))
    })
    .await
    .unwrap();
    fleet.register_as(older, &text).await;
    wait_holder(fleet, younger, older, SOON).await;
    apply_iris(&plane, "double", "app", 3).await;
    assert_eq!(wait_deployment(&plane, ("double", "app"), 3).await.0, before.0);
    let created = hub_requests(&plane, AuditMark::default()).into_iter().filter(|request| {
        request.code == 201 && request.namespace == "double" && request.resource == "deployments"
    });
    assert_eq!(created.count(), 1, "a Deployment was made twice");
    fleet.deregister(&younger_registration).await;
    fleet.assert_invariants().await;
}

#[tokio::test]
async fn a_name_that_cannot_be_used_is_told_on_the_secret() {
    let fleet = fleet().await;
    let secrets = fleet.registrations().await;
    let told = async |secret: &str, reason: &str| {
        eventually(format!("an Event {reason} on the Secret {secret}"), SOON, || async {
            let events = events(&fleet.home, NAMESPACE, secret).await;
            let found = events.iter().find(|event| event.reason.as_deref() == Some(reason));
            found.map(|event| event.note.clone().unwrap_or_default()).ok_or_else(|| format!("{events:?}"))
        })
        .await
        .unwrap()
    };
    let rename = async |secret: &str, name: &str| {
        let patch = Patch::Merge(json!({"metadata": {"annotations": {annotations::CLUSTER_NAME: name}}}));
        secrets.patch(secret, &PatchParams::default(), &patch).await.unwrap();
    };
    let bad = fleet.register_as("badly-named", "").await;
    rename(&bad.secret, "Not/A-Name").await;
    told(&bad.secret, "InvalidClusterName").await;

    // The name decides between Secrets of the same second.
    let first = fleet.register_as("name-a", "").await;
    fleet.wait_condition("name-a", ("Ready", "False", "InvalidRegistration"), SOON).await;
    let second = fleet.register_as("name-b", "").await;
    rename(&second.secret, "name-a").await;
    let note = told(&second.secret, "NameTaken").await;
    assert!(note.contains(&first.secret), "{note}");
    let kept = fleet.work_cluster("name-a").await.unwrap().status.unwrap().observed_secret.unwrap();
    assert_eq!(kept.name, first.secret);
    for registration in [&bad, &first, &second] {
        fleet.deregister(registration).await;
    }
    fleet.assert_invariants().await;
}
