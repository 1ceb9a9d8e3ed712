//! The hub with exactly the shipped rights through everything that it does on a cluster: no request is refused.

use homebase_api::{Iris, IrisCluster};
use homebase_testkit::{AuditMark, ControlPlane, eventually, workspace_root};
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use kube::api::{Api, ApiResource, DeleteParams};
use serde_json::{Value, json};

use crate::support::{
    CLUSTER_READY, Fleet, OBJECT_READY, apply, condition, create_namespace, events, hub_requests, kubeconfig,
    object, wait_ready,
};

const SPACE: &str = "with-least-rights";

fn sample(file: &str) -> Value {
    let text = std::fs::read_to_string(workspace_root().join("deploy/samples").join(file)).unwrap();
    let mut manifest: Value = serde_saphyr::from_str(&text).unwrap();
    manifest["metadata"]["namespace"] = json!(SPACE);
    manifest
}

async fn wait_gone(plane: &ControlPlane, kind: &ApiResource, name: &str) {
    eventually(format!("{} {name} is gone", kind.kind), OBJECT_READY, || async {
        object(plane, kind, SPACE, name).await.map_or(Ok(()), |_| Err("it is there".to_owned()))
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn the_shipped_role_is_enough_for_everything() {
    let plane = ControlPlane::builder("least").zones(["a-zone"]);
    let fleet = Fleet::builder("least").work(plane).start().await;
    let plane = &fleet.work[0];
    fleet.register_as("least", kubeconfig(plane).await).await;
    let sufficient = ("PermissionsVerified", "True", "Sufficient");
    fleet.wait_condition("least", sufficient, CLUSTER_READY).await;
    fleet.wait_cluster_ready("least").await;
    make(plane).await;
    change(plane).await;
    remove(plane).await;

    let requests = hub_requests(plane, AuditMark::default());
    let seen: Vec<_> =
        requests.iter().map(|request| (request.verb.as_str(), request.resource.as_str())).collect();
    for expected in [("delete", "deployments"), ("delete", "statefulsets"), ("delete", "services")] {
        assert!(seen.contains(&expected), "it has not been tried: {expected:?}");
    }
    // That no request was refused, no read either, is an invariant.
    let log = fleet.hub().log_text();
    let line = log.lines().find(|line| line.to_lowercase().contains("forbidden"));
    assert_eq!(line, None);
    let now = condition(&fleet.work_cluster("least").await.unwrap(), sufficient.0).unwrap();
    assert_eq!((&*now.status, &*now.reason), (sufficient.1, sufficient.2), "{}", now.message);
    fleet.assert_invariants().await;
}

async fn make(plane: &ControlPlane) {
    create_namespace(plane, SPACE).await;
    apply(plane, &sample("iris.yaml")).await;
    apply(plane, &sample("iriscluster-mirrored.yaml")).await;
    wait_ready(plane, &ApiResource::erase::<Iris>(&()), (SPACE, "iris"), OBJECT_READY).await;
    wait_ready(plane, &ApiResource::erase::<IrisCluster>(&()), (SPACE, "sample"), OBJECT_READY).await;
    assert!(!events(plane, SPACE, "iris").await.is_empty());
}

/// Another Deployment, and no compute nodes any more.
async fn change(plane: &ControlPlane) {
    let mut iris = sample("iris.yaml");
    iris["spec"]["deploymentName"] = json!("renamed");
    apply(plane, &iris).await;
    let mut cluster = sample("iriscluster-mirrored.yaml");
    cluster["spec"]["topology"].as_object_mut().unwrap().remove("compute").unwrap();
    apply(plane, &cluster).await;
    wait_gone(plane, &ApiResource::erase::<Deployment>(&()), "iris").await;
    wait_gone(plane, &ApiResource::erase::<StatefulSet>(&()), "sample-compute").await;
    wait_gone(plane, &ApiResource::erase::<ConfigMap>(&()), "sample-compute").await;
    wait_ready(plane, &ApiResource::erase::<Iris>(&()), (SPACE, "iris"), OBJECT_READY).await;
    wait_ready(plane, &ApiResource::erase::<IrisCluster>(&()), (SPACE, "sample"), OBJECT_READY).await;
}

/// The last cluster of the namespace takes the shared Service with it.
async fn remove(plane: &ControlPlane) {
    let clusters: Api<IrisCluster> = Api::namespaced(plane.client().await.unwrap(), SPACE);
    clusters.delete("sample", &DeleteParams::default()).await.unwrap();
    wait_gone(plane, &ApiResource::erase::<Service>(&()), "iris-svc").await;
}
