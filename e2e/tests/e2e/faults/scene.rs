//! The fleets and objects of the fault tests, and windows in which something must stay as it is. It must hold no
//! case.

use std::future::Future;
use std::time::{Duration, Instant};

use homebase_api::{Iris, IrisCluster};
use homebase_testkit::{AuditMark, Component, ControlPlane, eventually};
use kube::api::ApiResource;

use crate::support::{Fleet, Metrics, OBJECT_READY, hub_requests, wait_ready};

/// The name of every resource; the namespaces differ.
pub(super) const NAME: &str = "sample";
/// How often a window is looked into.
const WINDOW_POLL: Duration = Duration::from_secs(1);
/// A hub that has sent no write for this long has nothing more to tell: its figures lag by one second at most.
const QUIET: Duration = Duration::from_secs(5);

/// A home cluster and work clusters that run pods, without a hub.
pub(super) async fn planes(name: &str, clusters: &[&str]) -> Fleet {
    let cluster = |name: &&str| ControlPlane::builder(*name).zones(["zone"]);
    let mut fleet = Fleet::builder(name);
    for plane in clusters.iter().map(cluster) {
        fleet = fleet.work(plane);
    }
    fleet.start_planes().await
}

/// The namespace of a cluster's samples: another one on each cluster.
pub(super) fn namespace(plane: &ControlPlane) -> String {
    format!("on-{}", plane.name())
}

pub(super) fn iris_cluster() -> ApiResource {
    ApiResource::erase::<IrisCluster>(&())
}

pub(super) fn iris() -> ApiResource {
    ApiResource::erase::<Iris>(&())
}

/// A namespace with a mirrored `IrisCluster` that has volumes, an arbiter and compute nodes.
pub(super) fn mirrored(namespace: &str) -> String {
    format!(
        "apiVersion: v1
kind: Namespace
metadata: {{name: {namespace}}}
---
apiVersion: intersystems.com/v1alpha1
kind: IrisCluster
metadata: {{name: {NAME}, namespace: {namespace}}}
spec:
  topology:
    data:
      image: iris:2025.1
      mirrored: true
      mirrorMap: primary,backup
      storageDB: {{resources: {{requests: {{storage: 1Gi}}}}}}
    arbiter: {{image: arbiter:2025.1}}
    compute: {{image: iris:2025.1, replicas: 2, ephemeral: true}}
"
    )
}

/// The same with an `Iris` of two pods.
fn both_kinds(namespace: &str) -> String {
    let iris_cluster = mirrored(namespace);
    format!(
        "{iris_cluster}---
apiVersion: test.myardyas.club/v1alpha1
kind: Iris
metadata: {{name: {NAME}, namespace: {namespace}}}
spec: {{deploymentName: {NAME}, replicas: 2}}
"
    )
}

/// Applies one resource of each kind to a cluster, in the cluster's own namespace.
pub(super) async fn apply_samples(plane: &ControlPlane) {
    plane.apply(&both_kinds(&namespace(plane))).await.unwrap();
}

/// Waits until they are Ready.
pub(super) async fn wait_samples(plane: &ControlPlane) {
    let namespace = namespace(plane);
    for kind in [iris_cluster(), iris()] {
        wait_ready(plane, &kind, (&namespace, NAME), OBJECT_READY).await;
    }
}

/// Waits until the hub has sent no write to any cluster for a while.
pub(super) async fn wait_quiet(fleet: &Fleet, bound: Duration) {
    let marks = || -> Vec<AuditMark> { fleet.planes().map(|plane| plane.audit_mark().unwrap()).collect() };
    let mut since = (Instant::now(), marks());
    eventually("the hub has nothing more to write", bound, || {
        let last = fleet.planes().zip(&since.1).flat_map(|(plane, mark)| hub_requests(plane, *mark)).last();
        let verdict = match last {
            Some(request) => {
                since = (Instant::now(), marks());
                Err(format!("{request:?}"))
            }
            None if since.0.elapsed() >= QUIET => Ok(()),
            None => Err(format!("quiet for {:?}", since.0.elapsed())),
        };
        std::future::ready(verdict)
    })
    .await
    .unwrap();
}

/// A bounded window of observation, which is no wait for anything: `check` must hold all the time.
pub(super) async fn observe<Checked: Future<Output = ()>>(window: Duration, check: impl Fn() -> Checked) {
    let start = Instant::now();
    let mut ticks = tokio::time::interval(WINDOW_POLL);
    while start.elapsed() < window {
        ticks.tick().await;
        check().await;
    }
}

/// The hub's readiness, which depends on no work cluster.
pub(super) async fn assert_hub_ready(fleet: &Fleet) {
    let answer = fleet.hub().get("/readyz").await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
}

/// Requests of the hub to a cluster other than its probes.
pub(super) fn requests_besides_probes(metrics: &Metrics, cluster: &str) -> i64 {
    let label = format!("member_cluster=\"{cluster}\"");
    #[expect(clippy::cast_possible_truncation, reason = "counters of a test are far below 2^53")]
    let count = |name: &str| metrics.sum(name, &[&label]).unwrap() as i64;
    count("homebase_member_cluster_requests_total") - count("homebase_member_cluster_probe_total")
}

/// Kills an apiserver; the rest of its plane goes on.
pub(super) fn kill_apiserver(plane: &mut ControlPlane) {
    plane.kill(Component::Apiserver).unwrap();
}
