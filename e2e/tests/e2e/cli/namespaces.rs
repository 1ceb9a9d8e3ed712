//! A cluster that is registered by command for some of its namespaces: the rights that are made, renewed, looked at and
//! taken away are in these alone. It must not repeat the story of a cluster that is registered for all.

use homebase_api::annotations;
use homebase_testkit::ControlPlane;
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{ClusterRole, Role, RoleBinding};
use kube::api::{Api, ListParams};
use serde_json::Value;

use super::scene::{Ran, scene, tail, token_of};
use crate::fleet::pool::{apply_iris, settled, wait_deployment};
use crate::support::{Fleet, NAMESPACE, SOON, account, create_namespace, hub_requests};

/// Runs `register` for a plane with more words.
async fn register(fleet: &Fleet, plane: &ControlPlane, more: &[&str]) -> Ran {
    let (work, account) = (plane.admin_kubeconfig_path(), account(plane));
    let words = ["register", plane.name(), "--work-kubeconfig", work.to_str().unwrap()];
    let ran = fleet.homebase(&[&words[..], &["--service-account", &account], more].concat()).await;
    if let Some(secret) = fleet.registration_of(plane.name()).await {
        fleet.keep_secret(tail(&token_of(&secret)));
        fleet.assert_no_secret_in("the output of register", &format!("{}{}", ran.out, ran.err));
    }
    ran
}

/// Where the account has a `Role`, and where a `RoleBinding`.
async fn granted_in(plane: &ControlPlane) -> (Vec<String>, Vec<String>) {
    let client = plane.client().await.unwrap();
    let name = format!("{NAMESPACE}:{}", account(plane));
    let params = ListParams::default().fields(&format!("metadata.name={name}"));
    let roles = Api::<Role>::all(client.clone()).list(&params).await.unwrap().items;
    let bindings = Api::<RoleBinding>::all(client).list(&params).await.unwrap().items;
    let namespace_of = |meta: kube::core::ObjectMeta| meta.namespace.unwrap();
    (
        roles.into_iter().map(|role| namespace_of(role.metadata)).collect(),
        bindings.into_iter().map(|binding| namespace_of(binding.metadata)).collect(),
    )
}

fn both(namespaces: &[&str]) -> (Vec<String>, Vec<String>) {
    let names: Vec<String> = namespaces.iter().map(|&name| name.to_owned()).collect();
    (names.clone(), names)
}

async fn list_of(fleet: &Fleet, plane: &ControlPlane) -> Option<String> {
    let secret = fleet.registration_of(plane.name()).await.unwrap();
    secret.metadata.annotations?.remove(annotations::WATCH_NAMESPACES)
}

#[tokio::test]
async fn a_cluster_is_registered_for_some_of_its_namespaces() {
    let fleet = scene("cli-within").await;
    let plane = &fleet.work[0];
    prints_what_it_would_write(&fleet, plane).await;

    let ran = register(&fleet, plane, &["--watch-namespaces", "one,two"]).await.ended(1);
    assert!(ran.err.contains("namespace one is not on the work cluster"), "{}", ran.err);
    assert_eq!(fleet.registration_of(plane.name()).await, None);
    let accounts: Api<ServiceAccount> = Api::all(plane.client().await.unwrap());
    assert!(accounts.list(&ListParams::default()).await.unwrap().items.is_empty(), "made in spite of it");

    for namespace in ["one", "two", "three"] {
        create_namespace(plane, namespace).await;
    }
    register(&fleet, plane, &["--watch-namespaces", "two, one"]).await.ended(0);
    assert_eq!(list_of(&fleet, plane).await.as_deref(), Some("one,two"));
    assert_eq!(granted_in(plane).await, both(&["one", "two"]));
    fleet.wait_condition(plane.name(), ("PermissionsVerified", "True", "Sufficient"), SOON).await;
    for namespace in ["three", "one", "two"] {
        apply_iris(plane, namespace, "app", 1).await;
    }
    for namespace in ["one", "two"] {
        wait_deployment(plane, (namespace, "app"), 1).await;
    }
    settled(plane).await;
    let requests = hub_requests(plane, homebase_testkit::AuditMark::default());
    assert!(
        requests.iter().all(|request| request.code != 403 && request.namespace != "three"),
        "{requests:?}"
    );

    is_understood(&fleet, plane).await;
    is_renewed_and_moved(&fleet, plane).await;
    is_taken_away(&fleet, plane).await;
    fleet.assert_invariants().await;
}

