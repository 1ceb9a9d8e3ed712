//! StatefulSets that differ in a field which cannot change while they exist: they are made anew around their pods, or it
//! is said why not.

use serde_json::{Value, json};

use super::fixture::{CLUSTER, Case, condition, mirrored, single, text, uid, with_compute};
use super::storage::sized;
use crate::support::OBJECT_READY;

/// Replaces a StatefulSet, as another tool that knows nothing of our annotations might have made it, while no hub runs.
async fn remake(case: &mut Case, name: &str, edit: impl Fn(&mut Value)) -> String {
    case.hub_mut().kill9();
    let mut set = case.get("StatefulSet", name).await.unwrap();
    case.kubectl(&["delete", "statefulset", name, "--cascade=orphan"]).await;
    case.until_gone("StatefulSet", name).await;
    let meta = set["metadata"].as_object_mut().unwrap();
    let hub = meta["annotations"]["homebase.dev/hub-id"].clone();
    meta.retain(|field, _| ["labels", "ownerReferences"].contains(&field.as_str()));
    meta.insert("annotations".to_owned(), json!({"homebase.dev/hub-id": hub}));
    set.as_object_mut().unwrap().remove("status");
    edit(&mut set);
    let made = case.apply("StatefulSet", name, &set).await;
    // It has taken over the pods before anything else happens to it.
    case.until("StatefulSet", name, |set| {
        let ready = set["status"]["readyReplicas"].as_i64().unwrap_or_default();
        let is_seen = set["status"]["observedGeneration"] == set["metadata"]["generation"];
        if is_seen && Some(ready) == set["spec"]["replicas"].as_i64() {
            return Ok(());
        }
        Err(format!("{ready} pods ready"))
    })
    .await;
    uid(&made)
}

#[tokio::test]
async fn what_another_tool_made_is_made_anew_around_its_pods() {
    let mut case = Case::alone("remade").await;
    case.apply(CLUSTER, "iris", &mirrored()).await;
    case.until_ready(CLUSTER, "iris").await;
    let (pods, claims) = (case.uids("Pod", "").await, case.uids("PersistentVolumeClaim", "").await);
    let old = remake(&mut case, "iris-data-0", |set| {
        set["spec"]["podManagementPolicy"] = "Parallel".into();
        set["spec"]["volumeClaimTemplates"][1]["metadata"]["annotations"] = json!({"team": "blue"});
    })
    .await;
    case.start_hub().await;
    case.until_replaced("StatefulSet", "iris-data-0", &old).await;
    case.until_ready(CLUSTER, "iris").await;
    let set = case.get("StatefulSet", "iris-data-0").await.unwrap();
    assert_eq!(set["spec"]["podManagementPolicy"], "OrderedReady");
    assert_eq!((case.uids("Pod", "").await, case.uids("PersistentVolumeClaim", "").await), (pods, claims));
    let fields = "spec.podManagementPolicy, spec.volumeClaimTemplates";
    let event =
        format!("Normal Recreated Deleted StatefulSet iris-data-0 to make it anew, because {fields} cannot");
    case.until_event("iris", &event).await;
    case.assert_quiet().await;
    case.end().await;
}

#[tokio::test]
async fn what_an_autoscaler_made_many_is_made_anew_around_all_its_pods() {
    let mut case = Case::alone("remade-autoscaled").await;
    let mut cluster = with_compute(single(), 2);
    cluster["spec"]["topology"]["compute"].as_object_mut().unwrap().remove("replicas");
    case.apply(CLUSTER, "iris", &cluster).await;
    case.until_ready(CLUSTER, "iris").await;
    let until_compute = async |case: &Case, pods: &str| {
        case.until(CLUSTER, "iris", |cluster| {
            let found = text(cluster, "/status/nodes/compute/pods");
            if found == pods { Ok(()) } else { Err(found) }
        })
        .await;
        case.until_ready(CLUSTER, "iris").await;
        case.assert_quiet().await;
        case.uids("Pod", "").await
    };
    case.kubectl(&["scale", "statefulset", "iris-compute", "--replicas=3"]).await;
    let pods = until_compute(&case, "3/3").await;
    let old = remake(&mut case, "iris-compute", |set| set["spec"]["serviceName"] = "other".into()).await;
    case.start_hub().await;
    case.until_replaced("StatefulSet", "iris-compute", &old).await;
    assert_eq!(until_compute(&case, "3/3").await, pods);
    // Its number is the autoscaler's again.
    case.kubectl(&["scale", "statefulset", "iris-compute", "--replicas=4"]).await;
    assert_eq!(until_compute(&case, "4/4").await.len(), pods.len() + 1);
    case.end().await;
}

