//! What users say of pods, volumes and licences, and how it reaches the StatefulSets.

use serde_json::{Value, json};

use super::fixture::{ARBITER_IMAGE, CLUSTER, Case, IMAGE, condition, single, text, uid};

fn rich() -> Value {
    json!({"spec": {
        "licenseKeySecret": {"name": "license"},
        "imagePullSecrets": [{"name": "registry"}],
        "storageClassName": "kwok-volume",
        "updateStrategy": {"type": "OnDelete"},
        "volumes": [{"name": "extra", "emptyDir": {}}],
        "topology": {
            "data": {
                "image": IMAGE,
                "storageDB": {"resources": {"requests": {"storage": "10Gi"}}},
                "storageWIJ": {"mountPath": "/wij"},
                "storageJournal1": {"accessModes": ["ReadWriteMany"]},
                // Lies under a mount of the user's: a directory there, and no claim.
                "storageJournal2": {"mountPath": "/extra/journal2"},
                "volumeMounts": [{"name": "extra", "mountPath": "/extra"}],
                "podTemplate": {
                    "metadata": {"labels": {"team": "blue"}, "annotations": {"note": "pod"}},
                    "controller": {"annotations": {"note": "set"}},
                    "spec": {
                        "args": ["--check-caps false"],
                        "env": [{"name": "TZ", "value": "UTC"}],
                        "resources": {"requests": {"cpu": "1", "memory": "2Gi"}, "limit": {"cpu": "2"}},
                        "nodeSelector": {"kubernetes.io/os": "linux"},
                        "tolerations": [{"key": "iris", "operator": "Exists"}],
                        "terminationGracePeriodSeconds": 600,
                        "securityContext": {"runAsUser": 51773, "allowPrivilegeEscalation": false},
                        "readinessProbe": {"exec": {"command": ["/irisHealth.sh"]}},
                        "initContainers": [{"name": "prepare", "image": "busybox:1"}],
                    },
                },
            },
            "arbiter": {"image": ARBITER_IMAGE, "podTemplate": {"spec": {"args": null}}},
            "compute": {"image": IMAGE, "replicas": 1, "ephemeral": true, "podTemplate": {"spec": null},
                "updateStrategy": {"type": "RollingUpdate"}},
        },
    }})
}

#[tokio::test]
async fn what_users_say_of_pods_reaches_them() {
    let case = Case::begin("pod-template").await;
    case.apply(CLUSTER, "iris", &rich()).await;
    let ready = case.until_ready(CLUSTER, "iris").await;
    let accepted = condition(&ready, "SpecAccepted");
    assert_eq!(accepted["reason"], "AcceptedWithWarnings");
    let warning = text(&accepted, "/message");
    assert!(
        warning.contains("spec.topology.data.podTemplate.spec.resources.limit: unknown field"),
        "{warning}"
    );

    let set = case.get("StatefulSet", "iris-data").await.unwrap();
    assert_eq!(set["metadata"]["annotations"]["note"], "set");
    assert_eq!(set["spec"]["updateStrategy"]["type"], "OnDelete");
    let template = &set["spec"]["template"];
    assert_eq!(template["metadata"]["labels"]["team"], "blue");
    assert_eq!(template["metadata"]["annotations"]["note"], "pod");
    let pod = &template["spec"];
    assert_eq!(pod["nodeSelector"], json!({"kubernetes.io/os": "linux"}));
    assert_eq!(pod["tolerations"], json!([{"key": "iris", "operator": "Exists"}]));
    assert_eq!(pod["terminationGracePeriodSeconds"], 600);
    assert_eq!(pod["securityContext"]["runAsUser"], 51773);
    assert_eq!(pod["imagePullSecrets"], json!([{"name": "registry"}]));
    assert_eq!(pod["initContainers"][0]["name"], "prepare");
    let container = &pod["containers"][0];
    assert_eq!(container["args"], json!(["--key", "/irissys/key/iris.key", "--check-caps false"]));
    assert_eq!(container["resources"], json!({"requests": {"cpu": "1", "memory": "2Gi"}}));
    assert_eq!(container["readinessProbe"]["exec"]["command"], json!(["/irisHealth.sh"]));
    assert_eq!(container["securityContext"]["allowPrivilegeEscalation"], false);
    let env = container["env"].as_array().unwrap();
    assert!(env.contains(&json!({"name": "TZ", "value": "UTC"})), "{env:?}");
    let volume = |name: &str| {
        let mut all = pod["volumes"].as_array().unwrap().iter();
        all.find(|volume| volume["name"] == name).cloned().unwrap()
    };
    assert_eq!(volume("iris-key")["secret"]["secretName"], "license");
    let mount = |name: &str| {
        let mut all = container["volumeMounts"].as_array().unwrap().iter();
        all.find(|mount| mount["name"] == name).map(|mount| text(mount, "/mountPath"))
    };
    assert_eq!(mount("iris-key").unwrap(), "/irissys/key");
    assert_eq!(mount("iris-wij").unwrap(), "/wij");
    assert_eq!(mount("iris-journal2"), None);

    let arbiter = case.get("StatefulSet", "iris-arbiter").await.unwrap();
    let agent = &arbiter["spec"]["template"]["spec"]["containers"][0];
    assert!(
        agent["args"].is_null() && agent["volumeMounts"].is_null(),
        "an ISCAgent has no licence: {agent}"
    );
    assert_eq!(agent["ports"][0]["containerPort"], 2188);
    let compute = case.get("StatefulSet", "iris-compute").await.unwrap();
    assert_eq!(compute["spec"]["updateStrategy"]["type"], "RollingUpdate");
    case.end().await;
}

