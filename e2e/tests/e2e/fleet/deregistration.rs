//! Letting go of a cluster, by deletion of the Secret and by loss of its label: what runs stays, everything of the
//! hub's goes, and the way back is open.

use std::time::{Duration, Instant};

use homebase_api::labels;
use homebase_testkit::{AuditMark, ControlPlane, eventually};
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::pool::{apply_iris, connections, fleet, lease, no_connection, settled, wait_deployment};
use crate::support::{Fleet, Identities, Metrics, Registration, SOON, hub_requests};

/// Registers a cluster and has it run one Deployment.
async fn engage(fleet: &Fleet, plane: &ControlPlane, name: &str) -> Registration {
    let registration = fleet.register_as(name, crate::support::kubeconfig(plane).await).await;
    fleet.wait_cluster_ready(name).await;
    apply_iris(plane, name, "app", 1).await;
    wait_deployment(plane, (name, "app"), 1).await;
    // The status of the Iris follows its Deployment.
    settled(plane).await;
    registration
}

/// Waits until nothing of a cluster is left at home; returns the time.
async fn wait_gone(fleet: &Fleet, plane: &ControlPlane, name: &str) -> Duration {
    let start = Instant::now();
    eventually(format!("nothing of {name} is left"), SOON, || async {
        if fleet.work_cluster(name).await.is_some() {
            return Err("the WorkCluster".to_owned());
        }
        let series = Metrics::of(fleet.hub()).await.about(name).join("\n");
        if series.is_empty() { Ok(()) } else { Err(series) }
    })
    .await
    .unwrap();
    no_connection(fleet.hub(), plane).await;
    start.elapsed()
}

#[tokio::test]
async fn a_deleted_secret_ends_the_session_and_nothing_else() {
    let (fleet, [plane]) = (fleet().await, lease().await);
    let name = "deleted";
    let registration = engage(fleet, &plane, name).await;
    let label = format!("member_cluster=\"{name}\"");
    let tasks = Metrics::of(fleet.hub()).await.sum("homebase_member_cluster_tasks", &[&label]);
    assert!(tasks > Some(0.0), "{tasks:?}");
    assert!(connections(fleet.hub(), &plane) > 0);
    let before = Identities::of(&plane, &[name]).await;

    fleet.deregister(&registration).await;
    let gone = wait_gone(fleet, &plane, name).await;
    eprintln!("figure: Secret deleted to nothing left: {gone:?}");
    let mark = plane.audit_mark().unwrap();
    assert_eq!(Identities::of(&plane, &[name]).await, before);

    // Nobody answers this until the cluster is registered again.
    apply_iris(&plane, name, "app", 2).await;
    let mut unanswered = None;
    for round in 0..3 {
        if round > 0 {
            fleet.deregister(&registration).await;
            wait_gone(fleet, &plane, name).await;
            apply_iris(&plane, name, "app", 2 + round).await;
        }
        unanswered.get_or_insert_with(|| hub_requests(&plane, mark));
        let start = Instant::now();
        fleet.register_as(name, crate::support::kubeconfig(&plane).await).await;
        let (uid, _) = wait_deployment(&plane, (name, "app"), i64::from(2 + round)).await;
        eprintln!("figure: Secret created to first write of a reconcile: {:?}", start.elapsed());
        assert_eq!(uid, before.0[&format!("Deployment {name}/app")].0, "the Deployment is another one");
    }
    assert_eq!(unanswered, Some(Vec::new()), "written while the cluster was not registered");
    fleet.assert_invariants().await;
}

#[tokio::test]
async fn a_lost_label_ends_the_session_and_its_return_begins_a_new_one() {
    let (fleet, [plane]) = (fleet().await, lease().await);
    let name = "unlabelled";
    let registration = engage(fleet, &plane, name).await;
    let before = Identities::of(&plane, &[name]).await;
    let first = fleet.work_cluster(name).await.unwrap();
    let secrets = fleet.registrations().await;
    let label = async |value: Option<&str>| {
        let patch = Patch::Merge(json!({"metadata": {"labels": {labels::CLUSTER: value}}}));
        secrets.patch(&registration.secret, &PatchParams::default(), &patch).await.unwrap()
    };

    let unlabelled = label(None).await;
    wait_gone(fleet, &plane, name).await;
    assert_eq!(Identities::of(&plane, &[name]).await, before);
    let secret = secrets.get(&registration.secret).await.unwrap();
    assert_eq!(secret.metadata.resource_version, unlabelled.metadata.resource_version, "a user's Secret");

    label(Some(labels::TRUE)).await;
    fleet.wait_cluster_ready(name).await;
    let second = fleet.work_cluster(name).await.unwrap();
    assert_ne!(second.metadata.uid, first.metadata.uid);
    assert_eq!(Identities::of(&plane, &[name]).await, before, "something was written without need");
    fleet.assert_invariants().await;
}

#[tokio::test]
async fn a_cluster_that_is_not_registered_is_not_written_to() {
    let (fleet, [plane, other]) = (fleet().await, lease().await);
    let mark = plane.audit_mark().unwrap();
    // Another registration is a moment in which a mistake would show.
    engage(fleet, &other, "neighbour").await;
    assert_eq!(hub_requests(&plane, mark), Vec::new());
    assert_ne!(hub_requests(&other, AuditMark::default()), Vec::new());
    assert_eq!(connections(fleet.hub(), &plane), 0);
    fleet.assert_invariants().await;
}
