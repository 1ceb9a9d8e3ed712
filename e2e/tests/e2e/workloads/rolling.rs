//! Changes that reach pods by a restart, and those whose restart is left to the user. It must not test the order of the
//! members of a mirror.

use serde_json::{Value, json};

use super::fixture::{CLUSTER, Case, single, text, uid};
use super::storage::sized;

const POD: &str = "iris-data-0";

fn container(pod: &Value) -> &Value {
    &pod["spec"]["containers"][0]
}

#[tokio::test]
async fn an_image_and_resources_reach_the_pods_on_the_same_volumes() {
    let case = Case::begin("rolling").await;
    case.apply(CLUSTER, "iris", &single()).await;
    case.until_ready(CLUSTER, "iris").await;
    let claims = case.uids("PersistentVolumeClaim", "").await;
    let set = uid(&case.get("StatefulSet", "iris-data").await.unwrap());
    let mut cluster = single();
    let data = &mut cluster["spec"]["topology"]["data"];
    data["image"] = "containers.intersystems.com/intersystems/iris:2025.2".into();
    let mut resources = cluster.clone();
    let limits = json!({"limits": {"memory": "4Gi"}});
    resources["spec"]["topology"]["data"]["podTemplate"] = json!({"spec": {"resources": limits}});
    for (spec, pointer, expected) in [
        (cluster, "/image", "containers.intersystems.com/intersystems/iris:2025.2"),
        (resources, "/resources/limits/memory", "4Gi"),
    ] {
        let old = uid(&case.get("Pod", POD).await.unwrap());
        case.apply(CLUSTER, "iris", &spec).await;
        let pod = case.until_replaced("Pod", POD, &old).await;
        assert_eq!(text(container(&pod), pointer), expected);
        case.until_ready(CLUSTER, "iris").await;
    }
    assert_eq!(uid(&case.get("StatefulSet", "iris-data").await.unwrap()), set, "updated in place");
    assert_eq!(case.uids("PersistentVolumeClaim", "").await, claims);
    case.end().await;
}

#[tokio::test]
async fn on_delete_leaves_the_restart_to_the_user_even_where_volumes_grow() {
    let case = Case::begin("on-delete").await;
    let mut cluster = sized(single(), "1Gi");
    cluster["spec"]["updateStrategy"] = json!({"type": "OnDelete"});
    case.apply(CLUSTER, "iris", &cluster).await;
    case.until_ready(CLUSTER, "iris").await;
    let (pod, claims) =
        (uid(&case.get("Pod", POD).await.unwrap()), case.uids("PersistentVolumeClaim", "").await);
    let set = uid(&case.get("StatefulSet", "iris-data").await.unwrap());
    let mut larger = sized(cluster, "2Gi");
    larger["spec"]["topology"]["data"]["image"] =
        "containers.intersystems.com/intersystems/iris:2025.2".into();
    case.apply(CLUSTER, "iris", &larger).await;
    case.until_replaced("StatefulSet", "iris-data", &set).await;
    case.until_ready(CLUSTER, "iris").await;
    case.until_storage("iris", "AllBound").await;
    case.assert_quiet().await;
    assert_eq!(uid(&case.get("Pod", POD).await.unwrap()), pod);
    case.delete("Pod", POD).await;
    let new = case.until_replaced("Pod", POD, &pod).await;
    assert_eq!(text(container(&new), "/image"), "containers.intersystems.com/intersystems/iris:2025.2");
    case.until_ready(CLUSTER, "iris").await;
    assert_eq!(case.uids("PersistentVolumeClaim", "").await, claims);
    case.end().await;
}