#[tokio::test]
async fn storage_fields_reach_the_claims() {
    let case = Case::begin("storage").await;
    case.apply(CLUSTER, "iris", &rich()).await;
    case.until_ready(CLUSTER, "iris").await;
    let claims = case.names("PersistentVolumeClaim", "").await;
    assert_eq!(claims, ["iris-data-iris-data-0", "iris-journal1-iris-data-0", "iris-wij-iris-data-0"]);
    let claim = case.get("PersistentVolumeClaim", "iris-data-iris-data-0").await.unwrap();
    assert_eq!(claim["spec"]["resources"]["requests"]["storage"], "10Gi");
    assert_eq!(claim["spec"]["storageClassName"], "kwok-volume");
    let claim = case.get("PersistentVolumeClaim", "iris-journal1-iris-data-0").await.unwrap();
    assert_eq!(claim["spec"]["accessModes"], json!(["ReadWriteMany"]));
    let config = case.get("ConfigMap", "iris-data").await.unwrap();
    let cpf = text(&config, "/data/data.cpf");
    assert!(
        cpf.contains("\nwijdir=/wij/\n") && cpf.contains("\nAlternateDirectory=/extra/journal2/\n"),
        "{cpf}"
    );
    case.end().await;
}

#[tokio::test]
async fn a_field_that_is_taken_out_of_the_spec_goes() {
    let case = Case::begin("taken-out").await;
    let mut cluster = single();
    cluster["spec"]["topology"]["data"]["podTemplate"] = json!({
        "metadata": {"labels": {"team": "blue"}},
        "spec": {"env": [{"name": "TZ", "value": "UTC"}], "priorityClassName": "system-cluster-critical"},
    });
    case.apply(CLUSTER, "iris", &cluster).await;
    case.until_ready(CLUSTER, "iris").await;
    let before = case.get("StatefulSet", "iris-data").await.unwrap();
    assert_eq!(before["spec"]["template"]["metadata"]["labels"]["team"], "blue");
    assert_eq!(before["spec"]["template"]["spec"]["priorityClassName"], "system-cluster-critical");
    let claims = case.list("PersistentVolumeClaim", "").await;

    case.apply(CLUSTER, "iris", &single()).await;
    case.until_ready(CLUSTER, "iris").await;
    let after = case.get("StatefulSet", "iris-data").await.unwrap();
    assert_eq!(uid(&after), uid(&before));
    let template = &after["spec"]["template"];
    assert!(template["metadata"]["labels"]["team"].is_null(), "{template}");
    assert!(template["spec"]["priorityClassName"].is_null(), "{template}");
    let env = template["spec"]["containers"][0]["env"].as_array().unwrap();
    assert!(env.iter().all(|variable| variable["name"] != "TZ"), "{env:?}");
    // Ready means that the pods are those of the new template.
    let pod = case.get("Pod", "iris-data-0").await.unwrap();
    assert!(pod["metadata"]["labels"]["team"].is_null(), "{}", pod["metadata"]);
    case.until_event("iris", "Normal Updated Updated StatefulSet iris-data").await;
    let kept = case.list("PersistentVolumeClaim", "").await;
    assert_eq!(claims.iter().map(uid).collect::<Vec<_>>(), kept.iter().map(uid).collect::<Vec<_>>());
    case.end().await;
}
