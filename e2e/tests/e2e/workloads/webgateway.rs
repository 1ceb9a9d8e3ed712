//! Web gateways: their objects and files, their servers when compute is scaled, and their end. It must not test what
//! a gateway makes of its files: its image is never pulled.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use super::fixture::{CLUSTER, Case, mirrored, single, text, with_compute};

/// The image is never pulled: KWOK plays the kubelets.
const GATEWAY_IMAGE: &str = "containers.intersystems.com/intersystems/webgateway:2025.1";

fn with_gateway(mut cluster: Value, settings: &Value) -> Value {
    cluster["spec"]["topology"]["webgateway"] = settings.clone();
    cluster["spec"]["topology"]["webgateway"]["image"] = GATEWAY_IMAGE.into();
    cluster
}

/// The names of the servers in the files of a gateway.
async fn servers(case: &Case) -> Vec<String> {
    let files = case.get("ConfigMap", "iris-webgateway").await.unwrap();
    let ini = text(&files, "/data/CSP.ini");
    ini.lines().filter_map(|line| Some(line.strip_suffix("=Enabled")?.to_owned())).collect()
}

#[tokio::test]
async fn a_web_gateway_comes_up_after_compute_and_goes_with_its_section() {
    let case = Case::begin("webgateway").await;
    let settings = json!({
        "type": "apache", "replicas": 2, "applicationPaths": ["/api/app"], "ephemeral": true,
        "preferredZones": ["london"],
    });
    let cluster = with_gateway(with_compute(single(), 2), &settings);
    case.apply(CLUSTER, "iris", &cluster).await;
    let ready = case.until_ready(CLUSTER, "iris").await;
    assert_eq!(text(&ready, "/status/nodes/webgateway/pods"), "2/2");
    let (header, line) = case.columns(&["irisclusters", "-o", "wide"]).await;
    // Columns without a value have no word.
    assert_eq!(header[header.len() - 2..], ["GATEWAY", "AGE"]);
    assert_eq!(line[line.len() - 2], "2/2", "{line:?}");

    assert_eq!(case.names("Service", "").await, ["iris", "iris-svc", "iris-webgateway"]);
    let service = case.get("Service", "iris-webgateway").await.unwrap();
    let port = json!([{"name": "webserver", "port": 80, "protocol": "TCP", "targetPort": "webserver"}]);
    assert_eq!(service["spec"]["ports"], port);
    assert_eq!(servers(&case).await[..2], ["iris-compute-0", "iris-compute-1"]);
    let pods = case.list("Pod", "intersystems.com/component=webgateway").await;
    assert_eq!(pods.len(), 2);
    for pod in &pods {
        assert!(text(pod, "/spec/nodeName").starts_with("london"), "{}", pod["spec"]["nodeName"]);
        let container = &pod["spec"]["containers"][0];
        assert_eq!(container["ports"][0]["containerPort"], 80);
        let env = container["env"].as_array().unwrap();
        let ini = json!({"name": "ISC_CSP_INI_FILE", "value": "/irissys/csp/CSP.ini"});
        assert!(env.contains(&ini), "{env:?}");
    }
    let writes = case.hub_writes();
    let first = |name: &str| {
        let is = |write: &&_| is_set(write, name);
        writes.iter().position(|write| is(&write)).unwrap()
    };
    assert!(first("iris-compute") < first("iris-webgateway"));
    case.assert_quiet().await;

    // A new server reaches the pods.
    let more = with_gateway(with_compute(single(), 3), &settings);
    case.apply(CLUSTER, "iris", &more).await;
    case.until_ready(CLUSTER, "iris").await;
    assert_eq!(servers(&case).await[..3], ["iris-compute-0", "iris-compute-1", "iris-compute-2"]);

    case.apply(CLUSTER, "iris", &with_compute(single(), 3)).await;
    case.until_gone("StatefulSet", "iris-webgateway").await;
    case.until_gone("Service", "iris-webgateway").await;
    case.until_gone("ConfigMap", "iris-webgateway").await;
    let ready = case.until_ready(CLUSTER, "iris").await;
    assert!(ready["status"]["nodes"]["webgateway"].is_null(), "{}", ready["status"]);
    case.end().await;
}

fn is_set(write: &homebase_testkit::AuditEvent, name: &str) -> bool {
    write.resource == "statefulsets" && write.name == name
}

