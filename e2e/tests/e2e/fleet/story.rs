//! The main story on complete clusters: two from the start, a third while the hub runs, work on each, one let go, the
//! hub ended, and a Secret re-pointed behind its back.

use std::time::{Duration, Instant};

use homebase_api::labels;
use homebase_api::{Iris, IrisCluster};
use homebase_testkit::{AuditMark, ControlPlane, eventually, workspace_root};
use kube::api::{ApiResource, Patch, PatchParams};
use serde_json::{Value, json};

use super::pool::{connections, descriptors};
use crate::support::{
    CLUSTER_READY, Fleet, Identities, Metrics, NAMESPACE, OBJECT_READY, SOON, apply, create_namespace,
    hub_requests, kubeconfig, wait_ready,
};

const SAMPLES: [&str; 2] = ["iris.yaml", "iriscluster-mirrored.yaml"];
/// Less than the 30 s that Kubernetes gives a pod; an idle hub needs far less.
const ENDED: Duration = Duration::from_secs(10);

/// The namespace of a cluster's objects: another one on each, so that a mistake shows.
fn namespace(plane: &ControlPlane) -> String {
    format!("on-{}", plane.name())
}

async fn apply_samples(plane: &ControlPlane) {
    let namespace = namespace(plane);
    create_namespace(plane, &namespace).await;
    for sample in SAMPLES {
        let text = std::fs::read_to_string(workspace_root().join("deploy/samples").join(sample)).unwrap();
        let mut manifest: Value = serde_saphyr::from_str(&text).unwrap();
        manifest["metadata"]["namespace"] = json!(namespace);
        apply(plane, &manifest).await;
    }
}

async fn wait_samples(plane: &ControlPlane) {
    let namespace = namespace(plane);
    let start = Instant::now();
    wait_ready(plane, &ApiResource::erase::<Iris>(&()), (&namespace, "iris"), OBJECT_READY).await;
    let iris = start.elapsed();
    wait_ready(plane, &ApiResource::erase::<IrisCluster>(&()), (&namespace, "sample"), OBJECT_READY).await;
    eprintln!(
        "figure: samples on {}: Iris Ready after {iris:?}, IrisCluster {:?}",
        plane.name(),
        start.elapsed()
    );
}

#[tokio::test]
async fn clusters_come_work_and_go_while_the_hub_runs() {
    let plane = |name: &str| ControlPlane::builder(name).zones(["a-zone"]);
    let fleet = Fleet::builder("story").work(plane("boston")).work(plane("london")).work(plane("seattle"));
    let mut fleet = fleet.start_planes().await;
    two_from_the_start(&mut fleet).await;
    columns(&fleet).await;
    a_third_comes_and_goes(&fleet).await;
    end(&mut fleet).await;
    a_secret_is_pointed_elsewhere(&mut fleet).await;
    fleet.assert_invariants().await;
}

async fn two_from_the_start(fleet: &mut Fleet) {
    for plane in &fleet.work[..2] {
        fleet.register(plane).await;
    }
    let start = Instant::now();
    fleet.start_hub().await;
    eprintln!("figure: hub started to ready: {:?}", start.elapsed());
    for plane in &fleet.work[..2] {
        fleet.wait_cluster_ready(plane.name()).await;
    }
    eprintln!("figure: hub started to two clusters Ready: {:?}", start.elapsed());
    for plane in &fleet.work[..2] {
        apply_samples(plane).await;
    }
    for plane in &fleet.work[..2] {
        wait_samples(plane).await;
    }
}

/// `kubectl get workclusters` as people see it.
async fn columns(fleet: &Fleet) {
    let row = eventually("the columns show the samples", SOON, || async {
        let arguments = ["get", "workclusters", "-n", NAMESPACE];
        let text = fleet.home.kubectl_ok(&arguments).await.map_err(|error| error.to_string())?;
        let header: Vec<&str> = text.lines().next().unwrap_or_default().split_whitespace().collect();
        let expected =
            "NAME READY REASON VERSION IRISCLUSTERS READY-IRISCLUSTERS LAST-SEEN CREDENTIALS-EXPIRE AGE";
        assert_eq!(header.join(" "), expected);
        assert_eq!(text.lines().count(), 3, "{text}");
        let row: Vec<String> =
            text.lines().nth(1).unwrap_or_default().split_whitespace().map(str::to_owned).collect();
        if row.get(4..6).is_some_and(|counts| counts == ["1", "1"]) { Ok(row) } else { Err(text) }
    });
    let row = row.await.unwrap();
    assert_eq!(row[..3], ["boston", "True", "AllChecksPassed"]);
    assert!(row[3].starts_with("v1."), "{row:?}");
}

