//! Rights that are missing or too many are named, and granting what is missing is enough.

use std::time::{Duration, Instant};

use homebase_testkit::ControlPlane;
use k8s_openapi::api::rbac::v1::{PolicyRule, RoleBinding};
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use serde_json::json;

use super::role::words;
use crate::support::{
    CLUSTER_READY, FIELD_MANAGER, Fleet, NAMESPACE, SOON, account, condition, is, kubeconfig_with, set_role,
    shipped, shipped_without,
};

/// Two looks at the rights while some are missing (30 s), a probe (10 s), and some for the rest.
const NOTICED: Duration = Duration::from_secs(60);
/// What every account may do, whatever its roles.
const EVERYBODY: [&str; 1] = ["selfsubjectrulesreviews"];
/// Without these, resources are operated all the same.
const WORK_GOES_ON: [&str; 9] = [
    "create,patch events",
    "/finalizers",
    "customresourcedefinitions",
    "watch nodes",
    "mutatingadmission",
    "validatingadmission",
    "pods/proxy",
    "pods/eviction",
    "persistentvolumeclaims",
];

fn is_about(rule: &PolicyRule, resource: &str) -> bool {
    rule.resources.iter().flatten().any(|one| one == resource)
}

async fn named(fleet: &Fleet, cluster: &str, expected: &str, ready: (&str, &str)) {
    fleet
        .wait_work_cluster(cluster, SOON, |found| {
            let permissions = condition(found, "PermissionsVerified")?;
            is(&permissions, "False", "Missing")?;
            let is_named = permissions.message.starts_with(&format!("missing: {expected}. "));
            if !is_named {
                return Err(permissions.message);
            }
            is(&condition(found, "Ready")?, ready.0, ready.1)
        })
        .await;
}

#[tokio::test]
async fn what_is_missing_or_too_much_is_named() {
    let plane = ControlPlane::builder("rights").api_only();
    let fleet = Fleet::builder("rights").work(plane).start().await;
    let plane = &fleet.work[0];
    cluster_admin(&fleet, plane).await;
    more_than_needed(&fleet, plane).await;
    fewer_are_no_rotation(&fleet, plane).await;
    each_missing_rule(&fleet, plane).await;
    only_in_one_namespace(&fleet, plane).await;
    granted_later(&fleet, plane).await;
    fleet.assert_invariants().await;
}

async fn cluster_admin(fleet: &Fleet, plane: &ControlPlane) {
    let all = || Some(vec!["*".to_owned()]);
    let everything = PolicyRule {
        api_groups: all(),
        resources: all(),
        verbs: vec!["*".to_owned()],
        ..PolicyRule::default()
    };
    let kubeconfig = kubeconfig_with(plane, "everything", &[everything]).await;
    let start = Instant::now();
    fleet.register_as("rights", kubeconfig).await;
    let excessive = ("PermissionsVerified", "True", "Excessive");
    let (message, _) = fleet.wait_condition("rights", excessive, CLUSTER_READY).await;
    eprintln!("figure: Secret to PermissionsVerified: {:?}", start.elapsed());
    assert!(message.contains("every verb on every resource (cluster-admin)"), "{message}");
    fleet.wait_cluster_ready("rights").await;
}

async fn more_than_needed(fleet: &Fleet, plane: &ControlPlane) {
    let more = |group: &str, resource: &str, verb: &str| PolicyRule {
        api_groups: Some(vec![group.to_owned()]),
        resources: Some(vec![resource.to_owned()]),
        verbs: vec![verb.to_owned()],
        ..PolicyRule::default()
    };
    let mut rules = shipped();
    rules.extend([
        more("", "*", "list"),
        more("*", "clusterroles", "escalate"),
        more("", "persistentvolumeclaims", "*"),
        more("", "nodes", "get"),
    ]);
    fleet.register_as("rights", kubeconfig_with(plane, "more", &rules).await).await;
    let expected = ": list secrets; escalate clusterroles.rbac.authorization.k8s.io; delete,deletecollection \
                    persistentvolumeclaims";
    fleet
        .wait_work_cluster("rights", SOON, |found| {
            let permissions = condition(found, "PermissionsVerified")?;
            is(&permissions, "True", "Excessive")?;
            if permissions.message.ends_with(expected) { Ok(()) } else { Err(permissions.message) }
        })
        .await;
    fleet.wait_cluster_ready("rights").await;
}

