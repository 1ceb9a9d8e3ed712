//! Holds a core Kubernetes value as the user wrote it, so that a misspelt field is neither lost nor fatal.
//! It decides which fields a core type does not know; it must not judge whether the value makes sense.

use std::{any::type_name, borrow::Cow, fmt, marker::PhantomData};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};
use serde_json::Value;

/// A value of the core type `T` in the form that the user wrote, unknown fields and all.
///
/// In a CRD it is `type: object` with `x-kubernetes-preserve-unknown-fields: true`: the apiserver keeps it as it
/// is, and [`Embedded::parse`] and [`Embedded::unknown_fields`] judge it later.
pub struct Embedded<T> {
    value: Value,
    core: PhantomData<fn() -> T>,
}

/// The value cannot be read as its core type.
///
/// The offending value is left out on purpose: it may be a password in an environment variable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: the value does not fit the type {kind}")]
pub struct EmbeddedError {
    /// Where the misfit is, relative to the embedded value, such as `limits.cpu`; `.` is the value itself.
    pub path: String,
    /// The core type, such as `ResourceRequirements`.
    pub kind: &'static str,
}

impl<T> Embedded<T> {
    /// Wraps a value as it was read.
    pub fn from_value(value: Value) -> Self {
        Self { value, core: PhantomData }
    }

    /// The value as it was written.
    pub fn as_value(&self) -> &Value {
        &self.value
    }
}

impl<T: Serialize + DeserializeOwned> Embedded<T> {
    /// Wraps a core value.
    ///
    /// # Panics
    /// Never for the types of `k8s-openapi`: they serialize to JSON without exception.
    pub fn new(core: &T) -> Self {
        Self::from_value(serde_json::to_value(core).expect("core types serialize to JSON"))
    }

    /// The core value. Unknown fields are ignored here; see [`Embedded::unknown_fields`].
    pub fn parse(&self) -> Result<T, EmbeddedError> {
        serde_path_to_error::deserialize(&self.value)
            .map_err(|error| EmbeddedError { path: error.path().to_string(), kind: short_name::<T>() })
    }

    /// Paths of the fields that `T` does not know, such as `limit`, in the order of the document.
    /// Empty when the value cannot be read at all: [`Embedded::parse`] says that.
    pub fn unknown_fields(&self) -> Vec<String> {
        let mut unknown = Vec::new();
        if let Some(known) = self.parse().ok().and_then(|core| serde_json::to_value(core).ok()) {
            collect_unknown(&self.value, &known, "", &mut unknown);
        }
        unknown
    }
}

fn short_name<T>() -> &'static str {
    let full = type_name::<T>();
    full.rsplit("::").next().unwrap_or(full)
}

/// `written` against what survived a round trip through the core type.
fn collect_unknown(written: &Value, known: &Value, path: &str, unknown: &mut Vec<String>) {
    match (written, known) {
        (Value::Object(written), Value::Object(known)) => {
            for (key, value) in written.iter().filter(|(_, value)| !value.is_null()) {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                match known.get(key) {
                    Some(known) => collect_unknown(value, known, &path, unknown),
                    None => unknown.push(path),
                }
            }
        }
        (Value::Array(written), Value::Array(known)) => {
            for (index, (value, known)) in written.iter().zip(known).enumerate() {
                collect_unknown(value, known, &format!("{path}[{index}]"), unknown);
            }
        }
        _ => {}
    }
}

impl<T> Clone for Embedded<T> {
    fn clone(&self) -> Self {
        Self::from_value(self.value.clone())
    }
}

impl<T> PartialEq for Embedded<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T> fmt::Debug for Embedded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the value: it may hold a password in an environment variable.
        write!(f, "Embedded<{}>", short_name::<T>())
    }
}

impl<T> Serialize for Embedded<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

impl<'de, T> Deserialize<'de> for Embedded<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(Self::from_value)
    }
}

impl<T> JsonSchema for Embedded<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("Embedded{}", short_name::<T>()).into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true })
    }
}

#[cfg(test)]
mod tests;
