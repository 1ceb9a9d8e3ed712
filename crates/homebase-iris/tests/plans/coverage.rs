//! Compares the schema with the golden inputs: a field that no folder uses fails. Must not list the fields: the schema
//! does.

use std::collections::BTreeSet;

use homebase_api::IrisCluster;
use homebase_iris::cluster::{Dereferenced, validate};
use kube_core::CustomResourceExt as _;
use serde_json::Value;

use crate::golden::{folders, read_input};

/// The paths of all fields below a schema; lists and embedded values end a path.
fn fields(schema: &Value, path: &str, all: &mut BTreeSet<String>) {
    let Some(properties) = schema["properties"].as_object() else { return };
    for (name, below) in properties {
        let path = format!("{path}.{name}");
        fields(below, &path, all);
        fields(&below["items"], &path, all);
        all.insert(path);
    }
}

/// The paths of all fields that a value uses.
fn used(value: &Value, path: &str, all: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (name, below) in map {
                let path = format!("{path}.{name}");
                used(below, &path, all);
                all.insert(path);
            }
        }
        Value::Array(list) => list.iter().for_each(|item| used(item, path, all)),
        _ => {}
    }
}

fn spec_fields() -> BTreeSet<String> {
    let crd = serde_json::to_value(IrisCluster::crd()).unwrap();
    let spec = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
    let mut all = BTreeSet::new();
    fields(spec, "", &mut all);
    all
}

#[test]
fn every_field_is_in_a_golden_input_that_is_accepted() {
    let mut seen = BTreeSet::new();
    for folder in folders() {
        let input = read_input(&folder);
        let Ok(cluster) = serde_json::from_value::<IrisCluster>(input.clone()) else { continue };
        if input["kind"] == "IrisCluster" && validate(&cluster, &Dereferenced::default()).is_ok() {
            used(&input["spec"], "", &mut seen);
        }
    }
    let fields = spec_fields();
    assert!(fields.len() > 100, "{} fields", fields.len());
    let missing: Vec<_> = fields.iter().filter(|path| !seen.contains(*path)).collect();
    assert!(missing.is_empty(), "in no golden input: {missing:#?}");
}
