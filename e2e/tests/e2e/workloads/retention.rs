//! A `persistentVolumeClaimRetentionPolicy` that was edited to `Delete`, and claims that are owned because of it: no step of
//! the hub ends a pod or a StatefulSet while a volume would be deleted with it, and the cluster itself rejects the edit.

use std::collections::BTreeMap;

use kube::api::{Patch, PatchParams};
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

/// Has somebody edit policies while no hub runs, on a cluster that no longer rejects it.
async fn edit_unseen(case: &mut Case, sets: &[&str]) {
    case.hub_mut().kill9();
    for kind in ["validatingadmissionpolicybinding", "validatingadmissionpolicy"] {
        case.plane().kubectl_ok(&["delete", kind, "homebase-volume-retention"]).await.unwrap();
    }
    let api = case.api("StatefulSet");
    for set in sets {
        // An apiserver reads its policies once a second.
        case.eventually("the edit is admitted", crate::support::SOON, || async {
            let patch = Patch::Merge(delete_volumes());
            api.patch(set, &PatchParams::default(), &patch).await
        })
        .await;
    }
}

/// The same to the compute nodes, and to the spec with it. So many claims have an owner then: those of pods that run.
async fn edit_both(case: &mut Case, cluster: &Value, owned: usize) {
    edit_unseen(case, &[SET]).await;
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
    edit_both(&mut case, &with_compute(1), 8).await;
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
    edit_both(&mut case, &single(), 5).await;
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
    let mut case = Case::alone("retained").await;
    case.apply(CLUSTER, "iris", &with_compute(1)).await;
    case.until_ready(CLUSTER, "iris").await;
    let mut refused = with_compute(1);
    refused["spec"]["configSource"] = json!({"name": "that-does-not-exist"});
    case.apply(CLUSTER, "iris", &refused).await;
    case.until_condition(CLUSTER, "iris", ("Ready", "False")).await;
    edit_unseen(&mut case, &["iris-data", SET]).await;
    case.start_hub().await;
    for set in ["iris-data", SET] {
        until_retained(&case, set).await;
    }
    until_owned(&case, 0).await;
    case.end().await;
}

#[tokio::test]
async fn the_cluster_itself_rejects_the_edit_and_nothing_else() {
    let case = Case::begin("rejected").await;
    case.apply(CLUSTER, "iris", &single()).await;
    case.until_ready(CLUSTER, "iris").await;
    let edit = |field: &'static str| {
        let api = case.api("StatefulSet");
        async move {
            let patch = json!({"spec": {"persistentVolumeClaimRetentionPolicy": {field: "Delete"}}});
            api.patch("iris-data", &PatchParams::default().dry_run(), &Patch::Merge(patch)).await
        }
    };
    for field in ["whenDeleted", "whenScaled"] {
        let rejected = case.eventually("the policy is in force", crate::support::SOON, || async {
            edit(field).await.err().map(|error| error.to_string()).ok_or("the edit was admitted")
        });
        let rejected = rejected.await;
        assert!(
            rejected.contains(&format!("{field} of a StatefulSet that Homebase manages must be Retain")),
            "{rejected}"
        );
    }
    // Whatever else is edited, and what belongs to others, is admitted.
    case.edit("StatefulSet", "iris-data", &json!({"metadata": {"labels": {"team": "blue"}}})).await;
    let mut foreign = case.get("StatefulSet", "iris-data").await.unwrap();
    foreign["metadata"] = json!({"name": "foreign"});
    foreign["spec"]["replicas"] = 0.into();
    foreign["spec"]["persistentVolumeClaimRetentionPolicy"]["whenDeleted"] = "Delete".into();
    case.apply("StatefulSet", "foreign", &json!({"spec": foreign["spec"]})).await;
    // A set that says so already can be written: here one that becomes ours.
    let marks = case.get("StatefulSet", "iris-data").await.unwrap()["metadata"]["labels"].clone();
    case.edit("StatefulSet", "foreign", &json!({"metadata": {"labels": marks}})).await;
    case.delete("StatefulSet", "foreign").await;
    case.end().await;
}
