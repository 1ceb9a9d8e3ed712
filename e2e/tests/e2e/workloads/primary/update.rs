//! A mirror whose primary is not member 0 is updated with the primary last, by the hub, through evictions.

use super::super::storage::sized;
use super::*;
use crate::support::OBJECT_READY;

const IMAGE: &str = "containers.intersystems.com/intersystems/iris:2025.2";

/// The pods that the hub had evicted, in their order.
fn evictions(case: &Case) -> Vec<String> {
    let writes = case.hub_writes().into_iter();
    let evictions = writes.filter(|write| write.subresource.as_deref() == Some("eviction"));
    evictions.map(|write| write.name).collect()
}

async fn until_evicted(case: &Case, pods: &[&str]) {
    case.eventually(&format!("{pods:?} are evicted"), OBJECT_READY, || async {
        let found = evictions(case);
        if found == pods { Ok(()) } else { Err(format!("{found:?}")) }
    })
    .await;
}

async fn until_strategy(case: &Case, wanted: &str) {
    case.until("StatefulSet", "iris-data-0", |set| {
        let strategy = text(set, "/spec/updateStrategy/type");
        if strategy == wanted { Ok(()) } else { Err(strategy) }
    })
    .await;
}

#[tokio::test]
async fn the_primary_is_restarted_last() {
    let case = Case::begin("primary-update").await;
    let mut cluster = ready_mirror(&case).await;
    fail_over(&case, 1);
    until_roles(&case, ["backup", "primary", "drasync"]).await;
    until_strategy(&case, "OnDelete").await;
    case.until_ready(CLUSTER, "iris").await;
    case.assert_quiet().await;

    // Nobody but the primary answers: it is not restarted.
    answer(&case, PODS[0], PodBehaviour::Gone);
    answer(&case, PODS[2], PodBehaviour::Silence);
    cluster["spec"]["topology"]["data"]["image"] = IMAGE.into();
    case.apply(CLUSTER, "iris", &cluster).await;
    until_evicted(&case, &[PODS[2], PODS[0]]).await;
    case.until_event("iris", "Normal Waiting The update of StatefulSet iris-data-0 waits: the primary").await;
    assert_eq!(condition(&case.get(CLUSTER, "iris").await.unwrap(), "Reconciling")["reason"], "Waiting");
    assert_eq!(evictions(&case).len(), 2);

    // The budget does not let it go, though its partner answers.
    let budget = json!({"spec": {
        "maxUnavailable": 0,
        "selector": {"matchLabels": {"intersystems.com/component": "data"}},
    }});
    case.apply("PodDisruptionBudget", "none", &budget).await;
    case.until("PodDisruptionBudget", "none", |budget| {
        let observed = budget["status"]["observedGeneration"] == json!(1);
        if observed && budget["status"]["disruptionsAllowed"] == 0 {
            Ok(())
        } else {
            Err(budget["status"].to_string())
        }
    })
    .await;
    answer(&case, PODS[0], other());
    answer(&case, PODS[2], other());
    case.until_event(
        "iris",
        "Normal Waiting The update of StatefulSet iris-data-0 waits: a PodDisruptionBudget",
    )
    .await;
    assert_eq!(evictions(&case).len(), 2);
    let old = uid(&case.get("Pod", PODS[1]).await.unwrap());
    case.delete("PodDisruptionBudget", "none").await;
    until_evicted(&case, &[PODS[2], PODS[0], PODS[1]]).await;
    // Its mirror fails over while it is away.
    case.until_replaced("Pod", PODS[1], &old).await;
    fail_over(&case, 0);

    until_roles(&case, ["primary", "backup", "drasync"]).await;
    until_strategy(&case, "RollingUpdate").await;
    case.until_ready(CLUSTER, "iris").await;
    for pod in PODS {
        let pod = case.get("Pod", pod).await.unwrap();
        assert_eq!(text(&pod, "/spec/containers/0/image"), IMAGE);
    }
    case.assert_quiet().await;
    assert_eq!(evictions(&case).len(), 3);
    case.end().await;
}

#[tokio::test]
async fn a_hub_that_dies_in_the_middle_goes_on_and_a_broken_pod_stops_the_update() {
    let mut case = Case::alone("primary-update-crash").await;
    let mut cluster = ready_mirror(&case).await;
    fail_over(&case, 1);
    until_roles(&case, ["backup", "primary", "drasync"]).await;
    until_strategy(&case, "OnDelete").await;

    // No node takes it: the first pod of the update never gets ready.
    let data = "/spec/topology/data";
    let broken = json!({"spec": {"nodeSelector": {"no": "where"}}});
    cluster.pointer_mut(data).unwrap()["podTemplate"] = broken;
    case.apply(CLUSTER, "iris", &cluster).await;
    until_evicted(&case, &[PODS[2]]).await;
    case.until_condition(CLUSTER, "iris", ("Ready", "False")).await;
    case.assert_quiet().await;
    let before = case.hub_writes().len();
    case.hub_mut().kill9();
    case.start_hub().await;
    // It sends everything once, and the broken pod stops it as it did the hub before.
    case.eventually("the hub has looked at the mirror", OBJECT_READY, || async {
        let writes = case.hub_writes().split_off(before);
        let is_data = |write: &AuditEvent| write.resource == "statefulsets" && write.name == "iris-data-0";
        if writes.iter().any(is_data) { Ok(()) } else { Err(format!("{writes:?}")) }
    })
    .await;
    case.assert_quiet().await;
    assert_eq!(evictions(&case), [PODS[2]]);

    // The mended spec gets past it, and the primary stays where it is until its turn comes.
    cluster.pointer_mut(data).unwrap()["podTemplate"] = json!({"metadata": {"labels": {"mended": "true"}}});
    case.apply(CLUSTER, "iris", &cluster).await;
    until_evicted(&case, &[PODS[2], PODS[2], PODS[0], PODS[1]]).await;
    fail_over(&case, 0);
    until_roles(&case, ["primary", "backup", "drasync"]).await;
    case.until_ready(CLUSTER, "iris").await;
    case.end().await;
}

