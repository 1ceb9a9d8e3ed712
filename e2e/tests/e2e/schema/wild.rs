//! Manifests as users have them are accepted by `kubectl apply`, which refuses unknown fields, and come back whole.

use homebase_api::{Iris, IrisCluster};
use kube::api::Api;
use serde_json::{Value, json};

use super::fixture::{NAMESPACE, plane};

/// Inputs that were seen in the wild, each with a name; below `spec`.
const WILD: [(&str, &str); 16] = [
    ("args-null", "topology: {data: {image: iris, podTemplate: {spec: {args: null}}}}"),
    ("args-words", r#"topology: {data: {image: iris, podTemplate: {spec: {args: ["--check-caps false"]}}}}"#),
    ("spec-null", "topology: {data: {image: iris, podTemplate: {spec: null}}}"),
    ("template-null", "topology: {data: {image: iris, podTemplate: null, preferredZones: null}}"),
    ("metadata-null", "topology: {data: {image: iris, podTemplate: {metadata: null, controller: null}}}"),
    (
        "resources-limit",
        "topology: {data: {image: iris, podTemplate: {spec: {resources: {limit: {cpu: 2}, requests: {cpu: 1}}}}}}",
    ),
    (
        "hugepages",
        "topology: {data: {image: iris, podTemplate: {spec: {resources: {limits: {hugepages-2Mi: 2Gi, memory: 4Gi}}}}}}",
    ),
    (
        "security-context",
        "topology: {data: {image: iris, podTemplate: {spec: {securityContext: \
         {fsGroup: 51773, runAsUser: 51773, allowPrivilegeEscalation: false, capabilities: {add: [SYS_NICE]}}}}}}",
    ),
    ("no-compute", "topology: {data: {image: iris}, compute: {image: iris, replicas: 0}}"),
    ("lone-arbiter", "topology: {data: {image: iris, mirrored: false}, arbiter: {image: arbiter}}"),
    ("arbiter-mirrored", "topology: {data: {image: iris}, arbiter: {image: arbiter, mirrored: false}}"),
    (
        "gateway-without-type",
        "topology: {data: {image: iris, webgateway: {image: gateway}}, webgateway: {image: gateway-nginx, replicas: 2}}",
    ),
    (
        "without-effect",
        "topology: {data: {image: iris, mirrorMap: 'primary, backup', irisDatabases: [{name: A, seed: /seed}]}, \
         compute: {image: iris, ephemeral: true, storageDB: {mountPath: /a, resources: {requests: {storage: 1Gi}}}}}",
    ),
    (
        "named-port",
        "{serviceTemplate: {spec: {type: LoadBalancer, ports: [{name: MgmtPortal, port: 52773, targetPort: 52773}]}}, \
         topology: {data: {image: iris}}}",
    ),
    (
        "unknown-fields",
        "{serviceTemplate: {extra: 1, metadata: {labels: {a: b}}, spec: {extra: 1}}, topology: {data: {image: iris, \
         podTemplate: {extra: 1, metadata: {name: a}, controller: {labels: {a: b}}, spec: {activeDeadlineSeconds: \
         5, env: [{name: A, valu: b}], affinity: {extra: 1}}}}}}",
    ),
    (
        "dialect",
        "{storageClassName: fast, topology: {data: {image: iris, compatibilityVersion: \"2020.4.0\", storageDB: \
         {resources: {requests: {storage: 10737418240}}, mountPath: /irissys/data}}}}",
    ),
];

fn manifest(name: &str, spec: &str) -> String {
    format!(
        "apiVersion: intersystems.com/v1alpha1\nkind: IrisCluster\nmetadata: {{name: wild-{name}, namespace: \
         {NAMESPACE}}}\nspec:\n  {spec}\n"
    )
}

/// `written` as it should come back: what was null is gone, and only that.
fn without_null(written: Value) -> Value {
    match written {
        Value::Object(fields) => {
            let kept = fields.into_iter().filter(|(_, value)| !value.is_null());
            kept.map(|(key, value)| (key, without_null(value))).collect::<serde_json::Map<_, _>>().into()
        }
        other => other,
    }
}

async fn apply(file: &str, text: &str, server_side: bool) -> Result<String, homebase_testkit::Error> {
    let plane = plane().await;
    let path = plane.dir().join(format!("{file}.yaml"));
    std::fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap();
    let side = format!("--server-side={server_side}");
    plane.kubectl_ok(&["apply", "--validate=strict", &side, "-f", path]).await
}

#[tokio::test]
async fn manifests_in_the_wild_are_accepted() {
    let client = plane().await.client().await.unwrap();
    let api: Api<IrisCluster> = Api::namespaced(client, NAMESPACE);
    let mut faults = Vec::new();
    for (name, spec) in WILD {
        // Client-side and then server-side: the second must find nothing to refuse in what the first has kept.
        for server_side in [false, true] {
            if let Err(error) = apply(&format!("wild-{name}"), &manifest(name, spec), server_side).await {
                faults.push(format!("{name}: {error}"));
            }
        }
        let Ok(kept) = api.get(&format!("wild-{name}")).await else { continue };
        let written: Value = serde_saphyr::from_str(spec).unwrap();
        let kept = serde_json::to_value(&kept.spec).unwrap();
        if !holds(&without_null(written.clone()), &kept) {
            faults.push(format!("{name}: wrote {written}, got {kept}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Whether `kept` has everything that was written. A size may come back as text, and `false` as nothing.
fn holds(written: &Value, kept: &Value) -> bool {
    match (written, kept) {
        (Value::Object(written), Value::Object(kept)) => {
            written.iter().all(|(key, value)| match kept.get(key) {
                Some(kept) => holds(value, kept),
                None => *value == json!({}) || *value == json!(false),
            })
        }
        (Value::Number(written), Value::String(kept)) => written.to_string() == *kept,
        _ => written == kept,
    }
}

#[tokio::test]
async fn files_of_several_documents_are_accepted() {
    let documents: Vec<_> = ["one", "two"]
        .map(|name| manifest(&format!("many-{name}"), "topology: {data: {image: iris}}"))
        .into_iter()
        .collect();
    let answer = apply("many", &format!("---\n{}---\n", documents.join("---\n")), true).await.unwrap();
    assert_eq!(answer.lines().count(), 2, "{answer}");
}

#[tokio::test]
async fn unknown_fields_outside_of_templates_are_refused_by_name() {
    let text = manifest("misspelt", "topology: {data: {image: iris, mirorred: true}}");
    let error = apply("misspelt", &text, true).await.unwrap_err().to_string();
    assert!(error.contains("spec.topology.data.mirorred"), "{error}");
}

#[tokio::test]
async fn samples_are_accepted() {
    let client = plane().await.client().await.unwrap();
    for sample in ["iris.yaml", "iriscluster-mirrored.yaml"] {
        let path = homebase_testkit::workspace_root().join("deploy/samples").join(sample);
        apply(&format!("sample-{sample}"), &std::fs::read_to_string(path).unwrap(), false).await.unwrap();
    }
    let iris = Api::<Iris>::namespaced(client.clone(), NAMESPACE).get("iris").await.unwrap();
    assert_eq!(iris.spec.replicas, Some(2));
    let cluster = Api::<IrisCluster>::namespaced(client, NAMESPACE).get("sample").await.unwrap();
    assert!(cluster.spec.topology.data.mirrored);
}
