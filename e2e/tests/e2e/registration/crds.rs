//! What a registration allows the hub to do about the CRDs of its cluster. It must not look into a CRD.

use homebase_api::{annotations, labels, remote_crds};
use homebase_testkit::{AuditEvent, AuditMark, ControlPlane, eventually};
use k8s_openapi::api::rbac::v1::PolicyRule;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;
use std::time::Duration;

use super::secrets::{Form, wait_taken, works};
use crate::fleet::pool::{fleet, lease, remove_crds};
use crate::support::{FIELD_MANAGER, SOON, hub_requests, kubeconfig, kubeconfig_with, shipped};

/// Between two tries of what has to be mended, at most; and some for the try.
const MENDED: Duration = Duration::from_secs(75);

/// The CRDs without the label that says whose they are.
async fn install_foreign(plane: &ControlPlane) {
    let api: Api<CustomResourceDefinition> = Api::all(plane.client().await.unwrap());
    for mut crd in remote_crds() {
        crd.metadata.labels = None;
        let name = crd.metadata.name.clone().unwrap();
        let params = PatchParams::apply(FIELD_MANAGER).force();
        api.patch(&name, &params, &Patch::Apply(&crd)).await.unwrap();
    }
}

/// The shipped rights without those on CRDs.
fn without_crds() -> Vec<PolicyRule> {
    let group = "apiextensions.k8s.io".to_owned();
    shipped().into_iter().filter(|rule| !rule.api_groups.iter().flatten().any(|one| *one == group)).collect()
}

/// Who the CRDs belong to by their label.
async fn owners(plane: &ControlPlane) -> Vec<Option<String>> {
    let api: Api<CustomResourceDefinition> = Api::all(plane.client().await.unwrap());
    let mut owners = Vec::new();
    for crd in remote_crds() {
        let found = api.get(crd.metadata.name.as_deref().unwrap()).await.unwrap();
        owners.push(found.metadata.labels.unwrap_or_default().remove(labels::MANAGED_BY));
    }
    owners
}

/// Writes of CRDs by the hub, whatever the answer.
fn crd_writes(plane: &ControlPlane, mark: AuditMark) -> Vec<AuditEvent> {
    let mut requests = hub_requests(plane, mark);
    requests.retain(|request| request.resource == "customresourcedefinitions");
    requests
}

#[tokio::test]
async fn never_is_to_write_no_crd() {
    let (fleet, [plane]) = (fleet().await, lease().await);
    remove_crds(&plane).await;
    let never = json!({annotations::CRD_POLICY: "Never"});
    // Rights on CRDs are nothing that is missing then.
    let secret = Form::native("never", &kubeconfig_with(&plane, "never", &without_crds()).await);
    let mark = plane.audit_mark().unwrap();
    secret.clone().annotated(never).put(fleet).await;
    let missing = ("CRDsInstalled", "False", "Forbidden");
    let (message, _) = fleet.wait_condition("never", missing, SOON).await;
    assert!(message.contains("Never"), "{message}");
    fleet.wait_condition("never", ("Ready", "False", "CRDsNotInstalled"), SOON).await;
    fleet.wait_condition("never", ("PermissionsVerified", "True", "Sufficient"), SOON).await;
    assert!(hub_requests(&plane, mark).iter().all(|request| request.group == "authorization.k8s.io"));

    // Whose they are does not matter as long as they are there. A changed annotation has the hub look at once; what
    // it cannot read as a policy is the one that does least.
    install_foreign(&plane).await;
    let version = secret.annotated(json!({annotations::CRD_POLICY: "never"})).put(fleet).await;
    wait_taken(fleet, "never", &version).await;
    let (message, _) = fleet.wait_condition("never", ("Ready", "True", "AllChecksPassed"), SOON).await;
    assert!(message.contains(annotations::CRD_POLICY), "{message}");
    works(&plane, "never", 1).await;
    fleet.wait_condition("never", ("PermissionsVerified", "True", "Sufficient"), SOON).await;
    assert_eq!(crd_writes(&plane, mark), Vec::new());
    assert_eq!(owners(&plane).await, [None, None]);
    fleet.assert_invariants().await;
}

#[tokio::test]
async fn crds_of_somebody_else_are_taken_over_only_when_asked() {
    let (fleet, [plane]) = (fleet().await, lease().await);
    remove_crds(&plane).await;
    install_foreign(&plane).await;
    let secret = Form::native("adopt", &kubeconfig(&plane).await);
    let mark = plane.audit_mark().unwrap();
    secret.put(fleet).await;
    let (message, _) = fleet.wait_condition("adopt", ("CRDsInstalled", "False", "ForeignOwner"), SOON).await;
    assert!(message.contains(labels::MANAGED_BY) && message.contains("crd-policy=Adopt"), "{message}");
    fleet.wait_condition("adopt", ("Ready", "False", "CRDsNotInstalled"), SOON).await;
    assert_eq!(crd_writes(&plane, mark), Vec::new());
    assert_eq!(owners(&plane).await, [None, None]);

    let version = secret.annotated(json!({annotations::CRD_POLICY: "Adopt"})).put(fleet).await;
    wait_taken(fleet, "adopt", &version).await;
    works(&plane, "adopt", 1).await;
    let homebase = || Some(labels::MANAGED_BY_HOMEBASE.to_owned());
    assert_eq!(owners(&plane).await, [homebase(), homebase()]);
    fleet.assert_invariants().await;
}

#[tokio::test]
async fn no_rights_on_crds_are_needed_where_they_are() {
    let (fleet, [plane]) = (fleet().await, lease().await);
    install_foreign(&plane).await;
    let limited = kubeconfig_with(&plane, "all-but-crds", &without_crds()).await;

    let mark = plane.audit_mark().unwrap();
    Form::native("served", &limited).put(fleet).await;
    fleet.wait_cluster_ready("served").await;
    works(&plane, "served", 1).await;
    assert_eq!(crd_writes(&plane, mark), Vec::new());
    fleet.assert_invariants().await;
}

#[tokio::test]
async fn crds_that_somebody_deletes_are_installed_again() {
    let (fleet, [plane]) = (fleet().await, lease().await);
    Form::native("uninstalled", &kubeconfig(&plane).await).put(fleet).await;
    fleet.wait_cluster_ready("uninstalled").await;
    let api: Api<CustomResourceDefinition> = Api::all(plane.client().await.unwrap());
    let before: Vec<_> = uids(&api).await.into_iter().flatten().collect();
    assert_eq!(before.len(), remote_crds().len());
    let names: Vec<_> = remote_crds().into_iter().filter_map(|crd| crd.metadata.name).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    plane.kubectl_ok(&[&["delete", "crd", "--wait=false"], &names[..]].concat()).await.unwrap();
    eventually("new CRDs are there", MENDED, || async {
        let after: Vec<_> = uids(&api).await.into_iter().flatten().collect();
        let is_new = after.len() == before.len() && after.iter().all(|uid| !before.contains(uid));
        if is_new { Ok(()) } else { Err(format!("{after:?} after {before:?}")) }
    })
    .await
    .unwrap();
    fleet.wait_cluster_ready("uninstalled").await;
    works(&plane, "uninstalled", 1).await;
    fleet.assert_invariants().await;
}

async fn uids(api: &Api<CustomResourceDefinition>) -> Vec<Option<String>> {
    let mut uids = Vec::new();
    for crd in remote_crds() {
        let found = api.get_opt(crd.metadata.name.as_deref().unwrap()).await.unwrap();
        uids.push(found.and_then(|found| found.metadata.uid));
    }
    uids
}
