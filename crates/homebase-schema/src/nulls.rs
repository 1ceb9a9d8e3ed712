//! What becomes of `null`: an apiserver drops it where a field does not take it. Must not judge anything.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use serde_json::Value;

use crate::structure::{items, values};

/// Drops every `null` of a field that is not nullable, as an apiserver does before it fills in defaults.
pub(crate) fn drop_unwanted(schema: &JSONSchemaProps, value: &mut Value) {
    retain(schema, value, &|schema| schema.nullable == Some(true));
}

/// Drops every `null` of a field that the schema knows: to a rule it is an absent field.
pub(crate) fn drop_all(schema: &JSONSchemaProps, value: &mut Value) {
    retain(schema, value, &|_| false);
}

fn retain(schema: &JSONSchemaProps, value: &mut Value, keeps_null: &dyn Fn(&JSONSchemaProps) -> bool) {
    match value {
        Value::Object(fields) => fields.retain(|name, value| {
            let property = schema.properties.as_ref().and_then(|all| all.get(name));
            let Some(schema) = property.or_else(|| values(schema)) else { return true };
            if value.is_null() {
                return keeps_null(schema);
            }
            retain(schema, value, keeps_null);
            true
        }),
        Value::Array(list) => {
            if let Some(schema) = items(schema) {
                for item in list {
                    retain(schema, item, keeps_null);
                }
            }
        }
        _ => {}
    }
}
