//! Order, format and notes of a plan. That it is what the hub sends is shown end to end.

use serde_json::Value;

use super::super::manifests::Manifests;
use super::{Plan, accepted, documents, plan, table};

const CLUSTER: &str = "---
apiVersion: intersystems.com/v1alpha1
kind: IrisCluster
metadata: {name: a}
spec:
  configSource: {name: c}
  licenseKeySecret: {name: l}
  topology:
    data: {image: 'iris:2025.1', mirrored: true, storageDB: {resources: {requests: {storage: 10Gi}}}}
    arbiter: {image: arbiter}
    compute: {image: iris, ephemeral: true}
";
const CONFIG_MAP: &str = "---
apiVersion: v1
kind: ConfigMap
metadata: {name: c}
data: {common.cpf: '[canary]'}
";

fn planned(text: &str) -> Plan {
    let manifests = Manifests::of(text);
    let resources = accepted(&manifests).unwrap().unwrap();
    plan(&resources, &manifests).unwrap()
}

fn names(plan: &Plan) -> Vec<String> {
    plan.steps.iter().map(|step| table::name(&step.object)).collect()
}

#[test]
fn all_groups_are_there_in_the_order_of_the_hub() {
    let plan = planned(CLUSTER);
    let expected = [
        "Service default/iris-svc",
        "Service default/a",
        "StatefulSet default/a-arbiter",
        "ConfigMap default/a-data-0",
        "StatefulSet default/a-data-0",
        "ConfigMap default/a-compute",
        "StatefulSet default/a-compute",
    ];
    assert_eq!(names(&plan), expected);
    let text = table::table(&plan.steps).render(false);
    let row = |name: &str| {
        let line = text.lines().rfind(|line| line.split_whitespace().nth(1) == Some(name)).unwrap();
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(row("a-arbiter"), "StatefulSet a-arbiter 1 arbiter - - -");
    assert!(row("a-data-0").starts_with("StatefulSet a-data-0 2 iris:2025.1 iris-data 10Gi, "), "{text}");
    assert!(row("a-data-0").ends_with(" - arbiter"), "{text}");
    assert_eq!(row("a-compute"), "StatefulSet a-compute autoscaled iris - - data");
}

#[test]
fn documents_can_be_read_again_and_are_the_same() {
    let plan = planned(&format!("{CLUSTER}{}", CLUSTER.replace("name: a}", "name: b}")));
    let text = documents(&plan.steps).unwrap();
    let again: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
    let objects: Vec<Value> = plan.steps.iter().map(|step| step.object.clone()).collect();
    assert_eq!(again, objects);
    // The shared Service is there once.
    assert_eq!(again.len(), 13);
    assert!(text.contains("# of IrisCluster default/b, once data is ready\n"), "{text}");
}

#[test]
fn what_is_referred_to_is_taken_from_the_manifests_or_noted() {
    let has_note = |plan: &Plan, part: &str| plan.notes.iter().any(|note| note.contains(part));
    let without = planned(CLUSTER);
    assert!(
        has_note(&without, "ConfigMap c (spec.configSource)") && has_note(&without, "Secret l"),
        "{without:?}"
    );
    assert!(has_note(&without, "ownerReferences[].uid") && has_note(&without, "homebase.dev/hub-id"));
    let secret = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: l}\n";
    let with = planned(&format!("{CLUSTER}{CONFIG_MAP}{secret}").replace("{name: a}", "{name: a, uid: u}"));
    assert!(!has_note(&with, "configSource") && !has_note(&with, "Secret l"), "{with:?}");
    assert!(!has_note(&with, "ownerReferences[].uid"), "{with:?}");
    let cpf = |plan: &Plan| plan.steps[3].object["data"]["data.cpf"].as_str().unwrap().to_owned();
    assert!(cpf(&with).contains("[canary]") && !cpf(&without).contains("[canary]"));
    assert_eq!(with.steps[4].object["metadata"]["ownerReferences"][0]["uid"], "u");
}

#[test]
fn two_that_make_the_same_object_are_told() {
    let iris = |name: &str, image: &str| {
        format!(
            "---\napiVersion: test.myardyas.club/v1alpha1\nkind: Iris\nmetadata: {{name: {name}}}\nspec: {{deploymentName: d, image: {image}}}\n"
        )
    };
    let plan = planned(&format!("{}{}", iris("a", "x"), iris("b", "z")));
    assert_eq!(plan.steps.len(), 2);
    assert!(plan.warnings[0].contains("Iris default/a and Iris default/b both make Deployment default/d"));
}

#[test]
fn what_is_invalid_has_no_plan() {
    let manifests = Manifests::of(&CLUSTER.replace("image: arbiter", "imgae: arbiter"));
    assert_eq!(accepted(&manifests).unwrap().unwrap_err(), super::Exit::Failure);
    assert_eq!(accepted(&Manifests::default()).unwrap().unwrap_err(), super::Exit::Unknown);
}
