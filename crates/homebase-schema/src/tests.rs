//! Verdicts about objects of the real CRDs. The agreement with an apiserver is shown end to end, not here.

use homebase_api::remote_crds;
use serde_json::{Value, json};

use super::{Fault, FaultKind, ReadSchemaError, Schema};

fn schema(kind: &str) -> Schema {
    let all = remote_crds();
    let crd = all.iter().find(|crd| crd.spec.names.kind == kind).unwrap();
    Schema::of(crd).unwrap()
}

fn faults(kind: &str, name: &str, spec: &str) -> Vec<Fault> {
    let schema = schema(kind);
    let mut object: Value = json!({
        "apiVersion": schema.api_version(), "kind": kind, "metadata": {"name": name},
    });
    object["spec"] = serde_saphyr::from_str(spec).unwrap();
    schema.examine(&object)
}

/// The faults of an `IrisCluster` as pairs of path and kind.
#[track_caller]
fn assert_faults(spec: &str, expected: &[(&str, FaultKind)]) {
    let found = faults("IrisCluster", "a", spec);
    let pairs: Vec<_> = found.iter().map(|fault| (fault.path.as_str(), fault.kind)).collect();
    assert_eq!(pairs, expected, "{spec}: {found:#?}");
}

#[test]
fn every_schema_can_be_read() {
    assert_eq!(schema("Iris").kind(), "Iris");
    assert_eq!(schema("IrisCluster").api_version(), "intersystems.com/v1alpha1");
}

#[test]
fn a_keyword_that_is_not_known_is_no_schema() {
    let mut crd = remote_crds().remove(1);
    let root = crd.spec.versions[0].schema.as_mut().unwrap().open_api_v3_schema.as_mut().unwrap();
    root.properties.as_mut().unwrap().get_mut("spec").unwrap().multiple_of = Some(2.0);
    let error = Schema::of(&crd).unwrap_err();
    assert!(
        matches!(&error, ReadSchemaError::KnowKeyword { path, keyword, .. } if path == "spec" && keyword == "multipleOf"),
        "{error}"
    );
    crd.spec.versions[0].served = false;
    assert!(matches!(Schema::of(&crd), Err(ReadSchemaError::FindVersion { .. })));
}

#[test]
fn what_is_right_has_no_fault() {
    for spec in [
        "topology: {data: {image: 'iris:2025.1'}}",
        "topology: {data: {image: iris, mirrored: true, mirrorMap: 'primary,backup,drasync'}}",
        "topology: {data: {image: iris, podTemplate: null, storage: null, storageDB: {resources: {requests: {storage: 10Gi}}}}}",
        "topology: {data: {image: iris, storageDB: {resources: {requests: {storage: 1}}}}, compute: {image: iris, replicas: 0}}",
        "topology: {data: {image: iris, podTemplate: {spec: {extra: 1, resources: {limit: {cpu: 2}}}}}}",
        "topology: {data: {image: iris, updateStrategy: {type: null}}}",
    ] {
        assert_faults(spec, &[]);
    }
    assert_eq!(faults("Iris", "a", "{deploymentName: iris, replicas: 2}"), []);
}

#[test]
fn structure_is_judged_field_by_field() {
    use FaultKind::{Bounds, Form, Required, Type, Unknown};
    assert_faults("{}", &[("spec.topology", Required)]);
    assert_faults("topology: null", &[("spec.topology", Required)]);
    assert_faults("topology: {data: {image: 7}}", &[("spec.topology.data.image", Type)]);
    assert_faults(
        "topology: {data: {image: ''}}",
        &[("spec.topology.data.image", Bounds), ("spec.topology.data.image", Form)],
    );
    assert_faults(
        "topology: {data: {image: iris, mirorred: true}}",
        &[("spec.topology.data.mirorred", Unknown)],
    );
    assert_faults(
        "{topology: {data: {image: iris, shards: 65}, compute: {image: iris, replicas: -1}}}",
        &[("spec.topology.compute.replicas", Bounds), ("spec.topology.data.shards", Bounds)],
    );
    assert_faults("{tls: {ecp: {}}, topology: {data: {image: iris}}}", &[("spec.tls.ecp", Bounds)]);
    assert_faults(
        "{updateStrategy: {type: Never}, topology: {data: {image: iris}}}",
        &[("spec.updateStrategy.type", Form)],
    );
    assert_faults(
        "topology: {data: {image: iris, storageDB: {resources: {requests: {storage: 1.5}}}}}",
        &[("spec.topology.data.storageDB.resources.requests.storage", Type)],
    );
}

