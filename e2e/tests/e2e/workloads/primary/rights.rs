//! A cluster that does not let the hub ask: a warning, and nothing else.

use homebase_testkit::ControlPlane;
use kube::api::ApiResource;

use super::*;
use crate::support::{
    CLUSTER_READY, Fleet, apply, create_namespace, kubeconfig_with, set_role, shipped, shipped_without,
    wait_object,
};

const ROLE_NAME: &str = "not-asking";
const NAMESPACE: &str = "primary-rights";
/// The hub asks a cluster again a minute after it was forbidden to.
const ASKED_AGAIN: Duration = Duration::from_secs(120);

#[tokio::test]
async fn a_missing_right_is_told_and_stops_nothing() {
    let plane = ControlPlane::builder("asking").zones(["boston"]).pod_proxy(pod_network().socket());
    let fleet = Fleet::builder("asking").work(plane).start().await;
    let plane = &fleet.work[0];
    let kubeconfig = kubeconfig_with(plane, ROLE_NAME, &shipped_without("pods/proxy")).await;
    fleet.register_as("asking", kubeconfig).await;
    let missing = ("PermissionsVerified", "False", "Missing");
    let (message, _) = fleet.wait_condition("asking", missing, CLUSTER_READY).await;
    assert!(message.contains("get pods/proxy"), "{message}");
    fleet.wait_cluster_ready("asking").await;

    create_namespace(plane, NAMESPACE).await;
    for (pod, behaviour) in [(PODS[0], other()), (PODS[1], primary())] {
        pod_network().set(format!("{NAMESPACE}/{pod}"), behaviour);
    }
    let mut cluster = mirrored();
    cluster["apiVersion"] = "intersystems.com/v1alpha1".into();
    cluster["kind"] = CLUSTER.into();
    cluster["metadata"] = json!({"name": "iris", "namespace": NAMESPACE});
    apply(plane, &cluster).await;
    let kind = ApiResource::erase::<homebase_api::IrisCluster>(&());
    wait_object(plane, &kind, (NAMESPACE, "iris"), CLUSTER_READY, |found| {
        let ready = condition(&serde_json::to_value(found).unwrap(), "Ready");
        let message = ready["message"].as_str().unwrap_or_default();
        let is_told = ready["status"] == "True" && message.contains("resources [\"pods/proxy\"]");
        if is_told { Ok(()) } else { Err(ready.to_string()) }
    })
    .await;

    // Granting it is enough.
    set_role(plane, ROLE_NAME, &shipped()).await;
    let kind = ApiResource::erase::<k8s_openapi::api::core::v1::Pod>(&());
    wait_object(plane, &kind, (NAMESPACE, PODS[1]), ASKED_AGAIN, |found| {
        let role = found.metadata.labels.as_ref().and_then(|labels| labels.get(ROLE).cloned());
        if role.as_deref() == Some("primary") { Ok(()) } else { Err(format!("{role:?}")) }
    })
    .await;
    fleet.assert_invariants().await;
}
