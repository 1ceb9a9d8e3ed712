//! Values that specs may hold, by field: those of every golden input. It must not judge them.

use std::collections::BTreeMap;

use homebase_testkit::workspace_root;
use serde_json::Value;

/// The names of the fields from `spec` down to one; lists end a path.
pub(super) type Path = Vec<String>;

/// Every value of every field in the golden inputs.
pub(super) fn read() -> BTreeMap<Path, Vec<Value>> {
    let golden = workspace_root().join("crates/homebase-iris/tests/golden");
    let mut pool = BTreeMap::new();
    for folder in std::fs::read_dir(golden).unwrap() {
        let text = std::fs::read_to_string(folder.unwrap().path().join("input.yaml")).unwrap();
        let documents: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
        for document in documents.iter().filter(|document| document["kind"] == "IrisCluster") {
            collect(&document["spec"], &mut Vec::new(), &mut pool);
        }
    }
    assert!(pool.len() > 100, "{} fields in the golden inputs", pool.len());
    pool
}

fn collect(value: &Value, path: &mut Path, pool: &mut BTreeMap<Path, Vec<Value>>) {
    if !path.is_empty() {
        let values = pool.entry(path.clone()).or_default();
        if !values.contains(value) {
            values.push(value.clone());
        }
    }
    for (name, below) in value.as_object().into_iter().flatten() {
        path.push(name.clone());
        collect(below, path, pool);
        path.pop();
    }
}
