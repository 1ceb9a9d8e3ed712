//! Validated names. A value of one of these types is safe to use as an object's name, a metric label and
//! a log field; nothing here looks anything up.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

#[cfg(test)]
mod tests;

/// The longest name that Kubernetes takes for most objects (DNS-1123 subdomain).
const MAX_SUBDOMAIN: usize = 253;

/// Why a text is not a valid name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// There is no text.
    #[error("the name is empty: give it 1 to {MAX_SUBDOMAIN} characters")]
    Empty,
    /// The text is longer than Kubernetes allows.
    #[error("the name has {0} characters: shorten it to {MAX_SUBDOMAIN} at most")]
    TooLong(usize),
    /// The text has a character that a DNS-1123 subdomain cannot have, or has it in the wrong place.
    #[error(
        "the name is not a DNS-1123 subdomain: use lower case letters, digits, `-` and `.`, and begin and end \
         each part with a letter or a digit"
    )]
    NotDns1123,
}

/// Whether a text is a DNS-1123 subdomain: what Kubernetes takes for the names of most kinds.
pub fn is_subdomain(text: &str) -> bool {
    validate_subdomain(text).is_ok()
}

fn validate_subdomain(text: &str) -> Result<(), InvalidName> {
    if text.is_empty() {
        return Err(InvalidName::Empty);
    }
    if text.len() > MAX_SUBDOMAIN {
        return Err(InvalidName::TooLong(text.chars().count()));
    }
    let alphanumeric = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    let valid_part = |part: &str| {
        let bytes = part.as_bytes();
        bytes.iter().all(|&c| alphanumeric(c) || c == b'-')
            && bytes.first().is_some_and(|&c| alphanumeric(c))
            && bytes.last().is_some_and(|&c| alphanumeric(c))
    };
    if text.split('.').all(valid_part) { Ok(()) } else { Err(InvalidName::NotDns1123) }
}

/// The name of a registered work cluster: also the name of its `WorkCluster`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClusterId(std::sync::Arc<str>);

impl ClusterId {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ClusterId {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        validate_subdomain(text)?;
        Ok(Self(text.into()))
    }
}

impl TryFrom<String> for ClusterId {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<ClusterId> for String {
    fn from(id: ClusterId) -> Self {
        id.0.as_ref().to_owned()
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a cluster *is*: the UID of its `kube-system` Namespace, whatever its URL or its registration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClusterUid(String);

impl ClusterUid {
    /// Takes a UID as the apiserver gave it.
    pub fn new(uid: impl Into<String>) -> Self {
        Self(uid.into())
    }

    /// The UID as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClusterUid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a namespaced object is within one cluster. A name says where to look, never *which* object it
/// is: decisions need its UID.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// The object's namespace; empty for an object of the whole cluster.
    pub namespace: String,
    /// The object's name.
    pub name: String,
}

impl ObjectKey {
    /// A key of its two parts.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            f.write_str(&self.name)
        } else {
            write!(f, "{}/{}", self.namespace, self.name)
        }
    }
}
