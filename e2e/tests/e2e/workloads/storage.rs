//! Volumes that grow, one by one and without a restart, and what keeps them from it. It must not test what a CRD refuses:
//! that is in the tests of the schema.

use homebase_testkit::GROW_ANNOTATION;
use k8s_openapi::api::storage::v1::StorageClass;
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Value, json};

use super::fixture::{CLUSTER, Case, IMAGE, OTHER_STORAGE_CLASS, condition, mirrored, single, text, uid};

const CLAIM: &str = "PersistentVolumeClaim";

/// A cluster whose database volumes have this size.
pub(super) fn sized(mut cluster: Value, size: &str) -> Value {
    cluster["spec"]["topology"]["data"]["storageDB"] = json!({"resources": {"requests": {"storage": size}}});
    cluster
}

fn requested(claim: &Value) -> String {
    text(claim, "/spec/resources/requests/storage")
}

/// Has a claim wait with its growth (`held`), grow (`yes`), or only its volume.
pub(super) async fn let_grow(case: &Case, claim: &str, how: &str) {
    case.edit(CLAIM, claim, &json!({"metadata": {"annotations": {GROW_ANNOTATION: how}}})).await;
}

pub(super) async fn until_requested(case: &Case, claim: &str, size: &str) {
    case.until(CLAIM, claim, |claim| {
        let found = requested(claim);
        if found == size { Ok(()) } else { Err(found) }
    })
    .await;
}

async fn template_size(case: &Case, set: &str) -> String {
    let set = case.get("StatefulSet", set).await.unwrap();
    text(&set, "/spec/volumeClaimTemplates/0/spec/resources/requests/storage")
}

#[tokio::test]
async fn a_mirror_grows_claim_by_claim_and_no_pod_is_restarted() {
    let case = Case::begin("claims-grow").await;
    case.apply(CLUSTER, "iris", &sized(mirrored(), "1Gi")).await;
    case.until_ready(CLUSTER, "iris").await;
    case.until_storage("iris", "AllBound").await;
    let (pods, claims) = (case.uids("Pod", "").await, case.uids(CLAIM, "").await);
    let set = uid(&case.get("StatefulSet", "iris-data-0").await.unwrap());

    let (first, second) = ("iris-data-iris-data-0-1", "iris-data-iris-data-0-0");
    for claim in [first, second] {
        let_grow(&case, claim, "held").await;
    }
    case.apply(CLUSTER, "iris", &sized(mirrored(), "2Gi")).await;
    // The last member first; the other one is not asked before it has its size. The set does not wait for them.
    until_requested(&case, first, "2Gi").await;
    case.until_replaced("StatefulSet", "iris-data-0", &set).await;
    case.until_ready(CLUSTER, "iris").await;
    case.until_storage_of("iris", "Growing", &format!("{first} grows to 2Gi")).await;
    case.assert_quiet().await;
    assert_eq!(requested(&case.get(CLAIM, second).await.unwrap()), "1Gi");

    // Only the volume grows: its file system follows with the pod, and nothing waits for that.
    let_grow(&case, first, "file-system-pending").await;
    until_requested(&case, second, "2Gi").await;
    let_grow(&case, second, "yes").await;
    case.until(CLUSTER, "iris", |cluster| {
        let told = text(&condition(cluster, "StorageReady"), "/message");
        if told.contains("whose file system grows when its pod is restarted") { Ok(()) } else { Err(told) }
    })
    .await;
    let_grow(&case, first, "yes").await;
    case.until_storage("iris", "AllBound").await;

    assert_eq!(template_size(&case, "iris-data-0").await, "2Gi");
    assert_eq!((case.uids("Pod", "").await, case.uids(CLAIM, "").await), (pods, claims));
    let set = case.get("StatefulSet", "iris-data-0").await.unwrap();
    for pod in case.list("Pod", "intersystems.com/component=data").await {
        assert_eq!(pod["metadata"]["ownerReferences"][0]["uid"], set["metadata"]["uid"], "adopted");
    }
    let writes = case.hub_writes();
    let of_claims: Vec<_> =
        writes.iter().filter(|write| write.resource == "persistentvolumeclaims").collect();
    let asked: Vec<_> = of_claims.iter().map(|write| (write.verb.as_str(), write.name.as_str())).collect();
    assert_eq!(asked, [("patch", first), ("patch", second)]);
    let deleted: Vec<_> = writes.iter().filter(|write| write.verb == "delete").collect();
    assert_eq!(deleted.len(), 1, "{deleted:?}");
    case.until_event("iris", "Normal Growing Asked for 2Gi instead of 1Gi for PersistentVolumeClaim").await;
    case.until_event("iris", "Normal Recreated Deleted StatefulSet iris-data-0 to make it anew").await;
    case.assert_quiet().await;
    case.end().await;
}

