//! The rights of accounts in tests: those that are shipped, or what a test makes of them. It must hold no case.

use homebase_testkit::{ControlPlane, HubRights, workspace_root};
use k8s_openapi::api::authorization::v1::ResourceAttributes;
use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule};
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;

use super::registration::TOKEN_LIFETIME;
use super::{FIELD_MANAGER, NAMESPACE, account};

/// The rules of the role for work clusters as it is shipped.
pub(crate) fn shipped() -> Vec<PolicyRule> {
    let text = std::fs::read_to_string(workspace_root().join("deploy/rbac/work-cluster.yaml")).unwrap();
    let role: ClusterRole = serde_saphyr::from_str(&text).unwrap();
    role.rules.unwrap()
}

/// The same without those about a resource.
pub(crate) fn shipped_without(resource: &str) -> Vec<PolicyRule> {
    let is_about = |rule: &PolicyRule| rule.resources.iter().flatten().any(|one| one == resource);
    shipped().into_iter().filter(|rule| !is_about(rule)).collect()
}

/// Makes a role what these rules say.
pub(crate) async fn set_role(plane: &ControlPlane, name: &str, rules: &[PolicyRule]) {
    let api: Api<ClusterRole> = Api::all(plane.client().await.unwrap());
    let object = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": {"name": name}, "rules": rules,
    });
    api.patch(name, &PatchParams::apply(FIELD_MANAGER).force(), &Patch::Apply(object)).await.unwrap();
}

/// A kubeconfig of an account that has a role with these rules and nothing else. It is returned when the apiserver
/// knows of the role, so that no answer is that of a moment before. Its requests may be refused: its name says that it
/// is not the account with the shipped rights.
pub(crate) async fn kubeconfig_with(plane: &ControlPlane, role: &str, rules: &[PolicyRule]) -> String {
    set_role(plane, role, rules).await;
    let account = format!("{}-{role}", account(plane));
    let text =
        plane.kubeconfig_for_service_account(NAMESPACE, &account, Some(role), TOKEN_LIFETIME).await.unwrap();
    let first = |list: &Option<Vec<String>>| list.as_ref().and_then(|list| list.first()).cloned();
    let right = ResourceAttributes {
        verb: rules[0].verbs.first().cloned(),
        group: first(&rules[0].api_groups),
        resource: first(&rules[0].resources),
        name: first(&rules[0].resource_names),
        ..ResourceAttributes::default()
    };
    plane.wait_allowed(NAMESPACE, &account, right).await.unwrap();
    text
}
