//! The rest: when everything is as it should be, the hub sends nothing but its probes, also when an object is touched
//! in a way that changes nothing for it.

use std::collections::BTreeMap;
use std::time::Duration;

use homebase_api::WorkCluster;
use homebase_testkit::{AuditMark, ControlPlane, eventually};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;
use kube::api::{Api, ApiResource, DynamicObject, ListParams, Patch, PatchParams};
use serde_json::json;

use super::scene::{
    NAME, apply_samples, iris, iris_cluster, namespace, observe, planes, requests_besides_probes, wait_quiet,
    wait_samples,
};
use crate::support::{Fleet, Identities, Metrics, NAMESPACE, SOON, hub_requests};

/// The window in which nothing may happen: longer than every period of the hub but that of its watches (200 s) and
/// of the times in a `WorkCluster` (300 s).
const WINDOW: Duration = Duration::from_secs(35);
/// An apiserver sends each watch a bookmark about once a minute.
const BOOKMARKS: Duration = Duration::from_secs(100);
/// From the last change until the hub has told of it.
const SETTLED: Duration = Duration::from_secs(60);
const CLUSTERS: [&str; 2] = ["calm", "quiet"];

#[tokio::test]
async fn at_rest_nothing_is_written_and_nothing_is_asked() {
    let mut fleet = planes("rest", &CLUSTERS).await;
    fleet.start_hub().await;
    println!("rest: resident without clusters: {} KiB", fleet.hub().resident_kib());
    for plane in &fleet.work {
        fleet.register(plane).await;
    }
    for plane in &fleet.work {
        fleet.wait_cluster_ready(plane.name()).await;
        apply_samples(plane).await;
    }
    for plane in &fleet.work {
        wait_samples(plane).await;
    }
    wait_quiet(&fleet, SETTLED).await;

    let rest = Rest::of(&fleet).await;
    let ready = fleet.hub().resident_kib();
    observe(WINDOW, || async { rest.assert_no_write(&fleet) }).await;
    rest.assert_unchanged(&fleet).await;
    rest.wait_probes_only(&fleet).await;
    rest.wait_fresh(&fleet).await;
    println!(
        "rest: resident with two clusters: {ready} KiB, {WINDOW:?} later {} KiB",
        fleet.hub().resident_kib()
    );

    for (kind, controller) in [(iris_cluster(), "iriscluster"), (iris(), "iris")] {
        let before = reconciles(&fleet, controller).await;
        touch(&fleet.work[0], &kind).await;
        eventually("the touched object is reconciled", SOON, || async {
            let now = reconciles(&fleet, controller).await;
            if now > before { Ok(()) } else { Err(format!("{now} reconciles")) }
        })
        .await
        .unwrap();
    }
    // That the hub was done with it shows in its figures, which are idle again.
    wait_idle(&fleet).await;
    rest.assert_no_write(&fleet);
    rest.wait_probes_only(&fleet).await;
    fleet.assert_invariants().await;
}

/// What is there at rest, and what was sent until then.
struct Rest {
    began: Timestamp,
    marks: Vec<AuditMark>,
    work: Vec<Identities>,
    own: Vec<BTreeMap<String, String>>,
    requests: Vec<i64>,
}

impl Rest {
    async fn of(fleet: &Fleet) -> Self {
        let (mut work, mut own) = (Vec::new(), Vec::new());
        for plane in &fleet.work {
            work.push(Identities::of(plane, &[&namespace(plane)]).await);
        }
        for plane in fleet.planes() {
            own.push(own_objects(plane).await);
        }
        let metrics = Metrics::of(fleet.hub()).await;
        Self {
            began: Timestamp::now(),
            marks: fleet.planes().map(|plane| plane.audit_mark().unwrap()).collect(),
            work,
            own,
            requests: CLUSTERS.map(|cluster| requests_besides_probes(&metrics, cluster)).to_vec(),
        }
    }

