//! Changes of what a cluster is made from: its `configSource`, and the number of its compute nodes.

use serde_json::{Value, json};

use crate::support::OBJECT_READY;

use super::fixture::{CLUSTER, Case, IMAGE, condition, mirrored, single, text, uid, with_compute};

const HASH: &str = "homebase.dev/config-hash";

fn template_hash(set: &Value) -> String {
    set["spec"]["template"]["metadata"]["annotations"][HASH].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_config_source_is_waited_for_and_followed() {
    let case = Case::begin("config-source").await;
    let mut cluster = with_compute(single(), 1);
    cluster["spec"]["configSource"] = json!({"name": "settings"});
    case.apply(CLUSTER, "iris", &cluster).await;
    let missing = "waits: ConfigMap settings named by spec.configSource.name does not exist";
    let told = case.until(CLUSTER, "iris", |cluster| {
        let wanted = json!([format!("data {missing}"), format!("compute {missing}")]);
        if cluster["status"]["waiting"] == wanted {
            Ok(cluster.clone())
        } else {
            Err(cluster["status"].to_string())
        }
    });
    assert_eq!(condition(&told.await, "Ready")["status"], "False");
    case.until_event("iris", &format!("Normal Waiting data {missing}")).await;
    assert!(case.names("StatefulSet", "").await.is_empty());

    let source =
        |common: &str, data: &str| json!({"data": {"data.cpf": data, "common.cpf": common, "notes": "x"}});
    case.apply("ConfigMap", "settings", &source("[config]\ngmheap=1", "[config]\nglobals=1")).await;
    case.until_ready(CLUSTER, "iris").await;
    let ends = |config: &Value, key: &str, end: &str| {
        let cpf = text(config, &format!("/data/{key}"));
        if cpf.ends_with(end) { Ok(()) } else { Err(cpf) }
    };
    let config = case.get("ConfigMap", "iris-data").await.unwrap();
    ends(&config, "data.cpf", "\n[config]\ngmheap=1\n\n[config]\nglobals=1\n").unwrap();
    let config = case.get("ConfigMap", "iris-compute").await.unwrap();
    ends(&config, "compute.cpf", "MaxServers=64\n\n[config]\ngmheap=1\n").unwrap();

    // A change reaches the pods by a rolling restart, and only those that it concerns.
    let data = case.get("StatefulSet", "iris-data").await.unwrap();
    let compute = case.get("StatefulSet", "iris-compute").await.unwrap();
    let pod = case.get("Pod", "iris-data-0").await.unwrap();
    case.apply("ConfigMap", "settings", &source("[config]\ngmheap=1", "[config]\nglobals=2")).await;
    case.until("ConfigMap", "iris-data", |config| ends(config, "data.cpf", "\nglobals=2\n")).await;
    case.until_replaced("Pod", "iris-data-0", &uid(&pod)).await;
    case.until_ready(CLUSTER, "iris").await;
    let rolled = case.get("StatefulSet", "iris-data").await.unwrap();
    assert_ne!(template_hash(&rolled), template_hash(&data));
    assert_eq!(uid(&rolled), uid(&data));
    let kept = case.get("StatefulSet", "iris-compute").await.unwrap();
    assert_eq!(template_hash(&kept), template_hash(&compute));

    // Without its source nothing can be built anew, and what runs keeps running.
    let pod = uid(&case.get("Pod", "iris-data-0").await.unwrap());
    case.delete("ConfigMap", "settings").await;
    case.until_condition(CLUSTER, "iris", ("Ready", "False")).await;
    case.assert_quiet().await;
    let config = case.get("ConfigMap", "iris-data").await.unwrap();
    ends(&config, "data.cpf", "\nglobals=2\n").unwrap();
    assert_eq!(uid(&case.get("Pod", "iris-data-0").await.unwrap()), pod);
    case.apply("ConfigMap", "settings", &source("[config]\ngmheap=1", "[config]\nglobals=2")).await;
    case.until_ready(CLUSTER, "iris").await;
    assert_eq!(uid(&case.get("Pod", "iris-data-0").await.unwrap()), pod);
    case.end().await;
}

#[tokio::test]
async fn kubectl_scale_changes_the_compute_nodes() {
    let case = Case::begin("scale").await;
    let mut cluster = single();
    cluster["spec"]["topology"]["compute"] = json!({"image": IMAGE, "replicas": 1});
    case.apply(CLUSTER, "iris", &cluster).await;
    case.until_ready(CLUSTER, "iris").await;
    let set = uid(&case.get("StatefulSet", "iris-compute").await.unwrap());
    let claims = "intersystems.com/component=compute";
    let mut volumes = 4;
    for replicas in [3, 0, 2] {
        case.kubectl(&["scale", "iriscluster", "iris", &format!("--replicas={replicas}")]).await;
        let ready = case.until_ready(CLUSTER, "iris").await;
        assert_eq!(text(&ready, "/status/nodes/compute/pods"), format!("{replicas}/{replicas}"));
        assert_eq!(ready["status"]["computeReplicas"], replicas);
        let selector = text(&ready, "/status/computeSelector");
        assert_eq!(case.names("Pod", &selector).await.len(), replicas);
        volumes = volumes.max(replicas * 4);
        assert_eq!(case.names("PersistentVolumeClaim", claims).await.len(), volumes, "claims are kept");
    }
    assert_eq!(uid(&case.get("StatefulSet", "iris-compute").await.unwrap()), set);
    case.until_event("iris", "Normal Scaled Scaled StatefulSet iris-compute from 3 to 0 replicas").await;
    assert!(case.hub_writes().iter().all(|write| write.verb != "delete"));
    case.end().await;
}

#[tokio::test]
async fn without_a_number_of_replicas_an_autoscaler_decides() {
    let case = Case::begin("autoscaled").await;
    let mut cluster = with_compute(single(), 2);
    case.apply(CLUSTER, "iris", &cluster).await;
    case.until_ready(CLUSTER, "iris").await;
    let compute = cluster["spec"]["topology"]["compute"].as_object_mut().unwrap();
    compute.remove("replicas");
    case.apply(CLUSTER, "iris", &cluster).await;
    let ready = case.until_ready(CLUSTER, "iris").await;
    assert_eq!(text(&ready, "/status/nodes/compute/pods"), "2/2", "those that there are stay");
    case.kubectl(&["scale", "statefulset", "iris-compute", "--replicas=4"]).await;
    case.until(CLUSTER, "iris", |cluster| {
        let pods = text(cluster, "/status/nodes/compute/pods");
        if pods == "4/4" { Ok(()) } else { Err(pods) }
    })
    .await;
    case.until_ready(CLUSTER, "iris").await;
    case.assert_quiet().await;
    assert_eq!(case.get("StatefulSet", "iris-compute").await.unwrap()["spec"]["replicas"], 4);
    case.end().await;
}

#[tokio::test]
async fn a_spec_that_is_mended_gets_past_a_pod_that_never_started() {
    let case = Case::begin("mended").await;
    let mut cluster = mirrored();
    case.apply(CLUSTER, "iris", &cluster).await;
    case.until_ready(CLUSTER, "iris").await;
    let claims = case.names("PersistentVolumeClaim", "").await;
    cluster["spec"]["topology"]["data"]["podTemplate"] =
        json!({"spec": {"nodeSelector": {"disk": "none-has-it"}}});
    case.apply(CLUSTER, "iris", &cluster).await;
    let stuck = case.until("Pod", "iris-data-0-1", |pod| {
        let waits =
            pod["spec"]["nodeSelector"]["disk"] == "none-has-it" && pod["status"]["phase"] == "Pending";
        if waits { Ok(uid(pod)) } else { Err(pod["status"].to_string()) }
    });
    let stuck = stuck.await;
    // The other one serves meanwhile, and is not touched.
    let serving = uid(&case.get("Pod", "iris-data-0-0").await.unwrap());
    cluster["spec"]["topology"]["data"].as_object_mut().unwrap().remove("podTemplate");
    case.apply(CLUSTER, "iris", &cluster).await;
    case.until_replaced("Pod", "iris-data-0-1", &stuck).await;
    case.until_ready(CLUSTER, "iris").await;
    assert_eq!(uid(&case.get("Pod", "iris-data-0-0").await.unwrap()), serving);
    case.until_event("iris", "Normal Updated Removed Pod iris-data-0-1, which stood in the way").await;
    assert_eq!(case.names("PersistentVolumeClaim", "").await, claims);
    case.end().await;
}

#[tokio::test]
async fn a_first_spec_that_no_node_takes_is_mended_with_one_eviction() {
    let case = Case::begin("mended-first").await;
    let mut cluster = mirrored();
    cluster["spec"]["topology"]["data"]["podTemplate"] =
        json!({"spec": {"nodeSelector": {"disk": "none-has-it"}}});
    case.apply(CLUSTER, "iris", &cluster).await;
    let stuck = case.until("Pod", "iris-data-0-0", |pod| {
        if pod["status"]["phase"] == "Pending" { Ok(uid(pod)) } else { Err(pod["status"].to_string()) }
    });
    let stuck = stuck.await;
    // From now on its StatefulSet counts it among those of the first template.
    case.until("StatefulSet", "iris-data-0", |set| {
        if set["status"]["currentReplicas"] == 1 { Ok(()) } else { Err(set["status"].to_string()) }
    })
    .await;
    // Not the template of before: the StatefulSet goes on making pods of that by itself.
    cluster["spec"]["topology"]["data"]["podTemplate"] = json!({"metadata": {"labels": {"mended": "yes"}}});
    case.apply(CLUSTER, "iris", &cluster).await;
    let mended = case.until_replaced("Pod", "iris-data-0-0", &stuck).await;
    case.until_ready(CLUSTER, "iris").await;
    assert_eq!(text(&mended, "/metadata/labels/mended"), "yes");
    let evictions = case.hub_writes();
    let evictions = evictions.iter().filter(|write| write.subresource.as_deref() == Some("eviction"));
    assert_eq!(evictions.count(), 1);
    // What it took is taken back.
    case.until("StatefulSet", "iris-data-0", |set| {
        let strategy = &set["spec"]["updateStrategy"];
        if *strategy == json!({"type": "RollingUpdate"}) { Ok(()) } else { Err(strategy.to_string()) }
    })
    .await;
    case.assert_quiet().await;
    case.end().await;
}

#[tokio::test]
async fn compute_nodes_get_volumes_and_give_them_up_again() {
    let case = Case::begin("volumes-later").await;
    let mut cluster = with_compute(single(), 2);
    case.apply(CLUSTER, "iris", &cluster).await;
    case.until_ready(CLUSTER, "iris").await;
    let data = uid(&case.get("Pod", "iris-data-0").await.unwrap());
    let of_compute = "intersystems.com/component=compute";
    for (ephemeral, volumes) in [(false, 4), (true, 0)] {
        cluster["spec"]["topology"]["compute"]["ephemeral"] = ephemeral.into();
        case.apply(CLUSTER, "iris", &cluster).await;
        // Kubernetes adds no volume to a pod that is there, so each one is made anew.
        case.eventually("pods of the present form", OBJECT_READY, || async {
            let pods = case.list("Pod", of_compute).await;
            let claims = |pod: &Value| {
                let volumes = pod["spec"]["volumes"].as_array().unwrap().iter();
                volumes.filter(|volume| !volume["persistentVolumeClaim"].is_null()).count()
            };
            let fit = pods.iter().filter(|pod| claims(pod) == volumes).count();
            if fit == 2 { Ok(()) } else { Err(format!("{fit} of {} pods", pods.len())) }
        })
        .await;
        case.until_ready(CLUSTER, "iris").await;
        assert_eq!(
            case.names("PersistentVolumeClaim", of_compute).await.len(),
            8,
            "claims come, and are kept"
        );
    }
    assert_eq!(uid(&case.get("Pod", "iris-data-0").await.unwrap()), data);
    case.end().await;
}

#[tokio::test]
async fn no_node_goes_whose_new_volumes_a_quota_refuses() {
    let case = Case::begin("volumes-refused").await;
    let mut cluster = with_compute(single(), 2);
    case.apply(CLUSTER, "iris", &cluster).await;
    case.until_ready(CLUSTER, "iris").await;
    let of_compute = "intersystems.com/component=compute";
    let pods = case.uids("Pod", of_compute).await;
    let claims = case.names("PersistentVolumeClaim", "").await.len();
    let quota = |claims: usize| json!({"spec": {"hard": {"persistentvolumeclaims": claims.to_string()}}});
    case.apply("ResourceQuota", "claims", &quota(claims)).await;
    case.until("ResourceQuota", "claims", |quota| {
        let used = text(quota, "/status/used/persistentvolumeclaims");
        if used == claims.to_string() { Ok(()) } else { Err(used) }
    })
    .await;
    cluster["spec"]["topology"]["compute"]["ephemeral"] = false.into();
    case.apply(CLUSTER, "iris", &cluster).await;
    case.until(CLUSTER, "iris", |cluster| {
        let waiting = text(cluster, "/status/waiting/0");
        let held = waiting.starts_with("compute waits with the restart of its pods: PersistentVolumeClaim ");
        if held && waiting.contains("is not there") { Ok(()) } else { Err(cluster["status"].to_string()) }
    })
    .await;
    case.until_event("iris", "Normal Waiting The update of StatefulSet iris-compute waits: Persis").await;
    assert_eq!(case.uids("Pod", of_compute).await, pods);
    case.apply("ResourceQuota", "claims", &quota(claims + 8)).await;
    for (pod, uid) in pods {
        case.until_replaced("Pod", &pod, &uid).await;
    }
    case.until_ready(CLUSTER, "iris").await;
    case.end().await;
}
