//! The shipped role, changed by tests, and accounts that have it. It must hold no case.

use std::time::Duration;

use homebase_testkit::{ControlPlane, eventually, workspace_root};
use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule};
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;

use crate::support::{FIELD_MANAGER, NAMESPACE, SOON, account};

/// Longer than the suite runs.
const TOKEN_LIFETIME: Duration = Duration::from_secs(3600);

/// The rules of the role as it is shipped.
pub(crate) fn shipped() -> Vec<PolicyRule> {
    let text = std::fs::read_to_string(workspace_root().join("deploy/rbac/work-cluster.yaml")).unwrap();
    let role: ClusterRole = serde_saphyr::from_str(&text).unwrap();
    role.rules.unwrap()
}

/// Makes a role what these rules say.
pub(super) async fn set_role(plane: &ControlPlane, name: &str, rules: &[PolicyRule]) {
    let api: Api<ClusterRole> = Api::all(plane.client().await.unwrap());
    let object = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": {"name": name}, "rules": rules,
    });
    api.patch(name, &PatchParams::apply(FIELD_MANAGER).force(), &Patch::Apply(object)).await.unwrap();
}

/// A kubeconfig of an account that has a role with these rules and nothing else. It is returned when the apiserver
/// knows of the role, so that no answer is that of a moment before.
pub(crate) async fn kubeconfig_with(plane: &ControlPlane, role: &str, rules: &[PolicyRule]) -> String {
    set_role(plane, role, rules).await;
    let account = format!("{}-{role}", account(plane));
    let text =
        plane.kubeconfig_for_service_account(NAMESPACE, &account, Some(role), TOKEN_LIFETIME).await.unwrap();
    let user = format!("--as=system:serviceaccount:{NAMESPACE}:{account}");
    eventually(format!("{account} has its role"), SOON, || async {
        let arguments = ["auth", "can-i", "get", "namespaces/kube-system", &user];
        plane.kubectl_ok(&arguments).await.map_err(|error| error.to_string())
    })
    .await
    .unwrap();
    text
}

/// A rule in the words of the hub.
pub(super) fn words(rule: &PolicyRule) -> String {
    let first =
        |list: &Option<Vec<String>>| list.clone().unwrap_or_default().first().cloned().unwrap_or_default();
    let (group, resource) = (first(&rule.api_groups), first(&rule.resources));
    let (plural, part) =
        resource.split_once('/').map_or((&*resource, None), |(plural, part)| (plural, Some(part)));
    let mut target = plural.to_owned();
    if !group.is_empty() {
        target = format!("{target}.{group}");
    }
    if let Some(part) = part {
        target = format!("{target}/{part}");
    }
    for name in rule.resource_names.iter().flatten() {
        target = format!("{target} {name}");
    }
    format!("{} {target}", rule.verbs.join(","))
}
