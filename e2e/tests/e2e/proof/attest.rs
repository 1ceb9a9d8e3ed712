//! `attest` on a cluster on which all is well, and after each thing that can go wrong with it: the line that is about it
//! fails, and no other. It must not test the words of every reason.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use homebase_api::IrisCluster;
use homebase_testkit::{Component, ControlPlane, eventually};
use kube::api::ApiResource;
use serde_json::{Value, json};

use super::xml;
use crate::cli::scene::Ran;
use crate::support::{Fleet, OBJECT_READY, apply, create_namespace, kubeconfig_with, shipped, wait_ready};

const NAMESPACE: &str = "attested";
const DATA: &str = "1 data in boston";
const COMPUTE: &str = "4 compute in london";
const ARBITER: &str = "1 arbiter in chicago";
const COUNTS: &str = "pod counts match topology";
const READY: &str = "every pod is ready";
const NODES: &str = "every node of the pods is alive";
const SETS: &str = "every StatefulSet is as planned";
/// A node lease lasts 40 s, and the pods of a node that is gone are collected after up to 40 s.
const LOST: Duration = Duration::from_secs(150);

/// The verdicts by claim, each with its reason.
fn claims(ran: &Ran) -> BTreeMap<String, (String, String)> {
    let report: Value = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{ran:?}"));
    let text = |claim: &Value, key: &str| claim[key].as_str().unwrap().to_owned();
    let all = report["claims"].as_array().unwrap().iter();
    all.map(|claim| (text(claim, "claim"), (text(claim, "result"), text(claim, "reason")))).collect()
}

/// The claims with a verdict.
fn with(ran: &Ran, verdict: &str) -> BTreeMap<String, String> {
    let all = claims(ran).into_iter().filter(|(_, (result, _))| result == verdict);
    all.map(|(claim, (_, reason))| (claim, reason)).collect()
}

/// Attests with the admin's kubeconfig of the work cluster itself.
async fn attest(fleet: &Fleet, more: &[&str]) -> Ran {
    let kubeconfig = fleet.work[0].admin_kubeconfig_path();
    let target = format!("{NAMESPACE}/iris");
    let words = ["attest", &target, "--kubeconfig", kubeconfig.to_str().unwrap(), "-o", "json"];
    fleet.bare(&[&words, more].concat()).await
}

/// Waits until exactly these claims fail; the reasons.
async fn until_failing(
    fleet: &Fleet,
    what: &str,
    wanted: &[&str],
    bound: Duration,
) -> BTreeMap<String, String> {
    let wanted: BTreeSet<&str> = wanted.iter().copied().collect();
    let found = eventually(format!("{what}: {wanted:?} fail"), bound, || async {
        let ran = attest(fleet, &[]).await;
        let failing = with(&ran, "FAIL");
        let is_as_wanted = failing.keys().map(String::as_str).collect::<BTreeSet<_>>() == wanted;
        let is_told = ran.code == i32::from(!wanted.is_empty());
        if is_as_wanted && is_told {
            Ok(failing)
        } else {
            Err(format!("{}: {failing:?} {}", ran.code, ran.err))
        }
    });
    found.await.unwrap()
}

async fn kubectl(plane: &ControlPlane, words: &str) {
    let words: Vec<&str> = words.split(' ').collect();
    plane.kubectl_ok(&words).await.unwrap();
}

async fn scene() -> Fleet {
    let plane = ControlPlane::builder("attest-0").zones(["boston", "chicago", "london"]);
    let fleet = Fleet::builder("attest").work(plane).start().await;
    let plane = &fleet.work[0];
    fleet.register(plane).await;
    fleet.wait_cluster_ready(plane.name()).await;
    create_namespace(plane, NAMESPACE).await;
    let cluster = json!({"apiVersion": "intersystems.com/v1alpha1", "kind": "IrisCluster",
        "metadata": {"name": "iris", "namespace": NAMESPACE},
        "spec": {"topology": {
            "data": {"image": "iris:2025.1", "preferredZones": ["boston"]},
            "arbiter": {"image": "arbiter", "preferredZones": ["chicago"]},
            "compute": {"image": "iris:2025.1", "replicas": 4, "ephemeral": true, "preferredZones": ["london"]}}}});
    apply(plane, &cluster).await;
    let kind = ApiResource::erase::<IrisCluster>(&());
    wait_ready(plane, &kind, (NAMESPACE, "iris"), OBJECT_READY).await;
    fleet
}