/// A session that has what it needs keeps it: credentials with fewer rights do not take over.
async fn fewer_are_no_rotation(fleet: &Fleet, plane: &ControlPlane) {
    let fewer = shipped_without("statefulsets");
    fleet.register_as("rights", kubeconfig_with(plane, "fewer", &fewer).await).await;
    let rejected = ("CredentialsValid", "False", "RotationRejected");
    let (message, _) = fleet.wait_condition("rights", rejected, SOON).await;
    assert!(message.contains("statefulsets"), "{message}");
    let found = fleet.work_cluster("rights").await.unwrap();
    is(&condition(&found, "Ready").unwrap(), "True", "AllChecksPassed").unwrap();
}

/// Registers the cluster anew: a session that runs would not exchange its kubeconfig for one with fewer rights.
async fn anew(fleet: &Fleet, kubeconfig: String) {
    fleet.registrations().await.delete("rights-kubeconfig", &DeleteParams::default()).await.unwrap();
    fleet.register_as("rights", kubeconfig).await;
}

async fn each_missing_rule(fleet: &Fleet, plane: &ControlPlane) {
    let rules = shipped();
    let mut named_rules = 0;
    for index in 0..rules.len() {
        let rule = &rules[index];
        // Without its identity no cluster is asked for anything else, which other tests show.
        let is_probe = is_about(rule, "namespaces");
        let is_everybodys = EVERYBODY.iter().any(|one| is_about(rule, one)) || rule.resources.is_none();
        if is_probe || is_everybodys {
            continue;
        }
        let mut fewer = rules.clone();
        fewer.remove(index);
        let text = kubeconfig_with(plane, &format!("without-{index}"), &fewer).await;
        anew(fleet, text).await;
        let expected = words(rule);
        let goes_on = WORK_GOES_ON.iter().any(|one| expected.contains(one));
        let ready = if goes_on { ("True", "AllChecksPassed") } else { ("False", "PermissionsMissing") };
        named(fleet, "rights", &expected, ready).await;
        named_rules += 1;
    }
    assert!(named_rules > 10, "{named_rules}");
}

/// A `RoleBinding` in `default` is an easy mistake and no right in all namespaces.
async fn only_in_one_namespace(fleet: &Fleet, plane: &ControlPlane) {
    let rules = shipped();
    let (pods, others): (Vec<_>, Vec<_>) = rules.iter().cloned().partition(|rule| is_about(rule, "pods"));
    set_role(plane, "pods", &pods).await;
    let bindings: Api<RoleBinding> = Api::namespaced(plane.client().await.unwrap(), "default");
    let object = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "pods"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "pods"},
        "subjects": [{
            "kind": "ServiceAccount", "namespace": NAMESPACE, "name": format!("{}-others", account(plane)),
        }],
    });
    bindings.patch("pods", &PatchParams::apply(FIELD_MANAGER), &Patch::Apply(object)).await.unwrap();
    anew(fleet, kubeconfig_with(plane, "others", &others).await).await;
    named(fleet, "rights", &words(&pods[0]), ("False", "PermissionsMissing")).await;
}

/// The account of the case before gets what it lacks, and nobody touches the registration.
async fn granted_later(fleet: &Fleet, plane: &ControlPlane) {
    set_role(plane, "others", &shipped()).await;
    let sufficient = ("PermissionsVerified", "True", "Sufficient");
    let (_, took) = fleet.wait_condition("rights", sufficient, NOTICED).await;
    eprintln!("figure: missing rights granted to PermissionsVerified: {took:?}");
    fleet.wait_cluster_ready("rights").await;
}