async fn a_third_comes_and_goes(fleet: &Fleet) {
    let third = &fleet.work[2];
    assert_eq!(hub_requests(third, AuditMark::default()), Vec::new(), "nobody has registered it");
    let others = [
        Identities::of(&fleet.work[0], &[&namespace(&fleet.work[0])]).await,
        Identities::of(&fleet.work[1], &[&namespace(&fleet.work[1])]).await,
    ];
    let open = descriptors(fleet.hub());
    let start = Instant::now();
    let registration = fleet.register(third).await;
    fleet.wait_cluster_ready(third.name()).await;
    eprintln!("figure: Secret to Ready while running: {:?}", start.elapsed());
    apply_samples(third).await;
    wait_samples(third).await;

    let namespace_of_third = namespace(third);
    let before = Identities::of(third, &[&namespace_of_third]).await;
    assert!(before.0.len() > 10, "{before:?}");
    let patch = Patch::Merge(json!({"metadata": {"labels": {labels::CLUSTER: null}}}));
    let secrets = fleet.registrations().await;
    secrets.patch(&registration.secret, &PatchParams::default(), &patch).await.unwrap();
    eventually("the hub has let go of it", SOON, || async {
        let series = Metrics::of(fleet.hub()).await.about(third.name()).len();
        let (sockets, now) = (connections(fleet.hub(), third), descriptors(fleet.hub()));
        let exists = fleet.work_cluster(third.name()).await.is_some();
        if series + sockets == 0 && !exists && now <= open {
            return Ok(());
        }
        Err(format!(
            "{series} series, {sockets} connections, {now} of {open} descriptors, WorkCluster: {exists}"
        ))
    })
    .await
    .unwrap();
    assert_eq!(Identities::of(third, &[&namespace_of_third]).await.uids(), before.uids());
    for (plane, before) in fleet.work.iter().zip(others) {
        assert_eq!(Identities::of(plane, &[&namespace(plane)]).await, before, "{}", plane.name());
    }
    fleet.deregister(&registration).await;
}

async fn end(fleet: &mut Fleet) {
    let start = Instant::now();
    let status = fleet.hub_mut().terminate(ENDED).await.unwrap();
    eprintln!("figure: SIGTERM to exit: {:?}", start.elapsed());
    assert_eq!(status.code(), Some(0), "{}", fleet.hub().log_text());
}

/// While the hub is down, what boston's Secret leads to becomes seattle, which has everything that boston has.
async fn a_secret_is_pointed_elsewhere(fleet: &mut Fleet) {
    let (boston, seattle) = (&fleet.work[0], &fleet.work[2]);
    fleet.register_as("boston", kubeconfig(seattle).await).await;
    let mark = seattle.audit_mark().unwrap();
    let ran = Identities::of(boston, &[&namespace(boston)]).await;
    fleet.start_hub().await;
    let mismatch = ("IdentityVerified", "False", "Mismatch");
    fleet.wait_condition("boston", mismatch, CLUSTER_READY).await;
    fleet.wait_cluster_ready("london").await;
    let (boston, seattle) = (&fleet.work[0], &fleet.work[2]);
    assert_eq!(hub_requests(seattle, mark), Vec::new());
    assert_eq!(Identities::of(boston, &[&namespace(boston)]).await, ran);
    // Pointed back, it needs no restart to go on.
    fleet.register_as("boston", kubeconfig(boston).await).await;
    fleet.wait_condition("boston", ("IdentityVerified", "True", "Matched"), SOON).await;
    fleet.wait_cluster_ready("boston").await;
    assert_eq!(Identities::of(boston, &[&namespace(boston)]).await.uids(), ran.uids());
}