    fn assert_no_write(&self, fleet: &Fleet) {
        for (plane, mark) in fleet.planes().zip(&self.marks) {
            let written = hub_requests(plane, *mark);
            assert!(written.is_empty(), "writes to {} at rest: {written:#?}", plane.name());
        }
    }

    async fn assert_unchanged(&self, fleet: &Fleet) {
        for (plane, before) in fleet.work.iter().zip(&self.work) {
            assert_eq!(&Identities::of(plane, &[&namespace(plane)]).await, before, "on {}", plane.name());
        }
        for (plane, before) in fleet.planes().zip(&self.own) {
            assert_eq!(&own_objects(plane).await, before, "on {}", plane.name());
        }
    }

    /// Nothing happens, and each watch shows all the same that it lives: the oldest sign of life is of this rest.
    async fn wait_fresh(&self, fleet: &Fleet) {
        eventually("every watch has brought a bookmark", BOOKMARKS, || async {
            let metrics = Metrics::of(fleet.hub()).await;
            let oldest = CLUSTERS.map(|cluster| {
                let label = format!("member_cluster=\"{cluster}\"");
                metrics.sum("homebase_member_cluster_freshness_timestamp_seconds", &[&label]).unwrap()
            });
            #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are far below 2^53")]
            let began = self.began.as_second() as f64;
            if oldest.iter().all(|oldest| *oldest > began) {
                Ok(())
            } else {
                Err(format!("{oldest:?}, {began}"))
            }
        })
        .await
        .unwrap();
    }

    /// Requests and probes are counted one after the other, so they are compared until they agree.
    async fn wait_probes_only(&self, fleet: &Fleet) {
        eventually("the hub has sent nothing but probes", SOON, || async {
            let metrics = Metrics::of(fleet.hub()).await;
            let now = CLUSTERS.map(|cluster| requests_besides_probes(&metrics, cluster));
            if now[..] == self.requests[..] {
                Ok(())
            } else {
                Err(format!("{now:?}, not {:?}", self.requests))
            }
        })
        .await
        .unwrap();
    }
}

/// The resourceVersions of the hub's own kind and of the CRDs.
async fn own_objects(plane: &ControlPlane) -> BTreeMap<String, String> {
    let client = plane.client().await.unwrap();
    let crds: Api<CustomResourceDefinition> = Api::all(client.clone());
    let crds = crds.list(&ListParams::default()).await.unwrap();
    let mut found: BTreeMap<_, _> =
        crds.iter().map(|crd| (crd.name_any(), crd.resource_version().unwrap())).collect();
    if found.keys().any(|name| name.starts_with("workclusters.")) {
        let clusters: Api<WorkCluster> = Api::namespaced(client, NAMESPACE);
        let clusters = clusters.list(&ListParams::default()).await.unwrap();
        found.extend(clusters.iter().map(|found| (found.name_any(), found.resource_version().unwrap())));
    }
    assert!(!found.is_empty(), "{} has nothing to be compared", plane.name());
    found
}

/// Changes an object in a way that is none of the hub's business.
async fn touch(plane: &ControlPlane, kind: &ApiResource) {
    let namespace = namespace(plane);
    let api: Api<DynamicObject> = Api::namespaced_with(plane.client().await.unwrap(), &namespace, kind);
    let patch = Patch::Merge(json!({"metadata": {"annotations": {"example.com/touched": "now"}}}));
    api.patch(NAME, &PatchParams::default(), &patch).await.unwrap();
}

async fn reconciles(fleet: &Fleet, controller: &str) -> f64 {
    let label = format!("controller=\"{controller}\"");
    Metrics::of(fleet.hub()).await.sum("controller_runtime_reconcile_total", &[&label]).unwrap()
}

async fn wait_idle(fleet: &Fleet) {
    eventually("the hub is idle", SOON, || async {
        let metrics = Metrics::of(fleet.hub()).await;
        let busy =
            ["controller_runtime_active_workers", "workqueue_depth"].map(|name| metrics.sum(name, &[]));
        if busy == [Some(0.0); 2] { Ok(()) } else { Err(format!("{busy:?}")) }
    })
    .await
    .unwrap();
}
