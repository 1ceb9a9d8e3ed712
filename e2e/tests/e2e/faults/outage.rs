//! Apiservers that end and come back: the home cluster's, before the hub starts and in mid-run, and a work cluster's.

use std::time::{Duration, Instant};

use homebase_testkit::{Component, ControlPlane, eventually};

use super::latency::Stopwatch;
use super::scene::{
    apply_samples, assert_hub_ready, kill_apiserver, namespace, observe, planes, wait_samples,
};
use crate::support::{Fleet, Identities, Metrics, SOON, condition, is};

/// The hub looks again every ten seconds at most.
const HOME_BACK: Duration = Duration::from_secs(30);
/// The published bound for a healed cluster.
const HEALED: Duration = Duration::from_secs(30);
/// A refused connection is found sooner than a black hole.
const REFUSED: Duration = Duration::from_secs(40);
/// Long enough for more than one try to reach the home cluster.
const HOME_AWAY: Duration = Duration::from_secs(4);

#[tokio::test]
async fn apiservers_that_end_and_come_back_cost_nothing_but_the_time() {
    let mut fleet = planes("outage", &["first", "late"]).await;
    // The CRD of the hub's own kind is there from an earlier run.
    fleet.start_hub().await;
    fleet.register(&fleet.work[0]).await;
    start_without_home(&mut fleet).await;
    fleet.wait_cluster_ready("first").await;
    apply_samples(&fleet.work[0]).await;
    wait_samples(&fleet.work[0]).await;
    let before = Identities::of(&fleet.work[0], &[&namespace(&fleet.work[0])]).await;

    lose_home(&mut fleet).await;
    restart_work(&mut fleet).await;
    let after = Identities::of(&fleet.work[0], &[&namespace(&fleet.work[0])]).await;
    for (object, uid) in before.uids() {
        assert_eq!(after.uids().get(object), Some(&uid), "{object}");
    }
    fleet.assert_invariants().await;
}

/// Without its home the hub is alive and not ready; it begins by itself when the home is there.
async fn start_without_home(fleet: &mut Fleet) {
    fleet.hub_mut().kill9();
    kill_apiserver(&mut fleet.home);
    fleet.spawn_hub().await;
    let hub = fleet.hub();
    observe(HOME_AWAY, || async {
        assert_eq!(hub.get("/livez").await.unwrap().status, 200);
        assert_eq!(hub.get("/readyz").await.unwrap().status, 503);
        assert_eq!(hub.get("/metrics").await.unwrap().status, 200);
    })
    .await;
    back(&mut fleet.home).await;
    let start = Instant::now();
    fleet.hub_mut().wait_ready(HOME_BACK).await.unwrap();
    println!("outage: ready {:?} after its home came up", start.elapsed());
}

/// While the home cluster hangs, and while it is away, work clusters are worked on; afterwards registrations count
/// again.
async fn lose_home(fleet: &mut Fleet) {
    fleet.home.pause_apiserver().unwrap();
    assert_work_goes_on(fleet, "while-home-hangs").await;
    // Work goes on for as long as the hub's Lease lasts, so it has to be renewed in between.
    fleet.home.resume_apiserver().unwrap();
    wait_home_up(fleet).await;
    kill_apiserver(&mut fleet.home);
    assert_work_goes_on(fleet, "while-home-is-away").await;
    back(&mut fleet.home).await;
    let start = Instant::now();
    fleet.register(&fleet.work[1]).await;
    fleet.wait_condition("late", ("Ready", "True", "AllChecksPassed"), HOME_BACK).await;
    println!("outage: a registration after the home came back took {:?}", start.elapsed());
    let found = fleet.work_cluster("first").await.unwrap();
    is(&condition(&found, "Ready").unwrap(), "True", "AllChecksPassed").unwrap();
}

async fn wait_home_up(fleet: &Fleet) {
    let renewals = || async {
        let metrics = Metrics::of(fleet.hub()).await;
        metrics.sum("rest_client_requests_total", &["code=\"200\"", "method=\"PUT\""]).unwrap_or_default()
    };
    let before = renewals().await;
    eventually("the Leases have been renewed", SOON, || async {
        // Two Leases, which may both have been on their way before.
        let now = renewals().await;
        if now >= before + 4.0 { Ok(()) } else { Err(format!("{now} renewals")) }
    })
    .await
    .unwrap();
}

async fn assert_work_goes_on(fleet: &Fleet, prefix: &'static str) {
    let first = &fleet.work[0];
    let stopwatch = &Stopwatch::new(first, &namespace(first), prefix).await;
    observe(HOME_AWAY, || async move {
        stopwatch.measure().await;
        assert_hub_ready(fleet).await;
    })
    .await;
}

/// The apiserver of a work cluster ends; it is told why, and work goes on when it is back.
async fn restart_work(fleet: &mut Fleet) {
    let start = Instant::now();
    kill_apiserver(&mut fleet.work[0]);
    fleet.wait_condition("first", ("Reachable", "False", "ConnectionRefused"), REFUSED).await;
    let refused = start.elapsed();
    assert_hub_ready(fleet).await;
    let other = fleet.work_cluster("late").await.unwrap();
    is(&condition(&other, "Ready").unwrap(), "True", "AllChecksPassed").unwrap();
    back(&mut fleet.work[0]).await;
    let start = Instant::now();
    fleet.wait_condition("first", ("Ready", "True", "AllChecksPassed"), HEALED).await;
    println!("outage: refused after {refused:?}, healed after {:?}", start.elapsed());

    // A restart that is over before anybody counts as unreachable.
    fleet.work[0].restart_apiserver().await.unwrap();
    let start = Instant::now();
    let first = &fleet.work[0];
    let stopwatch = Stopwatch::new(first, &namespace(first), "after-a-restart").await;
    eventually("a new resource is answered", SOON, || async {
        stopwatch.measure().await;
        Ok::<_, String>(())
    })
    .await
    .unwrap();
    println!("outage: work goes on {:?} after a quick restart", start.elapsed());
    fleet.wait_condition("first", ("Ready", "True", "AllChecksPassed"), HEALED).await;
}

async fn back(plane: &mut ControlPlane) {
    plane.start_component(Component::Apiserver).unwrap();
    plane.wait_apiserver().await.unwrap();
}