#[tokio::test]
async fn the_line_that_is_wrong_fails_and_no_other() {
    let mut fleet = scene().await;
    all_is_well(&fleet).await;
    by_registration(&fleet).await;
    nodes_that_cannot_be_read(&fleet).await;
    labels_of_nodes(&fleet).await;
    an_unready_pod(&fleet).await;
    a_zone_that_is_lost(&fleet).await;
    nodes_that_fall_silent(&mut fleet).await;
    fleet.assert_invariants().await;
}

async fn all_is_well(fleet: &Fleet) {
    let junit = fleet.work[0].dir().join("junit.xml");
    let ran = attest(fleet, &["--wait", "30s", "--junit", junit.to_str().unwrap()]).await.ended(0);
    let wanted: BTreeSet<&str> = [DATA, COMPUTE, ARBITER, COUNTS, READY, NODES, SETS].into();
    let passed = with(&ran, "PASS");
    assert_eq!(passed.keys().map(String::as_str).collect::<BTreeSet<_>>(), wanted);
    assert!(passed[NODES].ends_with("by condition and lease"), "{passed:?}");
    let cases = xml::elements(&std::fs::read_to_string(junit).unwrap());
    assert_eq!(cases.iter().filter(|(name, _)| name == "testcase").count(), wanted.len());
    let missing = fleet.bare(&["attest", "attested/nobody", "--kubeconfig", "/no/such/file"]).await;
    assert_eq!(missing.code, 2, "{missing:?}");
}

/// As the hub goes there, with the hub's own rights: nothing that they do not grant is asked for.
async fn by_registration(fleet: &Fleet) {
    let target = format!("{}/{NAMESPACE}/iris", fleet.work[0].name());
    let ran = fleet.homebase(&["attest", &target, "--allow-loopback-destinations", "-o", "json"]).await;
    let is_about_nodes = |list: &Option<Vec<String>>| list.iter().flatten().any(|one| one == "nodes");
    let may_list_nodes = shipped()
        .iter()
        .any(|rule| is_about_nodes(&rule.resources) && rule.verbs.iter().any(|verb| verb == "list"));
    assert_eq!(ran.code, if may_list_nodes { 0 } else { 2 }, "{ran:?}");
    assert_eq!(with(&ran, "FAIL"), BTreeMap::new());
    assert!(with(&ran, "PASS").contains_key(COUNTS), "{ran:?}");
    let table = fleet.homebase(&["attest", &target, "--allow-loopback-destinations"]).await;
    let words: Vec<&str> = table.out.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(words, ["ZONE", "COMPONENT", "EXPECTED", "OBSERVED"]);
    let nobody = format!("{}/{NAMESPACE}/nobody", fleet.work[0].name());
    let nobody = fleet.homebase(&["attest", &nobody, "--allow-loopback-destinations"]).await.ended(2);
    assert!(nobody.err.contains("there is no IrisCluster attested/nobody"), "{nobody:?}");
    fleet.homebase(&["attest", "nowhere/a/b"]).await.ended(2);
}

/// What may not be read is neither right nor wrong.
async fn nodes_that_cannot_be_read(fleet: &Fleet) {
    let plane = &fleet.work[0];
    let is_about =
        |list: &Option<Vec<String>>| list.iter().flatten().any(|one| one == "nodes" || one == "leases");
    let rules: Vec<_> = shipped().into_iter().filter(|rule| !is_about(&rule.resources)).collect();
    let path: PathBuf = plane.dir().join("few-rights.kubeconfig");
    std::fs::write(&path, kubeconfig_with(plane, "without-nodes", &rules).await).unwrap();
    let target = format!("{NAMESPACE}/iris");
    let words = ["attest", &target, "--kubeconfig", path.to_str().unwrap(), "-o", "json"];
    let ran = fleet.bare(&words).await.ended(2);
    let unknown = with(&ran, "UNKNOWN");
    let wanted: BTreeSet<&str> = [DATA, COMPUTE, ARBITER, NODES].into();
    assert_eq!(unknown.keys().map(String::as_str).collect::<BTreeSet<_>>(), wanted, "{ran:?}");
    assert_eq!(unknown[DATA], "this account has no right to list nodes");
    let asked = plane.requests().unwrap();
    let refused = asked.iter().filter(|one| one.user.contains("without-nodes") && one.code == 403);
    assert_eq!(refused.count(), 0, "what is not granted is not asked for");
    let junit = fleet
        .bare(&["attest", &target, "--kubeconfig", path.to_str().unwrap(), "-o", "junit"])
        .await
        .ended(2);
    let errors = xml::elements(&junit.out).into_iter().filter(|(name, _)| name == "error").count();
    assert_eq!(errors, wanted.len());
}

