//! A cluster from its registration to its end, by commands alone. It must not write a registration by hand, but for one
//! that is in the way.

use homebase_api::{annotations, labels};
use homebase_testkit::ControlPlane;
use k8s_openapi::api::core::v1::{Namespace, Secret, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use kube::api::{Api, PostParams};
use serde_json::{Value, json};

use super::scene::{scene, tail, token_of};
use crate::support::{
    Fleet, NAMESPACE, SOON, account, apply, condition, create_namespace, hub_requests, wait_object,
};

/// The role that `register` makes for the account of a plane.
fn role(plane: &ControlPlane) -> String {
    format!("{NAMESPACE}:{}", account(plane))
}

#[tokio::test]
async fn a_cluster_is_registered_rotated_paused_and_let_go() {
    let fleet = scene("cli").await;
    let (plane, other) = (&fleet.work[0], &fleet.work[1]);
    dry_run_applies_cleanly(&fleet, plane).await;
    registers_with_exactly_these_rights(&fleet, plane).await;
    a_second_registration_renews_the_token(&fleet, plane).await;
    what_is_taken_is_refused(&fleet, plane, other).await;
    is_shown(&fleet, plane).await;
    rotates(&fleet, plane, other).await;
    pauses(&fleet, plane).await;
    is_let_go(&fleet, plane, other).await;
    fleet.assert_invariants().await;
}

async fn dry_run_applies_cleanly(fleet: &Fleet, plane: &ControlPlane) {
    let (work, account) = (plane.admin_kubeconfig_path(), account(plane));
    let words = [
        "register",
        plane.name(),
        "--work-kubeconfig",
        work.to_str().unwrap(),
        "--service-account",
        &account,
        "--dry-run",
        "-o",
    ];
    let mark = (plane.audit_mark().unwrap(), fleet.home.audit_mark().unwrap());
    let yaml = fleet.homebase(&[&words[..], &["yaml"]].concat()).await.ended(0).out;
    let json = fleet.homebase(&[&words[..], &["json"]].concat()).await.ended(0).out;
    for (plane, mark) in [(plane, mark.0), (&fleet.home, mark.1)] {
        let written = plane.write_requests_since(mark).unwrap();
        assert!(
            !written.iter().any(|request| request.user_agent.starts_with("homebase-cli/")),
            "{written:?}"
        );
    }
    let list: Value = serde_json::from_str(&json).unwrap();
    let kinds: Vec<&str> =
        list["items"].as_array().unwrap().iter().map(|item| item["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Secret"]);

    let (for_work, for_home): (Vec<&str>, Vec<&str>) = yaml
        .split("---\n")
        .filter(|document| !document.is_empty())
        .partition(|document| document.starts_with("# on the work cluster\n"));
    assert_eq!((for_work.len(), for_home.len()), (4, 1), "{yaml}");
    let for_work = for_work.join("---\n");
    plane.apply(&for_work).await.unwrap();
    // Server-side, but not kept: it would be a registration.
    let path = plane.dir().join("dry-run-secret.yaml");
    std::fs::write(&path, for_home[0]).unwrap();
    let words = ["apply", "--dry-run=server", "-f", path.to_str().unwrap()];
    fleet.home.kubectl_ok(&words).await.unwrap();

    let words = ["register", plane.name(), "--print-rbac", "--service-account", &account];
    let rbac = fleet.homebase(&words).await.ended(0).out;
    assert!(for_work.contains(rbac.trim_start_matches("---\n").split("---\n").next().unwrap()), "{rbac}");
}

async fn registers_with_exactly_these_rights(fleet: &Fleet, plane: &ControlPlane) {
    let mark = plane.audit_mark().unwrap();
    let ran = fleet.register_by_command(plane).await.ended(0);
    eprintln!("figure: homebase register to Ready: {:?}", ran.took);
    assert_eq!(ran.out, "", "data that nobody asked for");
    for words in ["token granted for", "until 20", "Ready=True AllChecksPassed"] {
        assert!(ran.err.contains(words), "no `{words}` in {}", ran.err);
    }
    let secret = fleet.registration_of(plane.name()).await.unwrap();
    let kube_system: Namespace = Api::all(plane.client().await.unwrap()).get("kube-system").await.unwrap();
    assert_eq!(
        secret.metadata.annotations.as_ref().and_then(|all| all.get(annotations::EXPECTED_CLUSTER_UID)),
        kube_system.metadata.uid.as_ref()
    );
    // All that the hub does to operate a resource works with what was granted.
    create_namespace(plane, "by-command").await;
    apply(
        plane,
        &json!({
            "apiVersion": "test.myardyas.club/v1alpha1", "kind": "Iris",
            "metadata": {"name": "app", "namespace": "by-command"},
            "spec": {"deploymentName": "app", "replicas": 2},
        }),
    )
    .await;
    let kind = kube::api::ApiResource::erase::<k8s_openapi::api::apps::v1::Deployment>(&());
    wait_object(plane, &kind, ("by-command", "app"), SOON, |found| {
        let replicas = found.data["spec"]["replicas"].as_i64();
        if replicas == Some(2) { Ok(()) } else { Err(format!("replicas: {replicas:?}")) }
    })
    .await;
    fleet.wait_condition(plane.name(), ("PermissionsVerified", "True", "Sufficient"), SOON).await;
    let refused: Vec<_> =
        hub_requests(plane, mark).into_iter().filter(|request| request.code == 403).collect();
    assert_eq!(refused, Vec::new(), "the granted rights do not suffice");
}

async fn a_second_registration_renews_the_token(fleet: &Fleet, plane: &ControlPlane) {
    let before = fleet.registration_of(plane.name()).await.unwrap();
    fleet.register_by_command(plane).await.ended(0);
    let after = fleet.registration_of(plane.name()).await.unwrap();
    assert_eq!(after.metadata.uid, before.metadata.uid);
    assert_ne!(token_of(&after), token_of(&before));
}

async fn what_is_taken_is_refused(fleet: &Fleet, plane: &ControlPlane, other: &ControlPlane) {
    let work = plane.admin_kubeconfig_path();
    let work = ["--work-kubeconfig", work.to_str().unwrap()];
    let ran = fleet.homebase(&[&["register", "again"], &work[..]].concat()).await.ended(1);
    assert!(ran.err.contains(&format!("registered already, as {}", plane.name())), "{}", ran.err);

    // Somebody's own Secret.
    let object: Secret =
        serde_json::from_value(json!({"metadata": {"name": "mine-kubeconfig"}, "stringData": {"a": "b"}}))
            .unwrap();
    let kept = fleet.registrations().await.create(&PostParams::default(), &object).await.unwrap();
    let other_work = other.admin_kubeconfig_path();
    let words = ["register", "mine", "--work-kubeconfig", other_work.to_str().unwrap()];
    let ran = fleet.homebase(&words).await.ended(1);
    assert!(ran.err.contains("is no registration"), "{}", ran.err);
    let now = fleet.registration_of("mine").await.unwrap();
    assert_eq!(now.metadata.resource_version, kept.metadata.resource_version);

    // An account that Homebase did not make.
    let accounts: Api<ServiceAccount> = Api::namespaced(other.client().await.unwrap(), "default");
    let object: ServiceAccount = serde_json::from_value(json!({"metadata": {"name": "foreign"}})).unwrap();
    accounts.create(&PostParams::default(), &object).await.unwrap();
    let account = ["--work-namespace", "default", "--service-account", "foreign"];
    let words =
        [&["register", other.name(), "--work-kubeconfig", other_work.to_str().unwrap()], &account[..]]
            .concat();
    let ran = fleet.homebase(&words).await.ended(1);
    assert!(ran.err.contains("was not made by Homebase"), "{}", ran.err);
    assert_eq!(fleet.registration_of(other.name()).await, None);
}

async fn is_shown(fleet: &Fleet, plane: &ControlPlane) {
    let name = plane.name();
    let table = fleet.homebase(&["list"]).await.ended(0).out;
    let line = table.lines().find(|line| line.starts_with(name)).unwrap();
    let cells: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(cells[..3], [name, "True", "AllChecksPassed"], "{table}");
    assert!(cells[3].starts_with("v1."), "{table}");
    assert!(!table.contains('\u{1b}'), "colours without a terminal");
    let kubectl = fleet.home.kubectl_ok(&["get", "workclusters", "-n", NAMESPACE]).await.unwrap();
    let heading = |text: &str| -> Vec<String> {
        text.lines().next().unwrap().split_whitespace().map(str::to_owned).collect()
    };
    assert_eq!(heading(&table), heading(&kubectl));
    let wide = fleet.homebase(&["list", "-o", "wide"]).await.ended(0).out;
    assert!(wide.lines().next().unwrap().ends_with("OWNER"), "{wide}");
    let json: Value =
        serde_json::from_str(&fleet.homebase(&["list", "-o", "json"]).await.ended(0).out).unwrap();
    assert_eq!(json["items"][0]["metadata"]["name"], name);
    let yaml = fleet.homebase(&["status", name, "-o", "yaml"]).await.ended(0).out;
    assert!(yaml.contains("kind: WorkCluster"), "{yaml}");

    let page = fleet.homebase(&["status", name]).await.ended(0).out;
    for words in ["Identity:", "PermissionsVerified", "AllChecksPassed"] {
        assert!(page.contains(words), "no `{words}` in {page}");
    }
    let unknown = fleet.homebase(&["status", "nobody"]).await.ended(2);
    assert!(unknown.err.contains("no cluster nobody"), "{}", unknown.err);
    assert_eq!(fleet.homebase(&["list", "--namespace", "default"]).await.ended(0).out, "");
}

async fn rotates(fleet: &Fleet, plane: &ControlPlane, other: &ControlPlane) {
    let (name, account) = (plane.name(), account(plane));
    let (own, others) = (plane.admin_kubeconfig_path(), other.admin_kubeconfig_path());
    let rotate = async |work: &std::path::Path, account: &str| {
        let work = work.to_str().unwrap();
        fleet.homebase(&["rotate", name, "--work-kubeconfig", work, "--service-account", account]).await
    };
    let before = fleet.registration_of(name).await.unwrap();
    let ran = rotate(&own, &account).await.ended(0);
    let after = fleet.registration_of(name).await.unwrap();
    assert_ne!(token_of(&after), token_of(&before));
    let token = token_of(&after);
    assert!(!format!("{}{}", ran.out, ran.err).contains(tail(&token)), "a token in the output");
    fleet.keep_secret(tail(&token));
    assert!(ran.err.contains("CredentialsValid=True"), "{}", ran.err);

    let ran = rotate(&others, &account).await.ended(1);
    assert!(ran.err.contains("leads to another cluster"), "{}", ran.err);
    assert_eq!(fleet.registration_of(name).await, Some(after), "written in spite of it");

    // The hub does not take a token that may not even say which cluster it leads to.
    create_namespace(plane, NAMESPACE).await;
    let powerless = format!("{account}-powerless");
    let accounts: Api<ServiceAccount> = Api::namespaced(plane.client().await.unwrap(), NAMESPACE);
    let object: ServiceAccount = serde_json::from_value(json!({"metadata": {"name": powerless}})).unwrap();
    accounts.create(&PostParams::default(), &object).await.unwrap();
    let ran = rotate(&own, &powerless).await.ended(1);
    assert!(ran.err.contains("RotationRejected"), "{}", ran.err);
    fleet.keep_secret(tail(&token_of(&fleet.registration_of(name).await.unwrap())));
    fleet.homebase(&["status", name]).await.ended(0);
    rotate(&own, &account).await.ended(0);
}

async fn pauses(fleet: &Fleet, plane: &ControlPlane) {
    let name = plane.name();
    fleet.homebase(&["pause", name]).await.ended(0);
    let paused = fleet.work_cluster(name).await.unwrap();
    assert_eq!(condition(&paused, "Ready").unwrap().reason, "Paused");
    fleet.homebase(&["status", name]).await.ended(1);
    fleet.homebase(&["pause", name]).await.ended(0);
    fleet.homebase(&["resume", name]).await.ended(0);
    fleet.wait_cluster_ready(name).await;
    let secret = fleet.registration_of(name).await.unwrap();
    assert!(!secret.metadata.annotations.unwrap_or_default().contains_key(annotations::PAUSED));
    let ran = fleet.homebase(&["pause", "nobody"]).await.ended(1);
    assert!(ran.err.contains("no cluster nobody is registered"), "{}", ran.err);
}

async fn is_let_go(fleet: &Fleet, plane: &ControlPlane, other: &ControlPlane) {
    let (name, account) = (plane.name(), account(plane));
    let plan =
        ["deregister", name, "--plan", "--allow-loopback-destinations", "--service-account", &account, "-o"];
    let json = fleet.homebase(&[&plan[..], &["json"]].concat()).await.ended(0).out;
    let left: Vec<Value> = serde_json::from_str(&json).unwrap();
    for expected in [
        json!({"kind": "Deployment", "namespace": "by-command", "name": "app"}),
        json!({"kind": "Iris", "namespace": "by-command", "name": "app"}),
        json!({"kind": "CustomResourceDefinition", "name": "iris.test.myardyas.club"}),
    ] {
        assert!(left.contains(&expected), "no {expected} in {json}");
    }
    let ran = fleet.homebase(&[&plan[..], &["table"]].concat()).await.ended(0);
    assert!(ran.out.starts_with("KIND"), "{}", ran.out);
    assert!(ran.err.contains(&role(plane)), "{}", ran.err);
    assert!(fleet.registration_of(name).await.is_some(), "a plan deletes nothing");

    let remove = async |work: &ControlPlane| {
        let work = work.admin_kubeconfig_path();
        let work = ["--remove-access", "--work-kubeconfig", work.to_str().unwrap()];
        fleet.homebase(&[&["deregister", name, "--service-account", &account], &work[..]].concat()).await
    };
    let ran = remove(other).await.ended(1);
    assert!(ran.err.contains("leads to another cluster"), "{}", ran.err);
    assert!(fleet.registration_of(name).await.is_some(), "deleted in spite of it");

    let ran = remove(plane).await.ended(0);
    assert!(ran.err.contains("keeps running"), "{}", ran.err);
    assert_eq!(fleet.registration_of(name).await, None);
    let client = plane.client().await.unwrap();
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), NAMESPACE);
    assert_eq!(accounts.get_opt(&account).await.unwrap(), None);
    assert_eq!(Api::<ClusterRole>::all(client.clone()).get_opt(&role(plane)).await.unwrap(), None);
    assert_eq!(Api::<ClusterRoleBinding>::all(client.clone()).get_opt(&role(plane)).await.unwrap(), None);
    let namespace = Api::<Namespace>::all(client).get(NAMESPACE).await.unwrap();
    assert_eq!(namespace.metadata.deletion_timestamp, None);
    let kind = kube::api::ApiResource::erase::<k8s_openapi::api::apps::v1::Deployment>(&());
    let kept = crate::support::object(plane, &kind, "by-command", "app").await.unwrap();
    assert_eq!(kept.metadata.labels.unwrap()[labels::MANAGED_BY], labels::MANAGED_BY_HOMEBASE);
    fleet.homebase(&["deregister", name]).await.ended(1);
}
