//! An apiserver that accepts connections and never answers (SIGSTOP), in mid-run and before the hub starts: found
//! within its bound, told truly, back within its bound, and never noticed by the other cluster.

use std::time::{Duration, Instant};

use homebase_api::{WorkCluster, WorkClusterStatus};
use homebase_testkit::{ControlPlane, eventually};
use kube::api::Api;

use super::latency::{Series, Stopwatch};
use super::scene::{apply_samples, assert_hub_ready, namespace, planes, wait_samples};
use crate::support::{Fleet, Identities, Metrics, NAMESPACE, condition, is};

/// The published bound for the detection of a black hole.
const DETECTED: Duration = Duration::from_secs(60);
/// The published bound for a healed cluster.
const HEALED: Duration = Duration::from_secs(30);
/// Samples before the fault.
const BASELINE: usize = 60;
/// A neighbour that waited for the stopped cluster at all would wait for one of its time-outs: 4 s at least.
const NEIGHBOUR_WAITS: Duration = Duration::from_secs(1);
/// "Within a few seconds" beside other tests.
const ENGAGED: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_cluster_that_hangs_in_mid_run_is_told_truly_and_delays_nobody() {
    let mut fleet = planes("hang", &["healthy", "hanging"]).await;
    fleet.start_hub().await;
    let [healthy, hanging] = &fleet.work[..] else { unreachable!("two were asked for") };
    for plane in [healthy, hanging] {
        fleet.register(plane).await;
    }
    for plane in [healthy, hanging] {
        fleet.wait_cluster_ready(plane.name()).await;
        apply_samples(plane).await;
    }
    for plane in [healthy, hanging] {
        wait_samples(plane).await;
    }
    let seen_all = |found: &WorkCluster| match &status(found).resources {
        Some(resources) if resources.ready_iris_clusters == 1 && resources.iris == 1 => Ok(()),
        other => Err(format!("{other:?}")),
    };
    let (before, _) =
        fleet.wait_work_cluster("hanging", HEALED, |found| seen_all(found).map(|()| status(found))).await;
    let objects = Identities::of(hanging, &[&namespace(hanging)]).await;

    let stopwatch = Stopwatch::new(healthy, &namespace(healthy), "latency").await;
    let baseline = stopwatch.series(BASELINE).await;
    // Work is under way on the cluster when it stops.
    let interrupted = Stopwatch::new(hanging, &namespace(hanging), "interrupted").await;
    for name in ["interrupted-0", "interrupted-1", "interrupted-2"] {
        interrupted.create(name).await;
    }
    hanging.pause_apiserver().unwrap();
    let stopped = (Instant::now(), k8s_openapi::jiff::Timestamp::now());

    let meanwhile = Series::default();
    wait_lost(&fleet, &stopwatch, &meanwhile).await;
    let detected = stopped.0.elapsed();
    let lost = fleet.work_cluster("hanging").await.unwrap();
    assert_lost(&lost, &["ResponseTimeout", "ConnectTimeout"]);
    assert_last_known(&before, &status(&lost), stopped.1);
    assert_no_figures(&Metrics::of(fleet.hub()).await);
    // The hub tries to reconnect meanwhile.
    let went_on = fleet.work_cluster("healthy").await.unwrap();
    let after = stopwatch.series(BASELINE).await;
    is(&condition(&went_on, "Ready").unwrap(), "True", "AllChecksPassed").unwrap();
    let still = fleet.work_cluster("hanging").await.unwrap();
    assert_eq!(status(&still).last_seen, status(&lost).last_seen, "LAST-SEEN of a cluster that hangs moved");

    hanging.resume_apiserver().unwrap();
    let healed = wait_healed(&fleet, "hanging").await;
    wait_samples(hanging).await;
    assert_same_objects(hanging, &objects).await;
    wait_interrupted(hanging).await;
    println!("hang: detected after {detected:?}, healed after {healed:?}");
    println!("hang: neighbour before: {baseline}; meanwhile: {meanwhile}; when lost: {after}");
    for series in [&meanwhile, &after] {
        assert_like(series, &baseline);
    }
    fleet.assert_invariants().await;
}

#[tokio::test]
async fn a_cluster_that_hangs_before_the_hub_starts_holds_up_neither_start_nor_neighbour() {
    let mut fleet = planes("hung", &["sound", "stopped"]).await;
    for plane in &fleet.work {
        fleet.register(plane).await;
    }
    fleet.work[1].pause_apiserver().unwrap();
    let start = Instant::now();
    fleet.spawn_hub().await;
    fleet.hub_mut().wait_ready(ENGAGED).await.unwrap();
    let ready = start.elapsed();
    fleet.wait_condition("sound", ("Ready", "True", "AllChecksPassed"), ENGAGED).await;
    let engaged = start.elapsed();
    let [sound, stopped] = &fleet.work[..] else { unreachable!("two were asked for") };
    apply_samples(sound).await;

    // TCP is accepted by the kernel, and the TLS handshake is never answered.
    fleet.wait_condition("stopped", ("Reachable", "False", "ConnectTimeout"), DETECTED).await;
    let detected = start.elapsed();
    let found = fleet.work_cluster("stopped").await.unwrap();
    is(&condition(&found, "Ready").unwrap(), "False", "NotReachable").unwrap();
    for kind in ["IdentityVerified", "CRDsInstalled", "Synced", "CredentialsValid"] {
        let known = condition(&found, kind);
        assert!(known.as_ref().map_or(true, |known| known.status == "Unknown"), "never known: {known:?}");
    }
    let never = status(&found);
    assert!(never.last_seen.is_none() && never.resources.is_none() && never.version.is_none(), "{never:?}");
    wait_samples(sound).await;
    assert_hub_ready(&fleet).await;

    stopped.resume_apiserver().unwrap();
    let healed = wait_healed(&fleet, "stopped").await;
    apply_samples(stopped).await;
    wait_samples(stopped).await;
    println!(
        "hung: hub ready after {ready:?}, neighbour engaged after {engaged:?}, black hole told after {detected:?}, \
         healed after {healed:?}"
    );
    fleet.assert_invariants().await;
}

