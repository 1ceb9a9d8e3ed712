//! An account that was granted its rights before the hub looked at claims: work goes on, it is said what is not known, and
//! granting the right is enough.

use homebase_api::IrisCluster;
use homebase_testkit::ControlPlane;
use kube::api::{ApiResource, DynamicObject};
use serde_json::{Value, json};

use crate::support::{
    CLUSTER_READY, Fleet, OBJECT_READY, apply, create_namespace, is, kubeconfig_with, object, set_role,
    shipped, shipped_without, wait_object,
};

const PLACE: (&str, &str) = ("older", "iris");

fn cluster(size: &str) -> Value {
    let storage = json!({"resources": {"requests": {"storage": size}}});
    json!({
        "apiVersion": "intersystems.com/v1alpha1", "kind": "IrisCluster",
        "metadata": {"namespace": PLACE.0, "name": PLACE.1},
        "spec": {"topology": {"data": {"image": "iris:2025.1", "storageDB": storage}}},
    })
}

/// Waits until two conditions speak of the present spec and have this status and reason.
async fn until(plane: &ControlPlane, ready: (&str, &str), storage: (&str, &str)) -> DynamicObject {
    let kind = ApiResource::erase::<IrisCluster>(&());
    wait_object(plane, &kind, PLACE, OBJECT_READY, |found| {
        let conditions = found.data["status"]["conditions"].as_array().cloned().unwrap_or_default();
        for (name, wanted) in [("Ready", ready), ("StorageReady", storage)] {
            let condition = conditions.iter().find(|one| one["type"] == name).cloned().unwrap_or_default();
            let is_current = condition["observedGeneration"] == json!(found.metadata.generation);
            if !is_current || (condition["status"] != wanted.0) || (condition["reason"] != wanted.1) {
                return Err(condition.to_string());
            }
        }
        Ok(found.clone())
    })
    .await
}

#[tokio::test]
async fn without_the_right_to_read_claims_work_goes_on_and_nothing_is_made_anew() {
    let plane = ControlPlane::builder("no-claims").zones(["zone"]);
    let fleet = Fleet::builder("no-claims").work(plane).start().await;
    let plane = &fleet.work[0];
    create_namespace(plane, PLACE.0).await;
    let kubeconfig = kubeconfig_with(plane, "older", &shipped_without("persistentvolumeclaims")).await;
    fleet.register_as("no-claims", kubeconfig).await;
    fleet.wait_cluster_ready("no-claims").await;
    fleet
        .wait_work_cluster("no-claims", CLUSTER_READY, |found| {
            is(&crate::support::condition(found, "PermissionsVerified")?, "False", "Missing")
        })
        .await;

    apply(plane, &cluster("1Gi")).await;
    until(plane, ("True", "AllNodesReady"), ("Unknown", "ClaimsUnknown")).await;
    apply(plane, &cluster("2Gi")).await;
    let told = until(plane, ("False", "NodesNotReady"), ("Unknown", "ClaimsUnknown")).await;
    let waiting = told.data["status"]["waiting"][0].as_str().unwrap_or_default().to_owned();
    assert!(waiting.ends_with("the claims of its pods cannot be read: see StorageReady"), "{waiting}");

    set_role(plane, "older", &shipped()).await;
    until(plane, ("True", "AllNodesReady"), ("True", "AllBound")).await;
    let set = ApiResource::erase::<k8s_openapi::api::apps::v1::StatefulSet>(&());
    let set = object(plane, &set, PLACE.0, "iris-data").await.unwrap();
    let size = set.data.pointer("/spec/volumeClaimTemplates/0/spec/resources/requests/storage").unwrap();
    assert_eq!(size, "2Gi");
    fleet.assert_invariants().await;
}