#[tokio::test]
async fn a_sidecar_serves_on_the_port_of_its_cluster_and_goes_with_its_section() {
    let case = Case::begin("sidecar").await;
    let mut cluster = with_compute(mirrored(), 1);
    for group in ["data", "compute"] {
        cluster["spec"]["topology"][group]["webgateway"] =
            json!({"image": GATEWAY_IMAGE, "type": "apache", "ephemeral": true});
    }
    case.apply(CLUSTER, "iris", &cluster).await;
    case.until_ready(CLUSTER, "iris").await;
    let web = async || {
        let service = case.get("Service", "iris").await.unwrap();
        let ports = service["spec"]["ports"].as_array().unwrap().clone();
        ports.into_iter().find(|port| port["name"] == "webserver").unwrap()["port"].clone()
    };
    assert_eq!(web().await, 80);
    for name in ["iris-data-0-0", "iris-data-0-1", "iris-compute-0"] {
        let pod = case.get("Pod", name).await.unwrap();
        let containers = pod["spec"]["containers"].as_array().unwrap();
        let names: Vec<_> = containers.iter().map(|container| text(container, "/name")).collect();
        assert_eq!(names, ["iriscluster", "webgateway"]);
        let ready = pod["status"]["containerStatuses"].as_array().unwrap();
        assert!(ready.iter().all(|status| status["ready"] == true), "{ready:?}");
    }
    let files = case.get("ConfigMap", "iris-data-0").await.unwrap();
    assert!(text(&files, "/data/CSP.ini").contains("[LOCAL]\nIp_Address=127.0.0.1\nTCP_Port=1972\n"));
    case.assert_quiet().await;

    case.apply(CLUSTER, "iris", &with_compute(mirrored(), 1)).await;
    case.until_ready(CLUSTER, "iris").await;
    assert_eq!(web().await, 52773);
    let pod = case.get("Pod", "iris-data-0-0").await.unwrap();
    assert_eq!(pod["spec"]["containers"].as_array().unwrap().len(), 1);
    let files = case.get("ConfigMap", "iris-data-0").await.unwrap();
    assert!(files["data"]["CSP.ini"].is_null(), "{files}");
    case.end().await;
}

#[tokio::test]
async fn the_pod_of_a_gateway_fills_in_its_login_by_itself() {
    let case = Case::begin("webgateway-login").await;
    let settings = json!({"type": "nginx", "loginSecret": {"name": "login"}});
    case.apply(CLUSTER, "iris", &with_gateway(mirrored(), &settings)).await;
    case.until_ready(CLUSTER, "iris").await;
    let claims = case.names("PersistentVolumeClaim", "").await;
    assert!(claims.contains(&"iris-data-iris-webgateway-0".to_owned()), "{claims:?}");
    assert_eq!(servers(&case).await[..2], ["iris-data-0-0", "iris-data-0-1"]);

    // What the init container would do, on the files as they are, with a password that a shell could trip over.
    let pod = case.get("Pod", "iris-webgateway-0").await.unwrap();
    let login = &pod["spec"]["initContainers"][0];
    let root = std::env::temp_dir().join(format!("homebase-login-{}", std::process::id()));
    for directory in ["csp", "csp-template", "login"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    let password = r"]]]U1 'lT\n $(id) %s *";
    fs::write(root.join("login/username"), "CSPSystem").unwrap();
    fs::write(root.join("login/password"), password).unwrap();
    let files = case.get("ConfigMap", "iris-webgateway").await.unwrap();
    for (name, content) in files["data"].as_object().unwrap() {
        fs::write(root.join("csp-template").join(name), content.as_str().unwrap()).unwrap();
    }
    let script = text(login, "/command/2").replace("/irissys", root.to_str().unwrap());
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let ini = fs::read_to_string(root.join("csp/CSP.ini")).unwrap();
    let template = text(&files, "/data/CSP.ini");
    let wanted = template
        .replace("Username=@login@", "Username=CSPSystem")
        .replace("Password=@login@", &format!("Password={password}"));
    assert_eq!(ini, wanted);
    assert_ne!(ini, template);
    let conf = fs::read_to_string(root.join("csp/CSP.conf")).unwrap();
    assert_eq!(conf, text(&files, "/data/CSP.conf"));
    fs::remove_dir_all(&root).unwrap();
    case.end().await;
}
