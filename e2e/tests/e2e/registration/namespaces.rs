//! Registrations for some namespaces of a cluster: what lies in them is operated, with rights in them alone, and nothing
//! is asked for or done in any other. It must not try all lists that somebody could write: the tests of the parser do.

use homebase_api::{IrisCluster, annotations};
use homebase_testkit::{AuditMark, ControlPlane, eventually};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::rbac::v1::{PolicyRule, Role, RoleBinding};
use kube::api::{Api, ApiResource, DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use super::conventions::argo;
use super::secrets::{Form, field, wait_taken, works};
use crate::fleet::pool::{
    apply_iris, connections, fleet, lease, no_connection, remove_crds, settled, wait_deployment,
};
use crate::support::{
    FIELD_MANAGER, Fleet, Metrics, NAMESPACE, SOON, account, apply, condition, create_namespace,
    hub_requests, is, kubeconfig, kubeconfig_with, object, shipped, wait_object,
};

/// The Service that all clusters of a namespace share.
const HEADLESS_SERVICE: &str = "iris-svc";
/// Watches of one namespace: of what users write (2) and of what the hub makes of it (6).
const WATCHES: usize = 8;

fn watching(list: &str) -> Value {
    json!({annotations::WATCH_NAMESPACES: list})
}

/// The smallest cluster.
fn iris_cluster(namespace: &str) -> Value {
    json!({
        "apiVersion": "intersystems.com/v1alpha1", "kind": "IrisCluster",
        "metadata": {"name": "small", "namespace": namespace},
        "spec": {"topology": {"data": {"image": "containers.intersystems.com/intersystems/iris:2025.1"}}},
    })
}

/// Whether a rule is about what lies in no namespace.
fn is_wide(rule: &PolicyRule) -> bool {
    let wide = ["namespaces", "selfsubjectrulesreviews", "customresourcedefinitions"];
    let plural = |resource: &str| resource.split('/').next().unwrap_or_default().to_owned();
    rule.resources.iter().flatten().all(|one| wide.contains(&plural(one).as_str()))
}

/// Gives an account the shipped rights in one namespace.
async fn grant_in(plane: &ControlPlane, account: &str, namespace: &str) {
    create_namespace(plane, namespace).await;
    let client = plane.client().await.unwrap();
    let narrow: Vec<_> = shipped().into_iter().filter(|rule| !is_wide(rule)).collect();
    let group = "rbac.authorization.k8s.io";
    let role = json!({
        "apiVersion": format!("{group}/v1"), "kind": "Role", "metadata": {"name": "hub"}, "rules": narrow,
    });
    let binding = json!({
        "apiVersion": format!("{group}/v1"), "kind": "RoleBinding", "metadata": {"name": "hub"},
        "roleRef": {"apiGroup": group, "kind": "Role", "name": "hub"},
        "subjects": [{"kind": "ServiceAccount", "namespace": NAMESPACE, "name": account}],
    });
    let params = PatchParams::apply(FIELD_MANAGER).force();
    let roles: Api<Role> = Api::namespaced(client.clone(), namespace);
    roles.patch("hub", &params, &Patch::Apply(role)).await.unwrap();
    let bindings: Api<RoleBinding> = Api::namespaced(client, namespace);
    bindings.patch("hub", &params, &Patch::Apply(binding)).await.unwrap();
    // The apiserver learns of roles a moment later.
    let user = format!("--as=system:serviceaccount:{NAMESPACE}:{account}");
    eventually(format!("{account} has its role in {namespace}"), SOON, || async {
        let words = ["auth", "can-i", "patch", "pods", "-n", namespace, &user];
        plane.kubectl_ok(&words).await.map_err(|error| error.to_string())
    })
    .await
    .unwrap();
}

/// The hub has done nothing in a namespace since a mark.
fn assert_untouched(plane: &ControlPlane, namespace: &str, mark: AuditMark) {
    let requests = hub_requests(plane, mark).into_iter().filter(|request| request.namespace == namespace);
    assert_eq!(requests.collect::<Vec<_>>(), Vec::new());
}

#[tokio::test]
async fn rights_in_two_namespaces_are_enough_to_work_in_them_and_nowhere_else() {
    let plane = ControlPlane::builder("within").api_only();
    let mut fleet = Fleet::builder("within").work(plane).start().await;
    let plane = &fleet.work[0];
    let wide: Vec<_> = shipped().into_iter().filter(is_wide).collect();
    let text = kubeconfig_with(plane, "wide", &wide).await;
    let account = format!("{}-wide", account(plane));
    for namespace in ["one", "two"] {
        grant_in(plane, &account, namespace).await;
    }
    let secret = Form::native("within", &text);
    let version = secret.clone().annotated(watching(" two, one,one")).put(&fleet).await;
    wait_taken(&fleet, "within", &version).await;
    fleet.wait_condition("within", ("PermissionsVerified", "True", "Sufficient"), SOON).await;
    let (message, _) = fleet.wait_condition("within", ("Synced", "True", "Synced"), SOON).await;
    assert!(message.contains("namespaces one, two only"), "{message}");
    let watches = Metrics::of(fleet.hub()).await;
    let watches = watches.sum("homebase_member_cluster_watches", &["member_cluster=\"within\""]);
    assert_eq!(watches.map(|count| format!("{count}")), Some((2 * WATCHES).to_string()));

    // What is in the third namespace is there before the rest, so that it would be seen first.
    for namespace in ["three", "one", "two"] {
        apply_iris(plane, namespace, "app", 1).await;
        apply(plane, &iris_cluster(namespace)).await;
    }
    let sets = ApiResource::erase::<StatefulSet>(&());
    let mut made = Vec::new();
    for namespace in ["one", "two"] {
        made.push(wait_deployment(plane, (namespace, "app"), 1).await.0);
        wait_object(plane, &sets, (namespace, "small-data"), SOON, |_| Ok(())).await;
    }
    settled(plane).await;
    assert_untouched(plane, "three", AuditMark::default());
    let forbidden: Vec<_> =
        hub_requests(plane, AuditMark::default()).into_iter().filter(|request| request.code == 403).collect();
    assert_eq!(forbidden, Vec::new());
    // A read in another namespace, or in all, would have been refused.
    let user = format!("system:serviceaccount:{NAMESPACE}:{account}");
    let requests = plane.requests().unwrap().into_iter();
    let denied: Vec<_> =
        requests.filter(|event| event.user == user && event.denied_verb().is_some()).collect();
    assert!(denied.is_empty(), "{denied:#?}");

    lacks_rights(&mut fleet, &secret, (&account, &made)).await;
    moves_on(&fleet, &secret, &made).await;
    fleet.assert_invariants().await;
}

/// A namespace without rights, and one that is not there, are named, and stop the work in no other: neither in a new
/// session nor in that of a new hub. Each is worked on when its rights come.
async fn lacks_rights(fleet: &mut Fleet, secret: &Form, (account, made): (&str, &[String])) {
    let mark = settled(&fleet.work[0]).await;
    secret.clone().annotated(watching("one,nowhere,three")).put(fleet).await;
    let missing = ("PermissionsVerified", "False", "Missing");
    let (message, _) = fleet.wait_condition("within", missing, SOON).await;
    assert!(message.contains("pods in namespaces nowhere, three"), "{message}");
    assert!(message.contains("--watch-namespaces"), "{message}");
    fleet.wait_condition("within", ("Ready", "False", "PermissionsMissing"), SOON).await;
    assert_eq!(works(&fleet.work[0], "one", 2).await.0, made[0]);

    fleet.start_hub().await;
    let plane = &fleet.work[0];
    assert_eq!(works(plane, "one", 1).await.0, made[0]);
    let services = ApiResource::erase::<Service>(&());
    let shared = ("one", HEADLESS_SERVICE);
    wait_object(plane, &services, shared, SOON, |_| Ok(())).await;
    let clusters: Api<IrisCluster> = Api::namespaced(plane.client().await.unwrap(), "one");
    clusters.delete("small", &DeleteParams::default()).await.unwrap();
    eventually("the Service that clusters shared goes with the last of them", SOON, || async {
        object(plane, &services, shared.0, shared.1).await.map_or(Ok(()), |_| Err("it is there"))
    })
    .await
    .unwrap();
    let (message, _) = fleet.wait_condition("within", missing, SOON).await;
    assert!(message.contains("pods in namespaces nowhere, three"), "{message}");
    assert_untouched(plane, "three", mark);

    // The other namespace lacks them still.
    grant_in(plane, account, "three").await;
    wait_deployment(plane, ("three", "app"), 1).await;
    let sets = ApiResource::erase::<StatefulSet>(&());
    wait_object(plane, &sets, ("three", "small-data"), SOON, |_| Ok(())).await;
}

/// Another list, while the hub works: what is no longer in it stays as it is, and what is new in it is worked on.
async fn moves_on(fleet: &Fleet, secret: &Form, made: &[String]) {
    let plane = &fleet.work[0];
    let version = secret.clone().annotated(watching("one,three")).put(fleet).await;
    wait_taken(fleet, "within", &version).await;
    works(plane, "three", 2).await;
    let mark = settled(plane).await;
    let left = wait_deployment(plane, ("two", "app"), 1).await;
    assert_eq!(left.0, made[1]);
    apply_iris(plane, "two", "app", 2).await;
    apply_iris(plane, "one", "app", 2).await;
    assert_eq!(wait_deployment(plane, ("one", "app"), 2).await.0, made[0]);
    settled(plane).await;
    assert_untouched(plane, "two", mark);
    assert_eq!(wait_deployment(plane, ("two", "app"), 1).await, left);

    // And back again.
    let version = secret.clone().annotated(watching("one,two,three")).put(fleet).await;
    wait_taken(fleet, "within", &version).await;
    assert_eq!(wait_deployment(plane, ("two", "app"), 2).await.0, left.0);
}

#[tokio::test]
async fn as_many_namespaces_as_there_may_be_and_one_that_comes_later() {
    // An apiserver lets 100 requests stand open on one connection; these are several hundred watches.
    let (fleet, [plane]) = (fleet().await, lease().await);
    let names: Vec<String> = (0..63).map(|number| format!("later-{number:02}")).collect();
    let list = format!("{},later", names.join(","));
    let secret = Form::native("later", &kubeconfig(&plane).await).annotated(watching(&list));
    let version = secret.put(fleet).await;
    wait_taken(fleet, "later", &version).await;
    let watches = Metrics::of(fleet.hub()).await;
    let watches = watches.sum("homebase_member_cluster_watches", &["member_cluster=\"later\""]);
    assert_eq!(watches.map(|count| format!("{count}")), Some((64 * WATCHES).to_string()));
    // None of them exists so far. The last one in the order of their names is watched last.
    for namespace in ["later", "later-62"] {
        works(&plane, namespace, 1).await;
    }
    let (message, _) = fleet.wait_condition("later", ("Synced", "True", "Synced"), SOON).await;
    assert!(message.contains("and 54 more"), "{message}");
    fleet.assert_invariants().await;
}

#[tokio::test]
async fn a_list_with_a_mistake_never_means_more_than_what_is_right_in_it() {
    let (fleet, [plane]) = (fleet().await, lease().await);
    let secret = Form::native("typo", &kubeconfig(&plane).await);
    let version = secret.clone().annotated(watching("typo, Typo-2 ,typo_3")).put(fleet).await;
    wait_taken(fleet, "typo", &version).await;
    let (message, _) = fleet.wait_condition("typo", ("Ready", "True", "AllChecksPassed"), SOON).await;
    assert!(message.contains(annotations::WATCH_NAMESPACES) && message.contains("entry 2, 3"), "{message}");
    apply_iris(&plane, "typo-2", "app", 1).await;
    works(&plane, "typo", 1).await;
    settled(&plane).await;
    assert_untouched(&plane, "typo-2", AuditMark::default());

    for list in ["*", "", &(0..65).map(|number| format!("n{number}")).collect::<Vec<_>>().join(",")] {
        let mark = settled(&plane).await;
        secret.clone().annotated(watching(list)).put(fleet).await;
        let (message, _) =
            fleet.wait_condition("typo", ("Ready", "False", "InvalidRegistration"), SOON).await;
        assert!(message.contains(annotations::WATCH_NAMESPACES), "{message}");
        no_connection(fleet.hub(), &plane).await;
        assert_eq!(connections(fleet.hub(), &plane), 0);
        assert_eq!(hub_requests(&plane, mark), Vec::new());
        let version = secret.clone().annotated(watching("typo")).put(fleet).await;
        wait_taken(fleet, "typo", &version).await;
    }
    assert_untouched(&plane, "typo-2", AuditMark::default());
    fleet.assert_invariants().await;
}

#[tokio::test]
async fn argo_cd_restricts_a_cluster_in_its_own_words() {
    let (fleet, [plane]) = (fleet().await, lease().await);
    remove_crds(&plane).await;
    let text = kubeconfig(&plane).await;
    fleet.keep_tokens_of(&text);
    let config = json!({
        "bearerToken": field(&text, "token"),
        "tlsClientConfig": {"insecure": false, "caData": field(&text, "certificate-authority-data")},
    });
    // Argo CD may not touch what lies in no namespace, so neither does the hub.
    let narrow = argo("narrow", &plane.url(), &config.to_string()).with("namespaces", "narrow-1, narrow-2");
    let mark = plane.audit_mark().unwrap();
    narrow.put(fleet).await;
    fleet.wait_condition("narrow", ("CRDsInstalled", "False", "Forbidden"), SOON).await;
    assert!(hub_requests(&plane, mark).iter().all(|request| request.group == "authorization.k8s.io"));

    let allowed = narrow.with("clusterResources", "true");
    let version = allowed.put(fleet).await;
    wait_taken(fleet, "narrow", &version).await;
    for namespace in ["narrow-3", "narrow-1"] {
        apply_iris(&plane, namespace, "app", 1).await;
    }
    works(&plane, "narrow-2", 1).await;
    wait_deployment(&plane, ("narrow-1", "app"), 1).await;

    // The annotation may narrow it further, and never widen it.
    let version = allowed.clone().annotated(watching("narrow-2,narrow-3")).put(fleet).await;
    wait_taken(fleet, "narrow", &version).await;
    let mark = settled(&plane).await;
    apply_iris(&plane, "narrow-1", "app", 2).await;
    works(&plane, "narrow-2", 2).await;
    allowed.annotated(watching("narrow-3")).put(fleet).await;
    let named = fleet.wait_work_cluster("narrow", SOON, |found| {
        let ready = condition(found, "Ready")?;
        is(&ready, "False", "InvalidRegistration")?;
        let is_named = ready.message.contains(annotations::WATCH_NAMESPACES);
        if is_named && ready.message.contains("key namespaces") { Ok(()) } else { Err(ready.message) }
    });
    named.await;
    assert_untouched(&plane, "narrow-1", mark);
    assert_untouched(&plane, "narrow-3", AuditMark::default());
    let deployments = ApiResource::erase::<k8s_openapi::api::apps::v1::Deployment>(&());
    assert!(object(&plane, &deployments, "narrow-3", "app").await.is_none());
    fleet.assert_invariants().await;
}
