//! Collects every fault and every warning of a spec with the path of its field. Must not stop at the first one, and
//! must not repeat a user's value: it may be a secret.

use std::collections::BTreeMap;
use std::fmt;

use homebase_api::embedded::Embedded;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Why a spec is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum InvalidKind {
    /// The value makes no sense.
    Invalid,
    /// The value cannot replace the one that the cluster was built with.
    Immutable,
}

impl InvalidKind {
    /// The reason of the condition and the label of the metric.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "Invalid",
            Self::Immutable => "Immutable",
        }
    }
}

/// One fault of a spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// The field, from the root of the object, such as `spec.topology.data.mirrorMap`.
    pub path: String,
    /// Why it is refused.
    pub kind: InvalidKind,
    /// What is wrong and how to fix it.
    pub message: String,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// The faults and warnings found so far.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) invalid: Vec<Invalid>,
    pub(crate) warnings: Vec<String>,
}

impl Report {
    pub(crate) fn refuse(&mut self, kind: InvalidKind, path: impl Into<String>, message: impl Into<String>) {
        self.invalid.push(Invalid { path: path.into(), kind, message: message.into() });
    }

    pub(crate) fn invalid(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.refuse(InvalidKind::Invalid, path, message);
    }

    pub(crate) fn warn(&mut self, path: impl fmt::Display, message: impl fmt::Display) {
        self.warnings.push(format!("{path}: {message}"));
    }

    /// The core value; a misfit is a fault, an unknown field a warning.
    pub(crate) fn parse<T>(&mut self, path: &str, embedded: &Embedded<T>) -> Option<T>
    where
        T: Serialize + DeserializeOwned,
    {
        self.parse_except(path, embedded, &[])
    }

    /// [`Report::parse`] without warnings for fields that the caller takes from the value itself.
    pub(crate) fn parse_except<T>(&mut self, path: &str, embedded: &Embedded<T>, taken: &[&str]) -> Option<T>
    where
        T: Serialize + DeserializeOwned,
    {
        match embedded.parse() {
            Ok(value) => {
                for field in embedded.unknown_fields() {
                    if !taken.contains(&first_segment(&field)) {
                        self.warn(join(path, &field), "unknown field, has no effect");
                    }
                }
                Some(value)
            }
            Err(error) => {
                self.invalid(
                    join(path, &error.path),
                    format!("the value does not fit the type {}", error.kind),
                );
                None
            }
        }
    }

    pub(crate) fn parse_option<T>(&mut self, path: &str, embedded: Option<&Embedded<T>>) -> Option<T>
    where
        T: Serialize + DeserializeOwned,
    {
        embedded.and_then(|embedded| self.parse(path, embedded))
    }

    /// The core values of a list; `None` for an empty one, which is how Kubernetes writes it.
    pub(crate) fn parse_list<T>(&mut self, path: &str, list: &[Embedded<T>]) -> Option<Vec<T>>
    where
        T: Serialize + DeserializeOwned,
    {
        let parsed: Vec<_> = list
            .iter()
            .enumerate()
            .filter_map(|(index, item)| self.parse(&format!("{path}[{index}]"), item))
            .collect();
        (!parsed.is_empty()).then_some(parsed)
    }

    /// Warns of the fields that landed in a catch-all. A null counts as absent.
    pub(crate) fn unknown(&mut self, path: &str, fields: &BTreeMap<String, Value>) {
        for (name, _) in fields.iter().filter(|(_, value)| !value.is_null()) {
            self.warn(join(path, name), "unknown field, has no effect");
        }
    }
}

/// A path below another; `.` is the value itself.
pub(crate) fn join(path: &str, below: &str) -> String {
    match below {
        "." | "" => path.to_owned(),
        _ if below.starts_with('[') => format!("{path}{below}"),
        _ => format!("{path}.{below}"),
    }
}

fn first_segment(path: &str) -> &str {
    path.split(['.', '[']).next().unwrap_or(path)
}