async fn prints_what_it_would_write(fleet: &Fleet, plane: &ControlPlane) {
    let account = account(plane);
    let list = ["--service-account", &account, "--watch-namespaces", "one,two", "-o", "json"];
    let kinds = |text: &str| -> Vec<(String, Option<String>)> {
        let all: Value = serde_json::from_str(text).unwrap();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let items = all["items"].as_array().unwrap().iter();
        items.map(|one| (text(&one["kind"]).unwrap(), text(&one["metadata"]["namespace"]))).collect()
    };
    let of = |kind: &str, namespace: Option<&str>| (kind.to_owned(), namespace.map(str::to_owned));
    let rbac = [
        of("ClusterRole", None),
        of("ClusterRoleBinding", None),
        of("Role", Some("one")),
        of("RoleBinding", Some("one")),
        of("Role", Some("two")),
        of("RoleBinding", Some("two")),
    ];
    let words = [&["register", plane.name(), "--print-rbac"], &list[..]].concat();
    assert_eq!(kinds(&fleet.homebase(&words).await.ended(0).out), rbac);

    let work = plane.admin_kubeconfig_path();
    let words =
        [&["register", plane.name(), "--work-kubeconfig", work.to_str().unwrap(), "--dry-run"], &list[..]]
            .concat();
    let out = fleet.homebase(&words).await.ended(0).out;
    let mut expected = vec![of("Namespace", None), of("ServiceAccount", Some(NAMESPACE))];
    expected.extend(rbac);
    expected.push(of("Secret", Some(NAMESPACE)));
    assert_eq!(kinds(&out), expected);
    let all: Value = serde_json::from_str(&out).unwrap();
    let secret = all["items"].as_array().unwrap().last().unwrap();
    assert_eq!(secret["metadata"]["annotations"][annotations::WATCH_NAMESPACES], "one,two");
}

/// The other commands know where the cluster is worked on.
async fn is_understood(fleet: &Fleet, plane: &ControlPlane) {
    let (name, account) = (plane.name(), account(plane));
    let ran = fleet.homebase(&["doctor", name, "--allow-loopback-destinations"]).await.ended(0);
    assert_eq!(ran.out.lines().filter(|line| line.starts_with("PASS   ")).count(), 14, "{}", ran.out);
    assert_eq!(ran.out.matches("namespaces one, two").count(), 2, "{}", ran.out);

    let work = plane.admin_kubeconfig_path();
    let words = ["rotate", name, "--work-kubeconfig", work.to_str().unwrap(), "--service-account", &account];
    fleet.homebase(&words).await.ended(0);
    fleet.keep_secret(tail(&token_of(&fleet.registration_of(name).await.unwrap())));
    assert_eq!(list_of(fleet, plane).await.as_deref(), Some("one,two"));

    let words = ["deregister", name, "--plan", "--allow-loopback-destinations", "-o", "json"];
    let ran = fleet.homebase(&[&words[..], &["--service-account", &account]].concat()).await.ended(0);
    let left: Vec<Value> = serde_json::from_str(&ran.out).unwrap();
    let deployments = left.iter().filter(|one| one["kind"] == "Deployment");
    let places: Vec<&str> = deployments.map(|one| one["namespace"].as_str().unwrap()).collect();
    assert_eq!(places, ["one", "two"], "{}", ran.out);
    // Claims are none of the hub's business, so its account may not list them.
    assert!(ran.err.contains("RoleBinding of that name in namespaces one, two"), "{}", ran.err);
}

async fn is_renewed_and_moved(fleet: &Fleet, plane: &ControlPlane) {
    // A renewal does not widen anything.
    register(fleet, plane, &[]).await.ended(0);
    assert_eq!(list_of(fleet, plane).await.as_deref(), Some("one,two"));
    assert_eq!(granted_in(plane).await, both(&["one", "two"]));

    register(fleet, plane, &["--watch-namespaces", "two,three"]).await.ended(0);
    assert_eq!(list_of(fleet, plane).await.as_deref(), Some("three,two"));
    assert_eq!(granted_in(plane).await, both(&["three", "two"]));
    wait_deployment(plane, ("three", "app"), 1).await;
    fleet.wait_condition(plane.name(), ("PermissionsVerified", "True", "Sufficient"), SOON).await;
}

async fn is_taken_away(fleet: &Fleet, plane: &ControlPlane) {
    let (account, work) = (account(plane), plane.admin_kubeconfig_path());
    let words = ["deregister", plane.name(), "--remove-access", "--work-kubeconfig", work.to_str().unwrap()];
    fleet.homebase(&[&words[..], &["--service-account", &account]].concat()).await.ended(0);
    assert_eq!(granted_in(plane).await, both(&[]));
    let roles: Api<ClusterRole> = Api::all(plane.client().await.unwrap());
    assert_eq!(roles.get_opt(&format!("{NAMESPACE}:{account}")).await.unwrap(), None);
}
