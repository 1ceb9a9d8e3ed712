//! `validate` and `plan` against what they foretell: the apiserver that refuses, and the hub that builds. It must not
//! hold an expectation that one of them does not state.

use std::path::{Path, PathBuf};

use homebase_api::IrisCluster;
use homebase_testkit::{ControlPlane, workspace_root};
use kube::api::ApiResource;
use kube::core::GroupVersionKind;
use serde_json::{Value, json};

use super::scene::{Ran, binary};
use crate::schema::fixture::plane;
use crate::support::{Fleet, OBJECT_READY, apply, create_namespace, hub_requests, object, wait_ready};

/// Fewer manifests than this mean that some were lost.
const MIN_MANIFESTS: usize = 30;

fn manifests(folder: &str) -> Vec<PathBuf> {
    let folder = workspace_root().join("e2e/tests/manifests").join(folder);
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Runs the command line, and waits until it ends.
pub(crate) async fn homebase(words: &[&str]) -> Ran {
    let output = tokio::process::Command::new(binary()).args(words).output().await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: text(&output.stdout),
        err: text(&output.stderr),
        took: std::time::Duration::ZERO,
    }
}

/// What the apiserver says to a file as kubectl sends it, without keeping anything.
async fn refusal(plane: &ControlPlane, file: &Path) -> Option<String> {
    let words = ["apply", "--dry-run=server", "--validate=strict", "-f", file.to_str().unwrap()];
    plane.kubectl_ok(&words).await.err().map(|error| error.to_string())
}

