//! Names, labels, ports, selectors and CPF of an `IrisCluster`'s objects: users' own Services, monitors and clean-up
//! scripts rely on every one.

use kube::api::PostParams;
use serde_json::{Value, json};

use super::fixture::{CLUSTER, Case, IMAGE, mirrored, single, text, uid};

fn port(name: &str, port: u16) -> Value {
    json!({"name": name, "port": port, "protocol": "TCP", "targetPort": name})
}

/// What every pod mounts, in the order of their names.
const VOLUMES: [&str; 4] = ["iris-data", "iris-journal1", "iris-journal2", "iris-wij"];

fn claims(pods: &[&str]) -> Vec<String> {
    let mut claims: Vec<_> =
        pods.iter().flat_map(|pod| VOLUMES.map(|volume| format!("{volume}-{pod}"))).collect();
    claims.sort();
    claims
}

async fn cpf(case: &Case, config_map: &str, key: &str) -> String {
    let config_map = case.get("ConfigMap", config_map).await.unwrap();
    assert_eq!(config_map["data"].as_object().unwrap().len(), 1, "{config_map}");
    config_map["data"][key].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_mirrored_cluster() {
    let case = Case::begin("mirrored").await;
    let mut cluster = mirrored();
    cluster["spec"]["topology"]["compute"] = json!({"image": IMAGE});
    let applied = case.apply(CLUSTER, "live", &cluster).await;
    case.until_ready(CLUSTER, "live").await;

    assert_eq!(case.names("StatefulSet", "").await, ["live-arbiter", "live-compute", "live-data-0"]);
    let ours = "app.kubernetes.io/managed-by=homebase";
    assert_eq!(case.names("ConfigMap", ours).await, ["live-compute", "live-data-0"]);
    assert_eq!(case.names("Service", "").await, ["iris-svc", "live"]);
    let pods = ["live-arbiter-0", "live-compute-0", "live-data-0-0", "live-data-0-1"];
    assert_eq!(case.names("Pod", "").await, pods);
    assert_eq!(case.names("PersistentVolumeClaim", "").await, claims(&pods[1..]));
    for claim in case.list("PersistentVolumeClaim", "").await {
        assert_eq!(claim["spec"]["accessModes"], json!(["ReadWriteOnce"]));
        assert_eq!(claim["spec"]["resources"]["requests"]["storage"], "2Gi");
        assert_eq!(claim["status"]["phase"], "Bound");
    }

    for set in case.list("StatefulSet", "").await {
        assert_eq!(set["spec"]["serviceName"], "iris-svc");
        let kept = json!({"whenDeleted": "Retain", "whenScaled": "Retain"});
        assert_eq!(set["spec"]["persistentVolumeClaimRetentionPolicy"], kept);
        assert_eq!(set["metadata"]["ownerReferences"][0]["uid"], applied["metadata"]["uid"]);
        assert_eq!(set["spec"]["template"]["spec"]["containers"][0]["name"], "iriscluster");
    }
    let data = case.get("Pod", "live-data-0-1").await.unwrap();
    let labels = &data["metadata"]["labels"];
    for (key, value) in [
        ("kind", "IrisCluster"),
        ("name", "live"),
        ("component", "data"),
        ("role", "iris"),
        ("shard", "0"),
        ("mirrorRole", "backup"),
    ] {
        assert_eq!(labels[format!("intersystems.com/{key}")], value, "{key} in {labels}");
    }
    assert_eq!(
        (&data["spec"]["hostname"], &data["spec"]["subdomain"]),
        (&json!("live-data-0-1"), &json!("iris-svc"))
    );
    let env = data["spec"]["containers"][0]["env"].as_array().unwrap();
    assert!(
        env.contains(&json!({"name": "ISC_CPF_MERGE_FILE", "value": "/irissys/cpf/data.cpf"})),
        "{env:?}"
    );
    assert!(env.contains(&json!({"name": "ISC_DATA_DIRECTORY", "value": "/irissys/data/IRIS"})), "{env:?}");
    case.end().await;
}

#[tokio::test]
async fn services_and_cpf() {
    let case = Case::begin("services").await;
    let mut cluster = mirrored();
    cluster["spec"]["topology"]["compute"] = json!({"image": IMAGE, "replicas": 0, "ephemeral": true});
    case.apply(CLUSTER, "live", &cluster).await;
    case.until_ready(CLUSTER, "live").await;
    let plain = case.apply(CLUSTER, "plain", &single()).await;
    case.until_ready(CLUSTER, "plain").await;

    let service = case.get("Service", "live").await.unwrap();
    assert_eq!(service["spec"]["ports"], json!([port("superserver", 1972), port("webserver", 52773)]));
    assert_eq!(service["spec"]["type"], "ClusterIP");
    let mut selector = json!({
        "intersystems.com/kind": "IrisCluster", "intersystems.com/name": "live",
        "intersystems.com/component": "data", "intersystems.com/shard": "0",
        "intersystems.com/mirrorRole": "primary",
    });
    assert_eq!(service["spec"]["selector"], selector);
    selector["intersystems.com/name"] = "plain".into();
    selector.as_object_mut().unwrap().remove("intersystems.com/mirrorRole");
    let service = case.get("Service", "plain").await.unwrap();
    assert_eq!(service["spec"]["selector"], selector);
    assert_eq!(service["metadata"]["ownerReferences"][0]["uid"], uid(&plain));

    let shared = case.get("Service", "iris-svc").await.unwrap();
    assert_eq!(shared["spec"]["clusterIP"], "None");
    assert!(shared["spec"]["ports"].is_null() && shared["metadata"]["ownerReferences"].is_null(), "{shared}");
    let selector = json!({"intersystems.com/kind": "IrisCluster", "intersystems.com/role": "iris"});
    assert_eq!(shared["spec"]["selector"], selector);

    let text = cpf(&case, "live-data-0", "data.cpf").await;
    let mirror = "ConfigMirror:Name=IRISMIRROR1,Member=auto,Primary=auto,Map=\"primary,backup\",\
                  ArbiterURL=live-arbiter-0.iris-svc.services.svc.cluster.local:2188\n";
    assert!(text.contains(mirror), "{text}");
    let text = cpf(&case, "live-compute", "compute.cpf").await;
    assert!(text.contains("IRIS-0=live-data-0-0.iris-svc.services.svc.cluster.local,1972,1\n"), "{text}");
    assert!(text.contains("Directory=:mirror:IRISMIRROR1:IRISCLUSTER"), "{text}");
    let text = cpf(&case, "plain-data", "data.cpf").await;
    assert!(
        !text.contains("MIRROR") && text.contains("ModifyService:Name=%service_ecp,Enabled=1\n"),
        "{text}"
    );
    assert_eq!(case.names("Pod", "intersystems.com/name=plain").await, ["plain-data-0"]);
    case.end().await;
}

#[tokio::test]
async fn a_service_template_changes_ports_by_name() {
    let case = Case::begin("service-template").await;
    let mut cluster = single();
    cluster["spec"]["serviceTemplate"] = json!({
        "metadata": {"annotations": {"lb": "internal"}},
        "spec": {"type": "NodePort", "sessionAffinity": "ClientIP", "ports": [
            {"name": "webserver", "port": 80, "nodePort": 30080}, {"name": "MgmtPortal", "port": 8080},
        ]},
    });
    case.apply(CLUSTER, "iris", &cluster).await;
    let ready = case.until_ready(CLUSTER, "iris").await;
    let warning = text(&super::fixture::condition(&ready, "SpecAccepted"), "/message");
    assert!(warning.contains("spec.serviceTemplate.spec.ports[1]: has no effect"), "{warning}");
    let service = case.get("Service", "iris").await.unwrap();
    assert_eq!(service["metadata"]["annotations"]["lb"], "internal");
    assert_eq!(
        (&service["spec"]["type"], &service["spec"]["sessionAffinity"]),
        (&json!("NodePort"), &json!("ClientIP"))
    );
    let ports = service["spec"]["ports"].as_array().unwrap();
    let numbers: Vec<_> =
        ports.iter().map(|port| (text(port, "/name"), port["port"].as_u64().unwrap())).collect();
    assert_eq!(numbers, [("superserver".to_owned(), 1972), ("webserver".to_owned(), 80)]);
    assert_eq!(ports[1]["nodePort"], 30080);

    // What is taken out of the spec goes from the Service.
    case.apply(CLUSTER, "iris", &single()).await;
    case.until_ready(CLUSTER, "iris").await;
    let service = case.get("Service", "iris").await.unwrap();
    assert!(service["metadata"]["annotations"]["lb"].is_null(), "{service}");
    assert_eq!(service["spec"]["ports"], json!([port("superserver", 1972), port("webserver", 52773)]));
    assert_eq!(service["spec"]["type"], "ClusterIP");
    case.end().await;
}

#[tokio::test]
async fn a_text_of_a_user_arrives_as_it_is_whatever_is_in_it() {
    let case = Case::begin("wild-text").await;
    // An apiserver takes these in JSON; in the body of an apply, which it reads as YAML, they are errors or line ends.
    let wild = "a\u{7F}b\u{85}c\u{9B}d\u{2028}e\u{FEFF}f\u{202E}\u{1F600}\t\n";
    let mut cluster = single();
    cluster["apiVersion"] = "intersystems.com/v1alpha1".into();
    cluster["kind"] = CLUSTER.into();
    cluster["metadata"] = json!({"name": "wild"});
    cluster["spec"]["topology"]["data"]["podTemplate"] =
        json!({"spec": {"env": [{"name": "WILD", "value": wild}]}});
    let object = serde_json::from_value(cluster).unwrap();
    case.api(CLUSTER).create(&PostParams::default(), &object).await.unwrap();
    case.until_ready(CLUSTER, "wild").await;
    let set = case.get("StatefulSet", "wild-data").await.unwrap();
    let env = set.pointer("/spec/template/spec/containers/0/env").unwrap().as_array().unwrap().clone();
    let value = env.iter().find(|one| one["name"] == "WILD").unwrap()["value"].clone();
    assert_eq!(value, wild);
    case.assert_quiet().await;
    case.end().await;
}