#[tokio::test]
async fn a_spec_that_is_taken_back_gets_past_the_pod_that_it_has_left() {
    let case = Case::begin("primary-revert").await;
    let mut cluster = ready_mirror(&case).await;
    fail_over(&case, 1);
    until_roles(&case, ["backup", "primary", "drasync"]).await;
    until_strategy(&case, "OnDelete").await;
    let good = cluster.clone();
    cluster["spec"]["topology"]["data"]["podTemplate"] = json!({"spec": {"nodeSelector": {"no": "where"}}});
    case.apply(CLUSTER, "iris", &cluster).await;
    until_evicted(&case, &[PODS[2]]).await;
    case.until("Pod", PODS[2], |pod| {
        let waits = pod["spec"]["nodeSelector"]["no"] == "where" && pod["status"]["phase"] == "Pending";
        if waits { Ok(()) } else { Err(pod["status"].to_string()) }
    })
    .await;
    // The set has two revisions that are the same now, and a pod of another one.
    case.apply(CLUSTER, "iris", &good).await;
    until_evicted(&case, &[PODS[2], PODS[2]]).await;
    case.until_ready(CLUSTER, "iris").await;
    assert_eq!(evictions(&case).len(), 2, "the others are as they were");
    case.end().await;
}

#[tokio::test]
async fn a_set_that_is_made_anew_with_another_image_is_updated() {
    let case = Case::begin("primary-remade").await;
    let mut cluster = ready_mirror(&case).await;
    fail_over(&case, 1);
    until_roles(&case, ["backup", "primary", "drasync"]).await;
    until_strategy(&case, "OnDelete").await;
    let set = uid(&case.get("StatefulSet", "iris-data-0").await.unwrap());
    let primary = uid(&case.get("Pod", PODS[1]).await.unwrap());
    cluster["spec"]["topology"]["data"]["image"] = IMAGE.into();
    case.apply(CLUSTER, "iris", &sized(cluster, "3Gi")).await;
    case.until_replaced("StatefulSet", "iris-data-0", &set).await;
    until_evicted(&case, &[PODS[2], PODS[0], PODS[1]]).await;
    case.until_replaced("Pod", PODS[1], &primary).await;
    fail_over(&case, 0);
    until_roles(&case, ["primary", "backup", "drasync"]).await;
    case.until_ready(CLUSTER, "iris").await;
    for pod in PODS {
        let pod = case.get("Pod", pod).await.unwrap();
        assert_eq!(text(&pod, "/spec/containers/0/image"), IMAGE);
    }
    case.end().await;
}

#[tokio::test]
async fn two_budgets_for_one_pod_hold_the_update_and_it_is_told() {
    let case = Case::begin("primary-budgets").await;
    let mut cluster = ready_mirror(&case).await;
    fail_over(&case, 1);
    until_roles(&case, ["backup", "primary", "drasync"]).await;
    until_strategy(&case, "OnDelete").await;
    let budget = json!({"spec": {
        "maxUnavailable": 1,
        "selector": {"matchLabels": {"intersystems.com/component": "data"}},
    }});
    for name in ["one", "two"] {
        case.apply("PodDisruptionBudget", name, &budget).await;
        case.until("PodDisruptionBudget", name, |budget| {
            let allowed = budget["status"]["disruptionsAllowed"].clone();
            if allowed == 1 { Ok(()) } else { Err(allowed.to_string()) }
        })
        .await;
    }
    cluster["spec"]["topology"]["data"]["image"] = IMAGE.into();
    case.apply(CLUSTER, "iris", &cluster).await;
    case.until(CLUSTER, "iris", |cluster| {
        let waiting = text(cluster, "/status/waiting/0");
        let is_told = waiting.contains("more than one PodDisruptionBudget selects iris-data-0-2");
        let is_current = cluster["status"]["observedGeneration"] == cluster["metadata"]["generation"];
        if is_told && is_current { Ok(()) } else { Err(cluster["status"].to_string()) }
    })
    .await;
    assert_eq!(evictions(&case), [""; 0]);
    case.delete("PodDisruptionBudget", "two").await;
    until_evicted(&case, &[PODS[2], PODS[0], PODS[1]]).await;
    case.end().await;
}

#[tokio::test]
async fn a_partition_that_was_set_by_hand_goes_where_the_hub_restarts_the_pods() {
    let case = Case::begin("primary-partition").await;
    ready_mirror(&case).await;
    let set = uid(&case.get("StatefulSet", "iris-data-0").await.unwrap());
    // While the StatefulSet restarts its pods it may stay.
    let by_hand = json!({"spec": {"updateStrategy": {"rollingUpdate": {"partition": 1}}}});
    case.edit("StatefulSet", "iris-data-0", &by_hand).await;
    case.assert_quiet().await;
    fail_over(&case, 1);
    until_roles(&case, ["backup", "primary", "drasync"]).await;
    until_strategy(&case, "OnDelete").await;
    case.until_ready(CLUSTER, "iris").await;
    let found = case.get("StatefulSet", "iris-data-0").await.unwrap();
    assert_eq!(found["spec"]["updateStrategy"], json!({"type": "OnDelete"}));
    assert_eq!(uid(&found), set);
    case.assert_quiet().await;
    case.end().await;
}
