//! Commands with the wrong home cluster, and on a cluster that another hub operates: nothing is written, and who may write is
//! named. And a cluster that moves from one hub to another. It must not start hubs with other options.

use homebase_testkit::ControlPlane;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use kube::api::{Api, ListParams};

use super::scene::{Ran, tail, token_of};
use crate::support::{Fleet, SOON, account, kubeconfig_with, shipped};

const CLUSTER: &str = "moving";

/// The resourceVersions of all roles and bindings of the cluster.
async fn rights(plane: &ControlPlane) -> Vec<Option<String>> {
    let client = plane.client().await.unwrap();
    let all = ListParams::default();
    let roles = Api::<ClusterRole>::all(client.clone()).list(&all).await.unwrap();
    let bindings = Api::<ClusterRoleBinding>::all(client).list(&all).await.unwrap();
    let roles = roles.items.into_iter().map(|role| role.metadata.resource_version);
    roles.chain(bindings.items.into_iter().map(|binding| binding.metadata.resource_version)).collect()
}

/// Runs a command that must be refused before it writes anything on the work cluster.
async fn refused(plane: &ControlPlane, words: &str, ran: impl Future<Output = Ran>) -> Ran {
    let (before, mark) = (rights(plane).await, plane.audit_mark().unwrap());
    let ran = ran.await.ended(1);
    assert!(ran.err.contains(words), "no `{words}` in {}", ran.err);
    let writes = plane.write_requests_since(mark).unwrap();
    let by_command: Vec<_> =
        writes.iter().filter(|write| write.user_agent.starts_with("homebase-cli/")).collect();
    assert!(by_command.is_empty(), "{by_command:?}");
    assert_eq!(rights(plane).await, before);
    ran
}

async fn register(fleet: &Fleet, plane: &ControlPlane, account: &str, more: &[&str]) -> Ran {
    let work = plane.admin_kubeconfig_path();
    let words =
        ["register", CLUSTER, "--work-kubeconfig", work.to_str().unwrap(), "--service-account", account];
    let ran = fleet.homebase(&[&words[..], more].concat()).await;
    if let Some(secret) = fleet.registration_of(CLUSTER).await {
        fleet.keep_secret(tail(&token_of(&secret)));
    }
    ran
}

#[tokio::test]
async fn nothing_is_written_with_the_wrong_home_or_for_the_wrong_hub_and_a_cluster_can_move() {
    let (mut one, two) = futures::join!(
        Fleet::builder("owner-one").work(ControlPlane::builder("moving").api_only()).start(),
        Fleet::builder("owner-two").start(),
    );
    let account = account(&one.work[0]);
    let second = format!("{account}-second");
    register(&one, &one.work[0], &account, &[]).await.ended(0);
    let plane = &one.work[0];

    // A KUBECONFIG that leads to no home cluster.
    let work = plane.admin_kubeconfig_path();
    let work = work.to_str().unwrap();
    let wrong = ["register", "again", "--work-kubeconfig", work, "--kubeconfig", work];
    refused(plane, "is no home cluster of Homebase", one.bare(&wrong)).await;
    // Another hub's cluster, and another hub's account.
    let ran = refused(plane, "is operated by another hub", register(&two, plane, &second, &[])).await;
    let (_, owner) = ran.err.split_once("--take-over ").unwrap();
    let owner = owner.split_whitespace().next().unwrap();
    let take_over = ["--take-over", owner];
    refused(plane, "belongs to another hub", register(&two, plane, &account, &take_over)).await;

    doctor_says_whose_it_is(&two, plane, owner).await;
    let third = format!("{account}-third");
    moves(&one, &two, &third).await;
    without_a_hub(&mut one, &account).await;
    two.assert_invariants().await;
}

/// A registration that was made by hand.
async fn doctor_says_whose_it_is(two: &Fleet, plane: &ControlPlane, owner: &str) {
    let text = kubeconfig_with(plane, "second", &shipped()).await;
    two.keep_tokens_of(&text);
    let registration = two.register_as(CLUSTER, &text).await;
    two.wait_condition(CLUSTER, ("CRDsInstalled", "False", "ForeignOwner"), SOON).await;
    let ran = two.homebase(&["doctor", CLUSTER, "--allow-loopback-destinations"]).await.ended(1);
    let line = ran.out.lines().find(|line| line.contains("crds")).unwrap();
    assert!(line.contains("FAIL") && line.contains(owner), "{}", ran.out);
    two.deregister(&registration).await;
}

/// One hub lets go, the other takes the cluster up without being told to take over anything.
async fn moves(one: &Fleet, two: &Fleet, account: &str) {
    let plan = ["deregister", CLUSTER, "--plan", "--allow-loopback-destinations"];
    one.homebase(&plan).await.ended(0);
    let ran = one.homebase(&["deregister", CLUSTER, "--allow-loopback-destinations"]).await.ended(0);
    assert!(ran.err.contains("is off its CRDs"), "{}", ran.err);
    let ran = register(two, &one.work[0], account, &[]).await.ended(0);
    assert!(ran.err.contains("Ready=True"), "{}", ran.err);
}

/// A hub that is not alive takes nothing up: that is said before anything is written, unless nobody waits for it.
async fn without_a_hub(one: &mut Fleet, account: &str) {
    assert!(one.hub_mut().terminate(SOON).await.unwrap().success());
    let plane = &one.work[0];
    refused(plane, "--no-wait", register(one, plane, account, &[])).await;
    // The other hub has the cluster now, and that is said as well.
    refused(plane, "is operated by another hub", register(one, plane, account, &["--no-wait"])).await;
}