#[tokio::test]
async fn a_set_is_not_made_anew_while_a_claim_is_unbound_or_its_pods_would_be_lost() {
    let mut case = Case::alone("not-remade").await;
    case.apply(CLUSTER, "iris", &single()).await;
    case.until_ready(CLUSTER, "iris").await;
    let pods = case.uids("Pod", "").await;
    let old = remake(&mut case, "iris-data", |set| set["spec"]["serviceName"] = "other".into()).await;
    // One that was kept of a pod of earlier times counts as well.
    let stray = json!({
        "metadata": {"labels": {"intersystems.com/kind": "IrisCluster", "intersystems.com/name": "iris"}},
        "spec": {
            "accessModes": ["ReadWriteOnce"], "storageClassName": "none",
            "resources": {"requests": {"storage": "2Gi"}},
        },
    });
    case.apply("PersistentVolumeClaim", "iris-data-iris-data-4", &stray).await;
    case.start_hub().await;
    let told = case.until_condition(CLUSTER, "iris", ("Ready", "False")).await;
    let held = "data waits to be made anew, because spec.serviceName cannot change while it exists: not bound: \
                iris-data-iris-data-4";
    assert_eq!(text(&told, "/status/waiting/0"), held);
    case.assert_quiet().await;
    assert_eq!(uid(&case.get("StatefulSet", "iris-data").await.unwrap()), old);
    case.delete("PersistentVolumeClaim", "iris-data-iris-data-4").await;
    case.until_replaced("StatefulSet", "iris-data", &old).await;
    case.until_ready(CLUSTER, "iris").await;
    assert_eq!(case.uids("Pod", "").await, pods);

    let old = remake(&mut case, "iris-data", |set| {
        let labels = json!({"app": "iris"});
        set["spec"]["selector"]["matchLabels"] = labels.clone();
        set["spec"]["template"]["metadata"]["labels"] = labels;
        // Pods that it does not select are in its way.
        set["spec"]["replicas"] = 0.into();
    })
    .await;
    case.start_hub().await;
    let told = case.until_condition(CLUSTER, "iris", ("Stalled", "True")).await;
    let stalled = condition(&told, "Stalled");
    assert_eq!(stalled["reason"], "ImmutableField");
    assert!(text(&stalled, "/message").contains("because spec.selector cannot change"), "{stalled}");
    case.assert_quiet().await;
    assert_eq!(uid(&case.get("StatefulSet", "iris-data").await.unwrap()), old);
    assert_eq!(case.uids("Pod", "").await, pods);
    case.end().await;
}

#[tokio::test]
async fn a_set_is_not_made_anew_while_a_claim_goes_that_has_lost_its_label() {
    let mut case = Case::alone("claim-unmarked").await;
    case.apply(CLUSTER, "iris", &single()).await;
    case.until_ready(CLUSTER, "iris").await;
    let old = remake(&mut case, "iris-data", |set| set["spec"]["serviceName"] = "other".into()).await;
    let claim = "iris-wij-iris-data-0";
    case.edit(
        "PersistentVolumeClaim",
        claim,
        &json!({"metadata": {"labels": {"intersystems.com/kind": null}}}),
    )
    .await;
    // It stays for as long as its pod does.
    case.delete("PersistentVolumeClaim", claim).await;
    case.start_hub().await;
    case.until_storage("iris", "NotBound").await;
    case.assert_quiet().await;
    assert_eq!(uid(&case.get("StatefulSet", "iris-data").await.unwrap()), old);
    case.assert_invariants().await;
}

#[tokio::test]
async fn pods_left_without_a_controller_get_one_back_whatever_else_is_not_ready() {
    let mut case = Case::alone("left-alone").await;
    case.apply(CLUSTER, "iris", &sized(mirrored(), "1Gi")).await;
    case.until_ready(CLUSTER, "iris").await;
    let (pods, claims) = (case.uids("Pod", "").await, case.uids("PersistentVolumeClaim", "").await);
    case.apply(CLUSTER, "iris", &sized(mirrored(), "2Gi")).await;
    case.eventually("the set is deleted", OBJECT_READY, || async {
        let is_delete = |write: &homebase_testkit::AuditEvent| write.verb == "delete";
        if case.hub_writes().iter().any(is_delete) { Ok(()) } else { Err("not yet") }
    })
    .await;
    case.hub_mut().kill9();
    // It may have been made anew already: then it is taken away once more.
    case.kubectl(&["delete", "statefulset", "iris-data-0", "--cascade=orphan", "--ignore-not-found"]).await;
    case.until_gone("StatefulSet", "iris-data-0").await;
    let unready = r#"{"status":{"conditions":[{"type":"Ready","status":"False"}]}}"#;
    let pod = ["patch", "pod", "iris-arbiter-0", "--subresource=status", "--type=strategic", "-p", unready];
    case.kubectl(&pod).await;
    case.until("StatefulSet", "iris-arbiter", |set| {
        let ready = set["status"]["readyReplicas"].as_i64().unwrap_or_default();
        if ready == 0 { Ok(()) } else { Err(format!("{ready} ready")) }
    })
    .await;
    case.start_hub().await;
    case.until("StatefulSet", "iris-data-0", |set| {
        let ready = &set["status"]["readyReplicas"];
        if *ready == 2 { Ok(()) } else { Err(format!("{ready} ready")) }
    })
    .await;
    let told = case.until_condition(CLUSTER, "iris", ("Ready", "False")).await;
    assert_eq!(text(&told, "/status/nodes/arbiter/pods"), "0/1");
    assert_eq!((case.uids("Pod", "").await, case.uids("PersistentVolumeClaim", "").await), (pods, claims));
    case.end().await;
}