#[test]
fn a_misspelt_field_is_told_the_name_that_was_meant() {
    let found = faults("IrisCluster", "a", "topology: {data: {image: iris, mirorred: true, colour: red}}");
    assert_eq!(found[0].path, "spec.topology.data.colour");
    assert!(!found[0].message.contains("meant"), "{}", found[0].message);
    assert!(found[1].message.contains("`mirrored` is probably meant"), "{}", found[1].message);
}

#[test]
fn rules_are_judged_with_their_messages_once_the_structure_is_right() {
    use FaultKind::{Rule, Type};
    let data = |more: &str| format!("topology: {{data: {{image: iris, {more}}}}}");
    assert_faults(&data("mirrorMap: ' primary, backup', mirrored: null"), &[]);
    assert_faults(&data("storage: {}, storageDB: {}"), &[("spec.topology.data.storage", Rule)]);
    assert_faults(
        &data("mirrorMap: 'backup,primary', mirrored: true"),
        &[("spec.topology.data.mirrorMap", Rule)],
    );
    assert_faults(
        &data("storageDB: {resources: {requests: {storage: ten}}}"),
        &[("spec.topology.data.storageDB", Rule)],
    );
    assert_faults(
        &data("storageDB: {resources: {requests: {storage: 0}}}"),
        &[("spec.topology.data.storageDB", Rule)],
    );
    assert_faults(&data("storage: {}, storageDB: {}"), &[("spec.topology.data.storage", Rule)]);
    assert_faults(&data("mirrored: 'yes', mirrorMap: primary"), &[("spec.topology.data.mirrored", Type)]);
    let long = faults("Iris", "a", &format!("deploymentName: {}", "a".repeat(64)));
    assert!(long.len() == 1 && long[0].message.contains("value of a label"), "{long:?}");
}

#[test]
fn no_rule_of_ours_is_undecided() {
    let everything = "{topology: {data: {image: iris, mirrored: true, mirrorMap: 'primary,backup', \
        storageDB: {resources: {requests: {storage: 1Gi}}}, storageWIJ: {resources: {requests: {storage: 1}}}, \
        webgateway: {image: w, type: nginx, ephemeral: true}}, \
        compute: {image: iris, ephemeral: true}, \
        webgateway: {image: w, type: apache, storageDB: {resources: {requests: {storage: 1}}}}}}";
    assert_faults(everything, &[]);
}

#[test]
fn names_and_keys_are_judged() {
    let spec = "topology: {data: {image: iris}}";
    assert_eq!(faults("IrisCluster", "", spec)[0].kind, FaultKind::Required);
    assert_eq!(faults("IrisCluster", "A", spec)[0].kind, FaultKind::Form);
    // A rule of the kind, not one of every object.
    for name in ["1st", "a.b", &"a".repeat(42)] {
        let found = faults("IrisCluster", name, spec);
        assert!(found.len() == 1 && found[0].kind == FaultKind::Rule, "{name}: {found:?}");
    }
    let examine = |metadata: Value| {
        let object = json!({"metadata": metadata, "spec": {"deploymentName": "iris"}});
        let found = schema("Iris").examine(&object).into_iter();
        found.map(|fault| fault.path).collect::<Vec<_>>()
    };
    let fine = json!({"name": "a.b", "namespace": "n", "creationTimestamp": null, "labels": {"a/b": "", "c": "D_d"},
        "annotations": {"A/b": "x y"}});
    assert_eq!(examine(fine), Vec::<String>::new());
    let wrong = json!({"name": "a", "namespace": "n.n", "label": {}, "labels": {"/b": "x", "c": "x y"}, "annotations": {"a b": ""}});
    let expected = [
        "metadata.label",
        "metadata.namespace",
        "metadata.labels[/b]",
        "metadata.labels[c]",
        "metadata.annotations[a b]",
    ];
    assert_eq!(examine(wrong), expected);
    assert_eq!(examine(json!({"name": "a", "labels": {"a": 1}})).len(), 1);
}
