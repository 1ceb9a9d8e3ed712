//! A `persistentVolumeClaimRetentionPolicy` that was edited to `Delete`, and claims that are owned because of it: no step of
//! the hub ends a pod or a StatefulSet while a volume would be deleted with it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::fixture::{CLUSTER, Case, IMAGE, single, text, uid};

const CLAIM: &str = "PersistentVolumeClaim";
const SET: &str = "iris-compute";
const POLICY: &str = "/spec/persistentVolumeClaimRetentionPolicy";

fn with_compute(replicas: u32) -> Value {
    let mut cluster = single();
    cluster["spec"]["topology"]["compute"] = json!({"image": IMAGE, "replicas": replicas});
    cluster
}

fn delete_volumes() -> Value {
    json!({"spec": {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete", "whenScaled": "Delete"}}})
}

/// The claims that would be deleted with an owner, with their owners.
async fn owned(case: &Case) -> BTreeMap<String, Value> {
    let claims = case.list(CLAIM, "").await;
    let owned = claims.iter().filter(|claim| !claim["metadata"]["ownerReferences"].is_null());
    owned.map(|claim| (text(claim, "/metadata/name"), claim["metadata"]["ownerReferences"].clone())).collect()
}

async fn until_owned(case: &Case, count: usize) {
    case.eventually("claims are owned", crate::support::SOON, || async {
        let owned = owned(case).await;
        if owned.len() == count { Ok(()) } else { Err(format!("{:?}", owned.keys())) }
    })
    .await;
}

async fn until_retained(case: &Case, set: &str) {
    case.until("StatefulSet", set, |set| {
        let policy = set.pointer(POLICY).cloned().unwrap_or_default();
        let kept = json!({"whenDeleted": "Retain", "whenScaled": "Retain"});
        if policy == kept { Ok(()) } else { Err(policy.to_string()) }
    })
    .await;
}

/// Has somebody edit the policy of the compute nodes while no hub runs, and the spec with it. So many claims have an owner
/// then: those of pods that run.
async fn edit_unseen(case: &mut Case, cluster: &Value, owned: usize) {
    case.hub_mut().kill9();
    case.edit("StatefulSet", SET, &delete_volumes()).await;
    until_owned(case, owned).await;
    case.apply(CLUSTER, "iris", cluster).await;
    case.start_hub().await;
}

#[tokio::test]
async fn nodes_that_leave_keep_their_volumes_whatever_the_policy_was_edited_to() {
    let mut case = Case::alone("retention").await;
    case.apply(CLUSTER, "iris", &with_compute(2)).await;
    case.until_ready(CLUSTER, "iris").await;
    let volumes = case.uids(CLAIM, "").await;
    assert_eq!(volumes.len(), 12);

    // One node fewer.
    edit_unseen(&mut case, &with_compute(1), 8).await;
    case.until_gone("Pod", "iris-compute-1").await;
    case.until_ready(CLUSTER, "iris").await;
    until_retained(&case, SET).await;
    until_owned(&case, 0).await;
    assert_eq!(case.uids(CLAIM, "").await, volumes);

    // The controller leaves such a reference behind on claims whose pods are gone.
    let set = case.get("StatefulSet", SET).await.unwrap();
    let owner = json!([{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": SET, "uid": uid(&set)}]);
    let stale = json!({"metadata": {"ownerReferences": owner}});
    case.edit(CLAIM, "iris-data-iris-compute-1", &stale).await;

    // None at all.
    edit_unseen(&mut case, &single(), 5).await;
    case.until_gone("StatefulSet", SET).await;
    case.until_gone("Pod", "iris-compute-0").await;
    case.until_ready(CLUSTER, "iris").await;
    until_owned(&case, 0).await;
    assert_eq!(case.uids(CLAIM, "").await, volumes);

    // They come back to their volumes.
    case.apply(CLUSTER, "iris", &with_compute(2)).await;
    case.until_ready(CLUSTER, "iris").await;
    assert_eq!(case.uids(CLAIM, "").await, volumes);
    case.end().await;
}

#[tokio::test]
async fn the_policy_is_taken_back_where_the_spec_cannot_be_carried_out() {
    let case = Case::begin("retained").await;
    case.apply(CLUSTER, "iris", &with_compute(1)).await;
    case.until_ready(CLUSTER, "iris").await;
    let mut refused = with_compute(1);
    refused["spec"]["configSource"] = json!({"name": "that-does-not-exist"});
    case.apply(CLUSTER, "iris", &refused).await;
    case.until_condition(CLUSTER, "iris", ("Ready", "False")).await;
    for set in ["iris-data", SET] {
        case.edit("StatefulSet", set, &delete_volumes()).await;
        until_retained(&case, set).await;
    }
    until_owned(&case, 0).await;
    case.end().await;
}
