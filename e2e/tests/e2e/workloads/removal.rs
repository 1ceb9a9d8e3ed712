//! Removing a node group, and removing a whole cluster: pods end, volumes stay.

use std::collections::BTreeMap;

use serde_json::json;

use super::fixture::{CLUSTER, Case, IMAGE, mirrored, single, text, uid};
use crate::support::OBJECT_READY;

/// The UIDs of the claims in the namespace, by name.
async fn claims(case: &Case) -> BTreeMap<String, String> {
    let claims = case.list("PersistentVolumeClaim", "").await;
    claims.iter().map(|claim| (text(claim, "/metadata/name"), uid(claim))).collect()
}

#[tokio::test]
async fn compute_nodes_that_leave_the_spec_go_and_their_volumes_stay() {
    let case = Case::begin("prune").await;
    let mut cluster = single();
    cluster["spec"]["topology"]["compute"] = json!({"image": IMAGE, "replicas": 2});
    case.apply(CLUSTER, "iris", &cluster).await;
    case.until_ready(CLUSTER, "iris").await;
    let data = uid(&case.get("StatefulSet", "iris-data").await.unwrap());
    let volumes = claims(&case).await;
    assert_eq!(volumes.len(), 12);

    case.apply(CLUSTER, "iris", &single()).await;
    case.until_gone("StatefulSet", "iris-compute").await;
    case.until_gone("ConfigMap", "iris-compute").await;
    let ready = case.until_ready(CLUSTER, "iris").await;
    assert!(ready["status"]["nodes"]["compute"].is_null(), "{}", ready["status"]);
    assert_eq!(case.names("Pod", "").await, ["iris-data-0"]);
    assert_eq!(claims(&case).await, volumes);
    assert_eq!(uid(&case.get("StatefulSet", "iris-data").await.unwrap()), data);

    // First to zero, then deleted with its pods orphaned, of which there were none.
    let writes = case.hub_writes();
    let of_set: Vec<_> = writes
        .iter()
        .filter(|write| write.resource == "statefulsets" && write.name == "iris-compute")
        .map(|write| (write.verb.as_str(), write.propagation.as_deref(), write.uri.contains("fieldManager")))
        .collect();
    assert_eq!(of_set.last(), Some(&("delete", Some("Orphan"), false)), "{of_set:?}");
    let to_zero = of_set.iter().filter(|(verb, _, is_apply)| *verb == "patch" && !is_apply).count();
    assert_eq!(to_zero, 1, "{of_set:?}");
    case.until_event("iris", "Normal Deleted Deleted StatefulSet iris-compute").await;
    let events = case.events("iris").await;
    let place = |text: &str| events.iter().position(|event| event.ends_with(text)).unwrap();
    let scaled = place("Scaled StatefulSet iris-compute from 2 to 0 replicas");
    assert!(scaled < place("Deleted StatefulSet iris-compute"), "told before it was so: {events:?}");

    // They come back to their volumes.
    case.apply(CLUSTER, "iris", &cluster).await;
    case.until_ready(CLUSTER, "iris").await;
    assert_eq!(claims(&case).await, volumes);
    case.end().await;
}

#[tokio::test]
async fn a_deleted_cluster_leaves_its_volumes_and_nothing_else() {
    let case = Case::begin("deletion").await;
    let mut cluster = mirrored();
    cluster["spec"]["topology"]["compute"] = json!({"image": IMAGE, "replicas": 1});
    let applied = case.apply(CLUSTER, "iris", &cluster).await;
    case.until_ready(CLUSTER, "iris").await;
    let found = case.get(CLUSTER, "iris").await.unwrap();
    assert!(found["metadata"]["finalizers"].is_null(), "a hub that is away would hold it: {found}");
    let volumes = claims(&case).await;
    assert_eq!(volumes.len(), 12);

    case.delete(CLUSTER, "iris").await;
    case.eventually("everything but volumes is gone", OBJECT_READY, || async {
        let mut left = Vec::new();
        for kind in ["StatefulSet", "Service", "ConfigMap", "Pod"] {
            left.extend(case.names(kind, "").await);
        }
        // The one that Kubernetes keeps in every namespace.
        left.retain(|name| name != "kube-root-ca.crt");
        if left.is_empty() { Ok(()) } else { Err(left.join(", ")) }
    })
    .await;
    assert_eq!(claims(&case).await, volumes);
    let writes = case.hub_writes();
    let deleted: Vec<_> = writes.iter().filter(|write| write.verb == "delete").collect();
    assert_eq!(deleted.len(), 1, "children are for the garbage collector: {deleted:?}");
    assert_eq!(deleted[0].name, "iris-svc");

    // One of the same name is another cluster, on the same volumes.
    let again = case.apply(CLUSTER, "iris", &cluster).await;
    assert_ne!(uid(&again), uid(&applied));
    case.until_ready(CLUSTER, "iris").await;
    assert_eq!(claims(&case).await, volumes);
    let set = case.get("StatefulSet", "iris-data-0").await.unwrap();
    assert_eq!(set["metadata"]["ownerReferences"][0]["uid"], again["metadata"]["uid"]);
    case.end().await;
}

#[tokio::test]
async fn children_that_were_orphaned_are_taken_over_by_a_new_cluster() {
    let case = Case::begin("orphaned").await;
    let old = case.apply(CLUSTER, "iris", &single()).await;
    case.until_ready(CLUSTER, "iris").await;
    let set = uid(&case.get("StatefulSet", "iris-data").await.unwrap());
    let pod = uid(&case.get("Pod", "iris-data-0").await.unwrap());
    case.kubectl(&["delete", "iriscluster", "iris", "--cascade=orphan"]).await;
    case.until_gone(CLUSTER, "iris").await;
    let orphan = case.get("StatefulSet", "iris-data").await.unwrap();
    assert!(orphan["metadata"]["ownerReferences"].is_null(), "{}", orphan["metadata"]);

    let new = case.apply(CLUSTER, "iris", &single()).await;
    assert_ne!(uid(&new), uid(&old));
    case.until_ready(CLUSTER, "iris").await;
    for (kind, name) in [("StatefulSet", "iris-data"), ("Service", "iris"), ("ConfigMap", "iris-data")] {
        let found = case.get(kind, name).await.unwrap();
        assert_eq!(found["metadata"]["ownerReferences"][0]["uid"], new["metadata"]["uid"], "{kind} {name}");
    }
    assert_eq!(uid(&case.get("StatefulSet", "iris-data").await.unwrap()), set);
    assert_eq!(uid(&case.get("Pod", "iris-data-0").await.unwrap()), pod, "its pod was not restarted");
    case.end().await;
}
