//! The structure of an object against its schema: types, required fields, and what lies below. Must not judge rules.

use std::collections::BTreeSet;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use serde_json::Value;

use crate::bounds;
use crate::fault::{Fault, FaultKind, below};

/// The keywords that are judged here, or that say nothing about validity.
const KEYWORDS: [&str; 24] = [
    "additionalProperties",
    "description",
    "enum",
    "format",
    "items",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "nullable",
    "pattern",
    "properties",
    "required",
    "title",
    "type",
    "x-kubernetes-int-or-string",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-list-type",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-validations",
];

/// The schema of the items of a list.
pub(crate) fn items(schema: &JSONSchemaProps) -> Option<&JSONSchemaProps> {
    match schema.items.as_ref()? {
        JSONSchemaPropsOrArray::Schema(items) => Some(items),
        JSONSchemaPropsOrArray::Schemas(_) => None,
    }
}

/// The schema of the values of a map.
pub(crate) fn values(schema: &JSONSchemaProps) -> Option<&JSONSchemaProps> {
    match schema.additional_properties.as_ref()? {
        JSONSchemaPropsOrBool::Schema(values) => Some(values),
        JSONSchemaPropsOrBool::Bool(_) => None,
    }
}

/// Finds the first keyword that is not known here, with its field.
pub(crate) fn check_keywords(schema: &JSONSchemaProps, path: &str) -> Result<(), (String, String)> {
    // Types of k8s-openapi serialize without exception; a failure finds no keyword and is found by the tests.
    let written = serde_json::to_value(schema).unwrap_or_default();
    let keywords = written.as_object().into_iter().flatten().map(|(keyword, _)| keyword);
    if let Some(unknown) = keywords.into_iter().find(|keyword| !KEYWORDS.contains(&keyword.as_str())) {
        return Err((path.to_owned(), unknown.clone()));
    }
    if schema.x_kubernetes_list_type.as_deref().is_some_and(|kind| kind != "map" && kind != "atomic") {
        return Err((path.to_owned(), "x-kubernetes-list-type".to_owned()));
    }
    for (name, property) in schema.properties.iter().flatten() {
        check_keywords(property, &below(path, name))?;
    }
    items(schema).map_or(Ok(()), |items| check_keywords(items, &format!("{path}[]")))?;
    values(schema).map_or(Ok(()), |values| check_keywords(values, &format!("{path}{{}}")))
}

/// Adds the faults of a value and of everything below it.
pub(crate) fn examine(schema: &JSONSchemaProps, value: &Value, path: &str, faults: &mut Vec<Fault>) {
    if value.is_null() && schema.nullable == Some(true) {
        return;
    }
    if let Some(message) = wrong_type(schema, value) {
        faults.push(Fault::new(path, FaultKind::Type, message));
        return;
    }
    bounds::examine(schema, value, path, faults);
    match value {
        Value::Object(fields) => {
            for name in schema.required.iter().flatten().filter(|name| !fields.contains_key(*name)) {
                faults.push(Fault::new(&below(path, name), FaultKind::Required, "required: add the field"));
            }
            for (name, value) in fields {
                let property = schema.properties.as_ref().and_then(|all| all.get(name));
                if let Some(schema) = property.or_else(|| values(schema)) {
                    examine(schema, value, &below(path, name), faults);
                }
            }
        }
        Value::Array(list) => {
            if let Some(schema) = items(schema) {
                for (index, item) in list.iter().enumerate() {
                    examine(schema, item, &format!("{path}[{index}]"), faults);
                }
            }
            refuse_repeated_keys(schema, list, path, faults);
        }
        _ => {}
    }
}

fn wrong_type(schema: &JSONSchemaProps, value: &Value) -> Option<String> {
    if schema.x_kubernetes_int_or_string == Some(true) {
        let fits = value.is_string() || is_integer(value);
        return (!fits).then(|| format!("must be an integer or a string, and is {}", type_of(value)));
    }
    let wanted = schema.type_.as_deref()?;
    let fits = match wanted {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => is_integer(value),
        "number" => value.is_number(),
        _ => false,
    };
    if fits {
        return None;
    }
    let hint = match (wanted, value) {
        ("string", Value::Number(_) | Value::Bool(_)) => ": put it in quotes",
        ("integer" | "number" | "boolean", Value::String(_)) => ": remove the quotes",
        _ => "",
    };
    Some(format!("must be of type {wanted}, and is {}{hint}", type_of(value)))
}

/// A number without a fraction, however it is written.
fn is_integer(value: &Value) -> bool {
    value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0)
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// A list that is a map has each key once.
fn refuse_repeated_keys(schema: &JSONSchemaProps, list: &[Value], path: &str, faults: &mut Vec<Fault>) {
    let Some(keys) = &schema.x_kubernetes_list_map_keys else { return };
    let mut seen = BTreeSet::new();
    for (index, item) in list.iter().enumerate() {
        let key: Vec<_> =
            keys.iter().map(|key| item.get(key).map(ToString::to_string).unwrap_or_default()).collect();
        if !seen.insert(key) {
            let message = format!("repeats the {} of an item before it: choose another", keys.join(" and "));
            faults.push(Fault::new(&format!("{path}[{index}]"), FaultKind::Form, message));
        }
    }
}
