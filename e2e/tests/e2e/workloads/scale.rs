//! The number of compute nodes: by hand, to zero and to many, and by an autoscaler that knows nothing but the `scale`
//! subresource.

use serde_json::{Value, json};

use super::fixture::{CLUSTER, Case, IMAGE, single, text, uid, with_compute};

async fn scaled(case: &Case, replicas: usize) -> Value {
    case.kubectl(&["scale", "iriscluster", "iris", &format!("--replicas={replicas}")]).await;
    until_compute(case, replicas).await
}

async fn until_compute(case: &Case, replicas: usize) -> Value {
    case.until(CLUSTER, "iris", |cluster| {
        let pods = text(cluster, "/status/nodes/compute/pods");
        let wanted = format!("{replicas}/{replicas}");
        if pods == wanted { Ok(()) } else { Err(pods) }
    })
    .await;
    case.until_ready(CLUSTER, "iris").await
}

#[tokio::test]
async fn compute_goes_to_128_and_back() {
    let case = Case::begin("scale-128").await;
    case.apply(CLUSTER, "iris", &with_compute(single(), 1)).await;
    case.until_ready(CLUSTER, "iris").await;
    let (set, data) =
        (case.uids("StatefulSet", "").await, uid(&case.get("Pod", "iris-data-0").await.unwrap()));
    for replicas in [128, 1] {
        let ready = scaled(&case, replicas).await;
        assert_eq!(ready["status"]["computeReplicas"], replicas);
        assert_eq!(case.names("Pod", "intersystems.com/component=compute").await.len(), replicas);
    }
    assert_eq!(case.uids("StatefulSet", "").await, set);
    assert_eq!(uid(&case.get("Pod", "iris-data-0").await.unwrap()), data);
    case.assert_quiet().await;
    case.end().await;
}

#[tokio::test]
async fn compute_goes_to_zero_and_comes_back_on_its_volumes() {
    let case = Case::begin("scale-zero").await;
    let mut cluster = single();
    cluster["spec"]["topology"]["compute"] = json!({"image": IMAGE, "replicas": 3});
    case.apply(CLUSTER, "iris", &cluster).await;
    case.until_ready(CLUSTER, "iris").await;
    let claims = case.uids("PersistentVolumeClaim", "").await;
    assert_eq!(claims.len(), 16);
    for replicas in [0, 3] {
        scaled(&case, replicas).await;
        case.until_storage("iris", "AllBound").await;
        assert_eq!(case.uids("PersistentVolumeClaim", "").await, claims);
    }
    let pod = case.get("Pod", "iris-compute-2").await.unwrap();
    let volumes = pod["spec"]["volumes"].as_array().unwrap();
    let claim = |volume: &Value| text(volume, "/persistentVolumeClaim/claimName");
    assert!(volumes.iter().any(|volume| claim(volume) == "iris-data-iris-compute-2"), "{volumes:?}");
    case.end().await;
}

#[tokio::test]
async fn an_autoscaler_that_points_at_the_cluster_is_followed() {
    let case = Case::begin("scale-hpa").await;
    case.apply(CLUSTER, "iris", &with_compute(single(), 2)).await;
    case.until_ready(CLUSTER, "iris").await;
    // Without a source of metrics it still keeps to its bounds.
    let autoscaler = |min: u32, max: u32| {
        let target =
            json!({"apiVersion": "intersystems.com/v1alpha1", "kind": "IrisCluster", "name": "iris"});
        let cpu = json!({"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}});
        let metrics = json!([{"type": "Resource", "resource": cpu}]);
        json!({"spec": {"scaleTargetRef": target, "minReplicas": min, "maxReplicas": max, "metrics": metrics}})
    };
    for (min, max, expected) in [(4, 6, 4), (1, 3, 3)] {
        case.apply("HorizontalPodAutoscaler", "iris", &autoscaler(min, max)).await;
        until_compute(&case, expected).await;
        let cluster = case.get(CLUSTER, "iris").await.unwrap();
        assert_eq!(cluster["spec"]["topology"]["compute"]["replicas"], expected, "written by the autoscaler");
    }
    case.assert_quiet().await;
    case.end().await;
}