async fn labels_of_nodes(fleet: &Fleet) {
    let plane = &fleet.work[0];
    kubectl(plane, "label node london-0 topology.kubernetes.io/zone-").await;
    let failing = until_failing(fleet, "no zone", &[COMPUTE], OBJECT_READY).await;
    assert_eq!(
        failing[COMPUTE],
        "0 of 4: iris-compute-{0-3} on node london-0, which has no label topology.kubernetes.io/zone"
    );
    kubectl(plane, "label node london-0 topology.kubernetes.io/zone=london").await;
    kubectl(plane, "label --overwrite node chicago-0 topology.kubernetes.io/zone=boston").await;
    let failing = until_failing(fleet, "another zone", &[ARBITER], OBJECT_READY).await;
    assert_eq!(failing[ARBITER], "iris-arbiter-0 on node chicago-0 in boston, it belongs in chicago");
    kubectl(plane, "label --overwrite node chicago-0 topology.kubernetes.io/zone=chicago").await;
    until_failing(fleet, "all is well again", &[], OBJECT_READY).await;
}

async fn an_unready_pod(fleet: &Fleet) {
    let plane = &fleet.work[0];
    let condition = |status: &str| {
        json!({"status": {"conditions": [{"type": "Ready", "status": status, "reason": "Because", "message": "of <this>"}]}})
            .to_string()
    };
    let patch = |status: &str| {
        let patch = condition(status);
        async move {
            let words = [
                "-n",
                NAMESPACE,
                "patch",
                "pod",
                "iris-data-0",
                "--subresource=status",
                "--type=strategic",
                "-p",
                &patch,
            ];
            plane.kubectl_ok(&words).await.unwrap();
        }
    };
    patch("False").await;
    let failing = until_failing(fleet, "an unready pod", &[READY], OBJECT_READY).await;
    assert_eq!(failing[READY], "iris-data-0 on node boston-0 is not ready: Because: of <this>");
    patch("True").await;
    until_failing(fleet, "all is well again", &[], OBJECT_READY).await;
}

/// First its node is gone, then its pods are, and others wait for a place.
async fn a_zone_that_is_lost(fleet: &Fleet) {
    let plane = &fleet.work[0];
    kubectl(plane, "delete node chicago-0").await;
    let failing = until_failing(fleet, "the node is gone", &[ARBITER, NODES], OBJECT_READY).await;
    assert_eq!(failing[ARBITER], "iris-arbiter-0 on node chicago-0, which is not there any more");
    let failing = until_failing(fleet, "the pod waits", &[ARBITER, COUNTS, READY], LOST).await;
    assert!(failing[ARBITER].starts_with("iris-arbiter-0 Pending: 0/2 nodes are available"), "{failing:?}");
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "chicago-0",
        "labels": {"topology.kubernetes.io/zone": "chicago", "type": "kwok"}}});
    plane.apply(&node.to_string()).await.unwrap();
    until_failing(fleet, "the zone is back", &[], LOST).await;
}

/// Whoever plays the nodes stops in its tracks: their leases run out before anybody else says so.
async fn nodes_that_fall_silent(fleet: &mut Fleet) {
    fleet.work[0].pause(Component::Kwok).unwrap();
    let failing = until_failing(fleet, "leases run out", &[NODES], LOST).await;
    let words = "by the apiserver's clock; the lease lasts 40 s";
    assert!(failing[NODES].contains(" renewed its lease") && failing[NODES].contains(words), "{failing:?}");
    fleet.work[0].resume(Component::Kwok).unwrap();
    until_failing(fleet, "nodes are back", &[], LOST).await;
}