/// Goes on making resources on the healthy cluster until the other one is said to be lost. The hub stays ready.
async fn wait_lost(fleet: &Fleet, stopwatch: &Stopwatch, meanwhile: &Series) {
    let clusters: Api<WorkCluster> = Api::namespaced(fleet.home.client().await.unwrap(), NAMESPACE);
    let clusters = &clusters;
    eventually("the cluster that hangs is not Reachable", DETECTED, || async move {
        meanwhile.add(stopwatch.measure().await);
        assert_hub_ready(fleet).await;
        let found = clusters.get("hanging").await.map_err(|error| error.to_string())?;
        let reachable = condition(&found, "Reachable")?;
        if reachable.status == "False" { Ok(()) } else { Err(format!("{reachable:?}")) }
    })
    .await
    .unwrap();
}

async fn wait_healed(fleet: &Fleet, cluster: &str) -> Duration {
    let (_, took) = fleet.wait_condition(cluster, ("Ready", "True", "AllChecksPassed"), HEALED).await;
    let found = fleet.work_cluster(cluster).await.unwrap();
    is(&condition(&found, "Reachable").unwrap(), "True", "ProbeSucceeded").unwrap();
    is(&condition(&found, "Synced").unwrap(), "True", "Synced").unwrap();
    took
}

fn status(found: &WorkCluster) -> WorkClusterStatus {
    found.status.clone().unwrap_or_default()
}

/// What needs an answer of the cluster is Unknown, and says what it was.
fn assert_lost(found: &WorkCluster, reasons: &[&str]) {
    let reachable = condition(found, "Reachable").unwrap();
    assert_eq!(reachable.status, "False");
    assert!(reasons.contains(&reachable.reason.as_str()), "{reachable:?}");
    is(&condition(found, "Ready").unwrap(), "False", "NotReachable").unwrap();
    for kind in ["CredentialsValid", "IdentityVerified", "CRDsInstalled", "Synced"] {
        let dependent = condition(found, kind).unwrap();
        assert_eq!(dependent.status, "Unknown", "{dependent:?}");
        assert!(dependent.message.contains("last known"), "{dependent:?}");
    }
}

/// The values of a lost cluster are those from before, and so is the time at which they were seen.
fn assert_last_known(
    before: &WorkClusterStatus,
    after: &WorkClusterStatus,
    stopped: k8s_openapi::jiff::Timestamp,
) {
    let seen = after.last_seen.as_ref().unwrap();
    assert!(seen.0 <= stopped, "last seen at {seen:?}, stopped at {stopped}");
    let uid = |status: &WorkClusterStatus| status.identity.as_ref().unwrap().uid.clone();
    let version = |status: &WorkClusterStatus| status.version.as_ref().unwrap().git_version.clone();
    assert_eq!((uid(before), version(before)), (uid(after), version(after)));
    let resources = after.resources.as_ref().unwrap();
    assert_eq!((resources.iris_clusters, resources.ready_iris_clusters), (1, 1));
    // Those that were made at the very end may or may not have been counted.
    assert!((1..=4).contains(&resources.iris), "{resources:?}");
}

/// Unknown is never shown as zero: a cluster that is lost has no figures of its objects.
fn assert_no_figures(metrics: &Metrics) {
    let label = ["member_cluster=\"hanging\""];
    assert_eq!(metrics.sum("homebase_member_cluster_up", &label), Some(0.0));
    for name in ["homebase_member_cluster_objects", "homebase_iriscluster_ready", "homebase_iriscluster_pods"]
    {
        assert_eq!(metrics.sum(name, &label), None, "{name}");
        assert!(metrics.sum(name, &["member_cluster=\"healthy\""]).is_some(), "{name} of the neighbour");
    }
}

/// Nothing that was there has been made anew.
async fn assert_same_objects(plane: &ControlPlane, before: &Identities) {
    let after = Identities::of(plane, &[&namespace(plane)]).await;
    let (before, after) = (before.uids(), after.uids());
    for (object, uid) in before {
        assert_eq!(after.get(object), Some(&uid), "{object}");
    }
}

/// What was asked for just before the fault is done after it.
async fn wait_interrupted(plane: &ControlPlane) {
    for name in ["interrupted-0", "interrupted-1", "interrupted-2"] {
        let key = (&*namespace(plane), name);
        crate::support::wait_ready(plane, &super::scene::iris(), key, HEALED).await;
    }
}

/// A series is like the baseline, but for the noise of a small machine that does other things too: its slowest
/// samples are those of the machine. A neighbour that waited for the stopped cluster would do so at each of its
/// time-outs, which is more than one sample in twenty.
pub(super) fn assert_like(series: &Series, baseline: &Series) {
    let (p50, usual) = (series.percentile(50), baseline.percentile(50));
    assert!(p50 <= usual * 3 + Duration::from_millis(50), "p50 {p50:?}, usually {usual:?}");
    let (p95, usual) = (series.percentile(95), baseline.percentile(99));
    assert!(p95 <= (usual * 5).max(NEIGHBOUR_WAITS), "p95 {p95:?}, usually no more than {usual:?}");
}
