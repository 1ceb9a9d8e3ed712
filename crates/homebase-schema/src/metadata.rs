//! The part that every object has: its type and `metadata`. Must not judge what only one kind refuses.

use homebase_api::embedded::Embedded;
use homebase_api::limits;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use regex::Regex;
use serde_json::{Map, Value};

use crate::fault::{Fault, FaultKind, below};

/// Longest name of a namespace, and longest name part of a key.
const LABEL_LENGTH: usize = limits::LABEL_LENGTH;
/// Most bytes of all annotations together.
const ANNOTATION_BYTES: usize = 256 * 1024;
/// Names of namespaces.
const NAMESPACE: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";

/// The faults of `metadata`.
pub(crate) fn examine(object: &Value) -> Vec<Fault> {
    let mut faults = Vec::new();
    let path = "metadata";
    let Some(metadata) = object.get(path).filter(|metadata| !metadata.is_null()) else {
        faults.push(Fault::new("metadata.name", FaultKind::Required, "required: name the object"));
        return faults;
    };
    let typed = Embedded::<ObjectMeta>::from_value(metadata.clone());
    if let Err(error) = typed.parse() {
        let path = if error.path == "." { path.to_owned() } else { below(path, &error.path) };
        faults.push(Fault::new(&path, FaultKind::Type, "the value has the wrong type"));
        return faults;
    }
    for field in typed.unknown_fields() {
        let message = "unknown field: remove it, or correct its name or its indentation";
        faults.push(Fault::new(&below(path, &field), FaultKind::Unknown, message));
    }
    name(metadata, &mut faults);
    if let Some(namespace) = metadata.get("namespace").and_then(Value::as_str).filter(|name| !name.is_empty())
        && !(namespace.len() <= LABEL_LENGTH && matches(NAMESPACE, namespace))
    {
        let message = format!(
            "must be the name of a Namespace: at most {LABEL_LENGTH} lower case letters, digits and `-`"
        );
        faults.push(Fault::new("metadata.namespace", FaultKind::Form, message));
    }
    labels(metadata, &mut faults);
    annotations(metadata, &mut faults);
    faults
}

fn name(metadata: &Value, faults: &mut Vec<Fault>) {
    let path = "metadata.name";
    match metadata.get("name").and_then(Value::as_str).unwrap_or_default() {
        "" => faults.push(Fault::new(path, FaultKind::Required, "required: name the object")),
        name if name.len() <= limits::NAME_LENGTH && matches(limits::SUBDOMAIN, name) => {}
        _ => {
            let message = format!(
                "must be at most {} lower case letters, digits, `-` and `.`, and begin and end with a letter or a digit",
                limits::NAME_LENGTH
            );
            faults.push(Fault::new(path, FaultKind::Form, message));
        }
    }
}

fn map<'a>(metadata: &'a Value, field: &str) -> Option<&'a Map<String, Value>> {
    metadata.get(field)?.as_object()
}

fn labels(metadata: &Value, faults: &mut Vec<Fault>) {
    for (key, value) in map(metadata, "labels").into_iter().flatten() {
        let path = format!("metadata.labels[{key}]");
        refuse_key(&path, key, faults);
        let value = value.as_str().unwrap_or_default();
        let is_valid = value.is_empty() || (value.len() <= LABEL_LENGTH && matches(limits::LABEL, value));
        if !is_valid {
            let message = format!("must be at most {LABEL_LENGTH} letters, digits, `-`, `_` and `.`");
            faults.push(Fault::new(&path, FaultKind::Form, message));
        }
    }
}

fn annotations(metadata: &Value, faults: &mut Vec<Fault>) {
    let mut bytes = 0;
    for (key, value) in map(metadata, "annotations").into_iter().flatten() {
        // An apiserver does not mind capitals here.
        refuse_key(&format!("metadata.annotations[{key}]"), &key.to_lowercase(), faults);
        bytes += key.len() + value.as_str().unwrap_or_default().len();
    }
    if bytes > ANNOTATION_BYTES {
        let message = format!("must have at most {ANNOTATION_BYTES} bytes together, and have {bytes}");
        faults.push(Fault::new("metadata.annotations", FaultKind::Bounds, message));
    }
}

/// A key is a name, or the name of a domain, a slash and a name.
fn refuse_key(path: &str, key: &str, faults: &mut Vec<Fault>) {
    let (domain, name) = key.split_once('/').map_or((None, key), |(domain, name)| (Some(domain), name));
    let fits = name.len() <= LABEL_LENGTH
        && matches(limits::LABEL, name)
        && domain
            .is_none_or(|domain| domain.len() <= limits::NAME_LENGTH && matches(limits::SUBDOMAIN, domain));
    if !fits {
        let message = "the key must be a name of letters, digits, `-`, `_` and `.`, after a domain and `/` if there is one";
        faults.push(Fault::new(path, FaultKind::Form, message));
    }
}

/// The patterns are constants, and the tests match each.
fn matches(pattern: &str, text: &str) -> bool {
    Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(text))
}
