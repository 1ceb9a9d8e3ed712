//! What is wrong with an object, field by field. Must not decide it.

use std::fmt;

/// What a fault is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultKind {
    /// The kind has no such field.
    Unknown,
    /// The value has another type.
    Type,
    /// The field must be there.
    Required,
    /// The value is too long, too short, too large or too small.
    Bounds,
    /// The value has not the form that it must have, or is none of those that are allowed.
    Form,
    /// A CEL rule does not hold.
    Rule,
    /// A CEL rule cannot be judged here: only an apiserver can tell.
    Undecided,
}

impl FaultKind {
    /// The kind in one word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "UnknownField",
            Self::Type => "WrongType",
            Self::Required => "Required",
            Self::Bounds => "OutOfBounds",
            Self::Form => "WrongForm",
            Self::Rule => "Rule",
            Self::Undecided => "Undecided",
        }
    }

    /// Whether an apiserver looks at no rule because of it.
    pub(crate) const fn blocks_rules(self) -> bool {
        matches!(self, Self::Type | Self::Required | Self::Bounds | Self::Form)
    }
}

/// One fault of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The field from the root of the object, such as `spec.replicas`; empty for the object itself.
    pub path: String,
    /// What it is about.
    pub kind: FaultKind,
    /// What is wrong and how to fix it. It holds no value of the object.
    pub message: String,
}

impl Fault {
    pub(crate) fn new(path: &str, kind: FaultKind, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), kind, message: message.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// A field below a path.
pub(crate) fn below(path: &str, field: &str) -> String {
    if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") }
}
