//! A plan as a table: one line for each object. It reads objects and decides nothing.

use serde_json::Value;

use super::Step;
use crate::commands::output::{Cell, Table};

const HEADINGS: [&str; 7] = ["KIND", "NAME", "REPLICAS", "IMAGE", "STORAGE", "ZONES", "WAITS-FOR"];
/// What stands for nothing.
const NOTHING: &str = "-";
/// The label of a node by which pods are bound to zones.
const ZONE: &str = "topology.kubernetes.io/zone";

pub(super) fn table(steps: &[Step]) -> Table {
    let namespaces = steps.iter().map(|step| text(&step.object, "/metadata/namespace"));
    let one_namespace = namespaces.clone().all(|namespace| Some(namespace) == namespaces.clone().next());
    let rows = steps.iter().map(|step| row(step, one_namespace)).collect();
    Table { headings: HEADINGS.into(), rows }
}

/// The object in words.
pub(super) fn name(object: &Value) -> String {
    let part = |pointer| text(object, pointer);
    format!("{} {}/{}", part("/kind"), part("/metadata/namespace"), part("/metadata/name"))
}

fn row(step: &Step, one_namespace: bool) -> Vec<Cell> {
    let object = &step.object;
    let name = text(object, "/metadata/name");
    let name = if one_namespace { name } else { format!("{}/{name}", text(object, "/metadata/namespace")) };
    vec![
        text(object, "/kind").into(),
        name.into(),
        replicas(object).into(),
        or_nothing(list(object, "/spec/template/spec/containers").map(|one| text(one, "/image"))),
        or_nothing(list(object, "/spec/volumeClaimTemplates").map(claim)),
        or_nothing(zones(object)),
        step.waits_for.as_deref().unwrap_or(NOTHING).into(),
    ]
}

fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn list<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

fn or_nothing(texts: impl Iterator<Item = String>) -> Cell {
    let texts: Vec<_> = texts.filter(|text| !text.is_empty()).collect();
    if texts.is_empty() { NOTHING.into() } else { texts.join(", ").into() }
}

/// Pods that are wanted. A controller without a number is left to an autoscaler.
fn replicas(object: &Value) -> String {
    let has_pods = object.pointer("/spec/template").is_some();
    match object.pointer("/spec/replicas") {
        Some(replicas) => replicas.to_string(),
        None if has_pods => "autoscaled".to_owned(),
        None => NOTHING.to_owned(),
    }
}

fn claim(claim: &Value) -> String {
    let size = text(claim, "/spec/resources/requests/storage");
    format!("{} {size}", text(claim, "/metadata/name")).trim_end().to_owned()
}

/// The zones that the pods of an object must be in.
fn zones(object: &Value) -> impl Iterator<Item = String> {
    let terms = "/spec/template/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms";
    let wanted = list(object, terms).flat_map(|term| list(term, "/matchExpressions"));
    let in_zones = wanted.filter(|one| text(one, "/key") == ZONE && text(one, "/operator") == "In");
    in_zones.flat_map(|one| list(one, "/values")).filter_map(|zone| zone.as_str().map(str::to_owned))
}