#[tokio::test]
async fn a_class_without_expansion_is_told_and_tried_again_until_it_has_it() {
    let case = Case::begin("claims-class").await;
    let classes: Api<StorageClass> = Api::all(case.plane().client().await.unwrap());
    let expandable = async |allowed: bool| {
        let patch = Patch::Merge(json!({"allowVolumeExpansion": allowed}));
        classes.patch(OTHER_STORAGE_CLASS, &PatchParams::default(), &patch).await.unwrap();
    };
    expandable(false).await;
    let mut cluster = single();
    cluster["spec"]["storageClassName"] = OTHER_STORAGE_CLASS.into();
    case.apply(CLUSTER, "iris", &sized(cluster.clone(), "1Gi")).await;
    case.until_ready(CLUSTER, "iris").await;
    let (pods, claims) = (case.uids("Pod", "").await, case.uids(CLAIM, "").await);
    let set = uid(&case.get("StatefulSet", "iris-data").await.unwrap());
    let mut larger = sized(cluster, "2Gi");
    larger["spec"]["topology"]["data"]["storageWIJ"] = json!({"resources": {"requests": {"storage": "4Gi"}}});
    case.apply(CLUSTER, "iris", &larger).await;

    let told = case.until_storage("iris", "GrowthRefused").await;
    assert!(told.contains("set allowVolumeExpansion of its StorageClass to true"), "{told}");
    // One that is refused holds up no other, and what is to come gets its size: the set is made anew.
    case.until_replaced("StatefulSet", "iris-data", &set).await;
    case.until_ready(CLUSTER, "iris").await;
    let told = case.until_storage_of("iris", "GrowthRefused", "2 of 4 claims").await;
    for claim in ["iris-data-iris-data-0", "iris-wij-iris-data-0"] {
        assert!(told.contains(claim), "{told}");
    }
    case.assert_quiet().await;

    expandable(true).await;
    case.until_storage("iris", "AllBound").await;
    assert_eq!((case.uids("Pod", "").await, case.uids(CLAIM, "").await), (pods, claims));
    case.end().await;
}

#[tokio::test]
async fn a_quota_for_two_of_three_lets_two_grow() {
    let case = Case::begin("claims-quota").await;
    let mut cluster = mirrored();
    cluster["spec"]["topology"]["data"]["mirrorMap"] = "primary,backup,drasync".into();
    case.apply(CLUSTER, "iris", &sized(cluster.clone(), "1Gi")).await;
    case.until_ready(CLUSTER, "iris").await;
    // Three members with 1Gi and three times 2Gi each.
    let quota = |gibibytes: u32| json!({"spec": {"hard": {"requests.storage": format!("{gibibytes}Gi")}}});
    case.apply("ResourceQuota", "storage", &quota(23)).await;
    case.until("ResourceQuota", "storage", |quota| {
        let used = text(quota, "/status/used/requests.storage");
        if used == "21Gi" { Ok(()) } else { Err(used) }
    })
    .await;
    case.apply(CLUSTER, "iris", &sized(cluster, "2Gi")).await;
    let told = case.until_storage("iris", "GrowthRefused").await;
    assert!(told.contains("exceeded quota") && told.contains("raise the quota of the namespace"), "{told}");
    case.until_ready(CLUSTER, "iris").await;
    let sizes = async || {
        let claims = ["iris-data-iris-data-0-0", "iris-data-iris-data-0-1", "iris-data-iris-data-0-2"];
        let mut sizes = Vec::new();
        for claim in claims {
            sizes.push(text(&case.get(CLAIM, claim).await.unwrap(), "/status/capacity/storage"));
        }
        sizes
    };
    assert_eq!(sizes().await, ["1Gi", "2Gi", "2Gi"]);
    case.apply("ResourceQuota", "storage", &quota(30)).await;
    case.until_storage("iris", "AllBound").await;
    assert_eq!(sizes().await, ["2Gi", "2Gi", "2Gi"]);
    case.end().await;
}

