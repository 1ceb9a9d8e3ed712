//! Most of a fleet is lost at once: nothing is deleted on what is left, all else goes on, and deletions are made up for
//! when the others are back. It must not depend on which clusters are lost.

use std::time::{Duration, Instant};

use homebase_api::Iris;
use homebase_testkit::{Component, ControlPlane, eventually};
use kube::api::{Api, ApiResource, DeleteParams, ListParams, Patch, PatchParams};
use serde_json::json;

use super::scene::{kill_apiserver, observe};
use crate::fleet::pool::{apply_iris, wait_deployment};
use crate::support::{FIELD_MANAGER, Fleet, Metrics, SOON, hub_requests, object};

/// Of four clusters, as many as make the brake hold.
const LOST: usize = 3;
/// Refused connections are found within 15 s; three at once, on a small machine.
const HELD: Duration = Duration::from_secs(40);
/// The published bound for a healed cluster.
const HEALED: Duration = Duration::from_secs(30);
/// A bounded window of observation.
const WINDOW: Duration = Duration::from_secs(3);
const SPACE: &str = "braked";

async fn brake(fleet: &Fleet) -> Option<f64> {
    Metrics::of(fleet.hub()).await.sum("homebase_fleet_brake", &[])
}

async fn wait_brake(fleet: &Fleet, wanted: f64, bound: Duration) -> Duration {
    let start = Instant::now();
    eventually(format!("homebase_fleet_brake is {wanted}"), bound, || async {
        let found = brake(fleet).await;
        if found == Some(wanted) { Ok(()) } else { Err(format!("{found:?}")) }
    })
    .await
    .unwrap();
    start.elapsed()
}

/// Asks for a Deployment of another name, and so for the end of the one that is there.
async fn rename(plane: &ControlPlane, to: &str) {
    let objects: Api<Iris> = Api::namespaced(plane.client().await.unwrap(), SPACE);
    let patch = Patch::Merge(json!({"spec": {"deploymentName": to}}));
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    objects.patch("app", &params, &patch).await.unwrap();
}

#[tokio::test]
async fn nothing_is_deleted_while_most_of_the_fleet_is_lost() {
    let planes = (0..=LOST).map(|number| ControlPlane::builder(format!("brake-{number}")).api_only());
    let builder = planes.fold(Fleet::builder("brake"), crate::support::FleetBuilder::work);
    let mut fleet = builder.start().await;
    for plane in &fleet.work {
        fleet.register(plane).await;
    }
    for plane in &fleet.work {
        fleet.wait_cluster_ready(plane.name()).await;
    }
    apply_iris(&fleet.work[0], SPACE, "app", 1).await;
    wait_deployment(&fleet.work[0], (SPACE, "app"), 1).await;
    assert_eq!(brake(&fleet).await, Some(0.0));

    for plane in &mut fleet.work[1..] {
        kill_apiserver(plane);
    }
    let held = wait_brake(&fleet, 1.0, HELD).await;
    let left = &fleet.work[0];
    rename(left, "renamed").await;
    // What is wanted is made all the same.
    wait_deployment(left, (SPACE, "renamed"), 1).await;
    let deployments = ApiResource::erase::<k8s_openapi::api::apps::v1::Deployment>(&());
    observe(WINDOW, || async {
        assert!(object(left, &deployments, SPACE, "app").await.is_some(), "deleted while the brake holds");
    })
    .await;
    let log = fleet.hub().log_text();
    assert_eq!(log.matches("may have lost its network: nothing is deleted until").count(), 1);

    for plane in &mut fleet.work[1..] {
        plane.start_component(Component::Apiserver).unwrap();
        plane.wait_apiserver().await.unwrap();
    }
    let released = wait_brake(&fleet, 0.0, HEALED).await;
    let left = &fleet.work[0];
    eventually("the deletion is made up for", SOON, || async {
        object(left, &deployments, SPACE, "app").await.map_or(Ok(()), |_| Err("it is there".to_owned()))
    })
    .await
    .unwrap();
    eprintln!(
        "figure: fleet brake held after {held:?}, released {released:?} after the apiservers were back"
    );
    let deleted = hub_requests(left, homebase_testkit::AuditMark::default());
    assert_eq!(deleted.iter().filter(|request| request.verb == "delete").count(), 1);
    lose_registrations(&fleet).await;
    fleet.assert_invariants().await;
}

/// All registrations disappear in one moment: their sessions go on and nothing is deleted until they are back.
async fn lose_registrations(fleet: &Fleet) {
    let secrets = fleet.registrations().await;
    let label = ListParams::default().labels(homebase_api::labels::CLUSTER);
    // So that the hub sees it all at once, as in an empty list.
    fleet.hub().pause().unwrap();
    secrets.delete_collection(&DeleteParams::default(), &label).await.unwrap();
    fleet.hub().resume().unwrap();
    wait_brake(fleet, 1.0, SOON).await;
    let metrics = Metrics::of(fleet.hub()).await;
    let missing = metrics.sum("homebase_registrations_missing", &[]);
    assert!(missing >= Some(1.0), "{missing:?}");
    observe(WINDOW, || async {
        let clusters = Metrics::of(fleet.hub()).await.sum("homebase_member_clusters", &[]);
        assert_eq!(clusters, missing, "a session has ended, or another one runs");
    })
    .await;
    assert_eq!(fleet.hub().log_text().matches("many registrations are missing at once").count(), 1);
    for plane in &fleet.work {
        fleet.register(plane).await;
    }
    wait_brake(fleet, 0.0, SOON).await;
    for plane in &fleet.work {
        fleet.wait_cluster_ready(plane.name()).await;
    }
}