/// The fields that the apiserver would refuse, as `validate` foretells it.
fn foretold(report: &Value) -> Vec<String> {
    let findings =
        report["resources"].as_array().unwrap().iter().flat_map(|one| one["findings"].as_array().unwrap());
    let refused = findings.filter(|one| one["source"] == "apiserver" && one["level"] != "WARNING");
    refused.map(|one| one["field"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn validate_says_what_the_apiserver_says() {
    let plane = plane().await;
    let (accepted, refused) = (manifests("accepted"), manifests("refused"));
    assert!(accepted.len() + refused.len() >= MIN_MANIFESTS);
    let mut faults = Vec::new();
    for (file, accept) in
        accepted.iter().map(|file| (file, true)).chain(refused.iter().map(|file| (file, false)))
    {
        let refusal = refusal(plane, file).await;
        let ran = homebase(&["validate", "-o", "json", "-f", file.to_str().unwrap()]).await;
        let report: Value = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{ran:?}"));
        let foretold = foretold(&report);
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        if refusal.is_none() != accept || foretold.is_empty() != accept || (ran.code == 0) != accept {
            faults.push(format!("{name}: exit {}, {foretold:?}, the apiserver: {refusal:?}", ran.code));
        }
        // A version that is not served is no field of anything to kubectl.
        if let Some(refusal) = refusal.filter(|_| name != "version-that-is-not-served") {
            // The apiserver does not name the label.
            let last = |field: &String| match field.strip_prefix("metadata.labels") {
                Some(_) => "labels".to_owned(),
                None => field.trim_end_matches(']').rsplit(['.', '[']).next().unwrap().to_owned(),
            };
            for field in foretold.iter().filter(|field| !refusal.contains(&last(field))) {
                faults.push(format!("{name}: {field} is not what the apiserver names: {refusal}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[tokio::test]
async fn a_folder_is_judged_as_a_whole() {
    let folder = workspace_root().join("e2e/tests/manifests");
    let accepted = homebase(&["validate", "-f", folder.join("accepted").to_str().unwrap()]).await.ended(0);
    assert!(accepted.err.contains("passed over") && accepted.err.contains("ConfigMap cpf"), "{accepted:?}");
    assert!(accepted.out.lines().any(|line| line.starts_with("WARNING") && line.contains("resources.limit")));
    let refused = homebase(&["validate", "-f", folder.join("refused").to_str().unwrap()]).await.ended(1);
    let bad = refused.out.lines().filter(|line| line.starts_with("INVALID")).count();
    assert!(bad >= manifests("refused").len(), "{}", refused.out);
    let samples = workspace_root().join("deploy/samples");
    homebase(&["validate", "-f", samples.to_str().unwrap()]).await.ended(0);
    homebase(&["validate", "-f", "/no/such/file"]).await.ended(2);
    homebase(&["plan", "-f", folder.join("refused/misspelt.yaml").to_str().unwrap()]).await.ended(1);
}

/// Whether everything that was planned is in what is there; the first thing that is not.
fn missing(planned: &Value, found: &Value, path: &str) -> Option<String> {
    match (planned, found) {
        (Value::Object(planned), Value::Object(found)) => planned.iter().find_map(|(key, value)| {
            let found = found.get(key).unwrap_or(&Value::Null);
            missing(value, found, &format!("{path}.{key}"))
        }),
        (Value::Array(planned), Value::Array(found)) if planned.len() == found.len() => planned
            .iter()
            .zip(found)
            .find_map(|(planned, found)| missing(planned, found, &format!("{path}[]"))),
        _ => (planned != found).then(|| format!("{path}: planned {planned}, found {found}")),
    }
}

fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

#[tokio::test]
async fn plan_shows_what_the_hub_then_makes() {
    const NAMESPACE: &str = "planned";
    let fleet = Fleet::builder("plan").work(ControlPlane::builder("plan-0").zones(["boston"])).start().await;
    let plane = &fleet.work[0];
    fleet.register_by_command(plane).await.ended(0);
    create_namespace(plane, NAMESPACE).await;
    let config = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cpf", "namespace": NAMESPACE},
        "data": {"common.cpf": "[config]\nglobals=0,0,64,0,0,0\n"}});
    let cluster = json!({"apiVersion": "intersystems.com/v1alpha1", "kind": "IrisCluster",
        "metadata": {"name": "iris", "namespace": NAMESPACE},
        "spec": {"configSource": {"name": "cpf"}, "topology": {
            "data": {"image": "iris:2025.1", "mirrored": true, "storageDB": {"resources": {"requests": {"storage": "1Gi"}}},
                "podTemplate": {"spec": {"env": [{"name": "A", "value": "b"}], "resources": {"requests": {"cpu": "10m"}}}}},
            "arbiter": {"image": "arbiter:2025.1"},
            "compute": {"image": "iris:2025.1", "replicas": 1, "ephemeral": true}}}});
    let mark = plane.audit_mark().unwrap();
    apply(plane, &config).await;
    apply(plane, &cluster).await;
    let kind = ApiResource::erase::<IrisCluster>(&());
    wait_ready(plane, &kind, (NAMESPACE, "iris"), OBJECT_READY).await;

    let kept = object(plane, &kind, NAMESPACE, "iris").await.unwrap();
    let file = plane.dir().join("planned.json");
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [config, kept]});
    std::fs::write(&file, list.to_string()).unwrap();
    let ran = homebase(&["plan", "-o", "json", "-f", file.to_str().unwrap()]).await.ended(0);
    let planned: Value = serde_json::from_str(&ran.out).unwrap();
    let planned = planned["items"].as_array().unwrap();
    for wanted in planned {
        let (kind, name) = (text(wanted, "/kind"), text(wanted, "/metadata/name"));
        let group = if kind == "StatefulSet" { "apps" } else { "" };
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1", &kind));
        let found =
            object(plane, &resource, NAMESPACE, &name).await.unwrap_or_else(|| panic!("no {kind} {name}"));
        let found = serde_json::to_value(found).unwrap();
        assert_eq!(missing(wanted, &found, &format!("{kind} {name}")), None);
    }
    assert!(planned.iter().any(|one| !text(one, "/metadata/annotations/homebase.dev~1plan-hash").is_empty()));

    // The same objects, each made once, in the same order.
    let mut made = Vec::new();
    for write in hub_requests(plane, mark) {
        let object = (write.resource.clone(), write.name.clone());
        let is_child = ["services", "configmaps", "statefulsets"].contains(&write.resource.as_str());
        if write.namespace == NAMESPACE && is_child && !made.contains(&object) {
            made.push(object);
        }
    }
    let plural = |kind: String| format!("{}s", kind.to_lowercase());
    let expected: Vec<_> =
        planned.iter().map(|one| (plural(text(one, "/kind")), text(one, "/metadata/name"))).collect();
    assert_eq!(made, expected);
    fleet.assert_invariants().await;
}
