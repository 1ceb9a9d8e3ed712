//! Bounds and forms of single values. Must not look below them.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use regex::Regex;
use serde_json::Value;

use crate::fault::{Fault, FaultKind};

/// Adds the faults of a value that has the right type.
pub(crate) fn examine(schema: &JSONSchemaProps, value: &Value, path: &str, faults: &mut Vec<Fault>) {
    let mut refuse = |kind, message: String| faults.push(Fault::new(path, kind, message));
    let (size, most, least, of) = match value {
        Value::String(text) => (text.chars().count(), schema.max_length, schema.min_length, "characters"),
        Value::Array(list) => (list.len(), schema.max_items, schema.min_items, "items"),
        Value::Object(fields) => (fields.len(), schema.max_properties, schema.min_properties, "entries"),
        _ => (0, None, None, ""),
    };
    let size = i64::try_from(size).unwrap_or(i64::MAX);
    if let Some(most) = most.filter(|most| size > *most) {
        refuse(FaultKind::Bounds, format!("must have at most {most} {of}, and has {size}"));
    }
    if let Some(least) = least.filter(|least| size < *least) {
        refuse(FaultKind::Bounds, format!("must have at least {least} {of}, and has {size}"));
    }
    if let Some(number) = value.as_f64() {
        if let Some(most) = schema.maximum.filter(|most| number > *most) {
            refuse(FaultKind::Bounds, format!("must be {most} or less"));
        }
        if let Some(least) = schema.minimum.filter(|least| number < *least) {
            refuse(FaultKind::Bounds, format!("must be {least} or more"));
        }
        if schema.format.as_deref() == Some("int32")
            && !(f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&number)
        {
            refuse(FaultKind::Bounds, "must be an integer of 32 bits".to_owned());
        }
    }
    if let (Value::String(text), Some(pattern)) = (value, &schema.pattern) {
        match Regex::new(pattern) {
            Ok(form) if form.is_match(text) => {}
            Ok(_) => refuse(FaultKind::Form, format!("must have the form {pattern}")),
            Err(_) => refuse(FaultKind::Undecided, format!("the form {pattern} cannot be judged here")),
        }
    }
    if let Some(allowed) = &schema.enum_
        && !allowed.iter().any(|allowed| allowed.0 == *value)
    {
        let allowed: Vec<_> = allowed.iter().map(|allowed| allowed.0.to_string()).collect();
        refuse(FaultKind::Form, format!("must be one of {}", allowed.join(", ")));
    }
}
