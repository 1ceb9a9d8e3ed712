//! Credentials that the cluster accepts, with too few rights: the condition that lacks them says which, and granting
//! them is enough. It must not list the rights that the hub needs.

use std::time::{Duration, Instant};

use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, PolicyRule};
use kube::api::{Api, DeleteParams};

use super::pool::{apply_iris, fleet, lease, remove_crds, wait_deployment};
use crate::support::{NAMESPACE, SOON, account, hub_requests, kubeconfig_with, set_role, shipped};

/// Between two tries of what only a person can mend, at most; and some for the try.
const MENDED: Duration = Duration::from_secs(75);

fn rule(group: &str, resource: &str, verb: &str) -> PolicyRule {
    PolicyRule {
        api_groups: Some(vec![group.to_owned()]),
        resources: Some(vec![resource.to_owned()]),
        verbs: vec![verb.to_owned()],
        ..PolicyRule::default()
    }
}

#[tokio::test]
async fn missing_rights_on_crds_are_named_and_granting_them_is_enough() {
    let (fleet, [plane]) = (fleet().await, lease().await);
    // Where the kinds are served already, rights on CRDs are not missed.
    let crds = ["irisclusters.intersystems.com", "iris.test.myardyas.club"];
    plane.kubectl_ok(&[&["delete", "crd", "--ignore-not-found"], &crds[..]].concat()).await.unwrap();
    let text = kubeconfig_with(&plane, "no-crds", &[rule("", "namespaces", "get")]).await;
    // Where the kinds are served already, no rights on CRDs are needed.
    remove_crds(&plane).await;
    let mark = plane.audit_mark().unwrap();
    let start = Instant::now();
    fleet.register_as("no-crds", text).await;
    let (message, _) = fleet.wait_condition("no-crds", ("CRDsInstalled", "False", "Forbidden"), SOON).await;
    eprintln!("figure: Secret without rights on CRDs to condition: {:?}", start.elapsed());
    assert!(message.contains("customresourcedefinitions"), "{message}");
    fleet.wait_condition("no-crds", ("Ready", "False", "CRDsNotInstalled"), SOON).await;
    fleet.wait_condition("no-crds", ("IdentityVerified", "True", "Pinned"), SOON).await;
    fleet.wait_condition("no-crds", ("CredentialsValid", "True", "Valid"), SOON).await;
    assert!(hub_requests(&plane, mark).iter().all(|request| request.code == 403));

    set_role(&plane, "no-crds", &shipped()).await;
    let (_, took) = fleet.wait_condition("no-crds", ("Ready", "True", "AllChecksPassed"), MENDED).await;
    eprintln!("figure: rights granted to Ready: {took:?}");
    apply_iris(&plane, "no-crds", "app", 1).await;
    wait_deployment(&plane, ("no-crds", "app"), 1).await;
    fleet.assert_invariants().await;
}

#[tokio::test]
async fn an_identity_that_may_not_be_read_is_no_reason_to_write() {
    let (fleet, [plane]) = (fleet().await, lease().await);
    let crds = rule("apiextensions.k8s.io", "*", "*");
    let text = kubeconfig_with(&plane, "no-identity", &[crds]).await;
    let mark = plane.audit_mark().unwrap();
    fleet.register_as("no-identity", text).await;
    let unreadable = ("IdentityVerified", "Unknown", "Unreadable");
    let (message, _) = fleet.wait_condition("no-identity", unreadable, SOON).await;
    assert!(message.contains("allow `get` on the Namespace kube-system"), "{message}");
    fleet.wait_condition("no-identity", ("Ready", "False", "IdentityNotVerified"), SOON).await;
    assert_eq!(hub_requests(&plane, mark), Vec::new());
    fleet.assert_invariants().await;
}

#[tokio::test]
async fn rights_that_are_lost_in_mid_run_hold_the_work_and_change_nothing() {
    let (fleet, [plane]) = (fleet().await, lease().await);
    let text = kubeconfig_with(&plane, "narrowed", &shipped()).await;
    fleet.register_as("narrowed", text).await;
    fleet.wait_cluster_ready("narrowed").await;
    apply_iris(&plane, "narrowed", "app", 1).await;
    let before = wait_deployment(&plane, ("narrowed", "app"), 1).await;

    // Nothing may be concluded from what can no longer be seen.
    let bindings: Api<ClusterRoleBinding> = Api::all(plane.client().await.unwrap());
    let binding = format!("{NAMESPACE}-{}-narrowed-narrowed", account(&plane));
    let mark = plane.audit_mark().unwrap();
    bindings.delete(&binding, &DeleteParams::default()).await.unwrap();
    let unreadable = ("IdentityVerified", "Unknown", "Unreadable");
    let (_, took) = fleet.wait_condition("narrowed", unreadable, MENDED).await;
    eprintln!("figure: rights withdrawn to condition: {took:?}");
    fleet.wait_condition("narrowed", ("Ready", "False", "IdentityNotVerified"), SOON).await;
    assert!(hub_requests(&plane, mark).iter().all(|request| request.code == 403));
    assert_eq!(wait_deployment(&plane, ("narrowed", "app"), 1).await, before);
    fleet.assert_invariants().await;
}