#[tokio::test]
async fn volumes_of_every_kind_of_node_grow() {
    let case = Case::begin("claims-all").await;
    let cluster = |size: &str| {
        let storage = json!({"resources": {"requests": {"storage": size}}});
        let mut cluster = sized(single(), size);
        let topology = &mut cluster["spec"]["topology"];
        topology["data"]["volumeMounts"] = json!([{"name": "backups", "mountPath": "/backups"}]);
        topology["data"]["webgateway"] =
            json!({"image": "webgateway:2025.1", "type": "apache", "storageDB": storage});
        topology["compute"] = json!({"image": IMAGE, "replicas": 2, "storageJournal1": storage});
        topology["webgateway"] =
            json!({"image": "webgateway:2025.1", "type": "apache", "storageDB": storage});
        let claim = json!({"accessModes": ["ReadWriteOnce"], "resources": storage["resources"]});
        cluster["spec"]["volumeClaimTemplates"] = json!([{"metadata": {"name": "backups"}, "spec": claim}]);
        cluster
    };
    case.apply(CLUSTER, "iris", &cluster("3Gi")).await;
    case.until_ready(CLUSTER, "iris").await;
    let claims = case.uids(CLAIM, "").await;
    case.apply(CLUSTER, "iris", &cluster("5Gi")).await;
    case.until_ready(CLUSTER, "iris").await;
    case.until_storage("iris", "AllBound").await;
    assert_eq!(case.uids(CLAIM, "").await, claims);
    let mut grown = Vec::new();
    for claim in case.list(CLAIM, "").await {
        if text(&claim, "/status/capacity/storage") == "5Gi" {
            grown.push(text(&claim, "/metadata/name"));
        }
    }
    grown.sort();
    let expected = [
        "backups-iris-data-0",
        "iris-data-iris-data-0",
        "iris-data-iris-webgateway-0",
        "iris-journal1-iris-compute-0",
        "iris-journal1-iris-compute-1",
        "iris-webgateway-iris-data-0",
    ];
    assert_eq!(grown, expected);
    // What comes later has the new size at once.
    case.kubectl(&["scale", "iriscluster", "iris", "--replicas=3"]).await;
    case.until_ready(CLUSTER, "iris").await;
    assert_eq!(requested(&case.get(CLAIM, "iris-journal1-iris-compute-2").await.unwrap()), "5Gi");
    case.until_storage("iris", "AllBound").await;
    case.end().await;
}

#[tokio::test]
async fn volumes_that_were_kept_are_attached_again_and_never_shrunk() {
    let case = Case::begin("attached-again").await;
    case.apply(CLUSTER, "iris", &sized(single(), "8Gi")).await;
    case.until_ready(CLUSTER, "iris").await;
    let claims = case.uids(CLAIM, "").await;
    case.delete(CLUSTER, "iris").await;
    case.until_gone("Pod", "iris-data-0").await;

    case.apply(CLUSTER, "iris", &single()).await;
    case.until_ready(CLUSTER, "iris").await;
    let told = case.until_storage("iris", "ShrinkRefused").await;
    assert!(
        told.contains("iris-data-iris-data-0 has 8Gi and cannot shrink to 2Gi: ask for 8Gi or more"),
        "{told}"
    );
    assert_eq!(case.uids(CLAIM, "").await, claims);
    case.assert_quiet().await;
    case.apply(CLUSTER, "iris", &sized(single(), "8Gi")).await;
    case.until_ready(CLUSTER, "iris").await;
    case.until_storage("iris", "AllBound").await;
    assert_eq!(case.uids(CLAIM, "").await, claims);
    case.end().await;
}

#[tokio::test]
async fn a_claim_that_is_deleted_by_hand_is_told_and_held_by_its_pod() {
    let case = Case::begin("claim-deleted").await;
    case.apply(CLUSTER, "iris", &mirrored()).await;
    case.until_ready(CLUSTER, "iris").await;
    case.until_storage("iris", "AllBound").await;
    let claim = "iris-data-iris-data-0-1";
    let old = uid(&case.get(CLAIM, claim).await.unwrap());
    case.delete(CLAIM, claim).await;
    case.until_storage_of("iris", "NotBound", &format!("{claim} is being deleted")).await;
    let cluster = case.get(CLUSTER, "iris").await.unwrap();
    assert_eq!(condition(&cluster, "Ready")["status"], "True", "its pod still runs on it");
    case.assert_quiet().await;
    // Its controller makes another one for the next pod.
    case.delete("Pod", "iris-data-0-1").await;
    case.until_replaced(CLAIM, claim, &old).await;
    case.until_ready(CLUSTER, "iris").await;
    case.until_storage("iris", "AllBound").await;
    case.end().await;
}
