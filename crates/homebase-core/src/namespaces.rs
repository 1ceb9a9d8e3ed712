//! The namespaces of a cluster that are worked in: all of them, or those of a list. It reads the list as people write
//! it and looks up nothing: a namespace that does not exist yet may be in it.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

#[cfg(test)]
mod tests;

/// The longest name of a Namespace: one DNS label (RFC 1123).
const MAX_LABEL: usize = 63;
/// As many names as are said in words; the rest is counted.
const MAX_SAID: usize = 10;

/// The text is no name of a Namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("use 1 to {MAX_LABEL} lower case letters, digits and `-`, with a letter or a digit at both ends")]
pub struct InvalidNamespace;

/// The name of a Namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NamespaceName(std::sync::Arc<str>);

impl NamespaceName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for NamespaceName {
    type Err = InvalidNamespace;

    fn from_str(text: &str) -> Result<Self, InvalidNamespace> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let valid = (1..=MAX_LABEL).contains(&text.len())
            && text.starts_with(plain)
            && text.ends_with(plain)
            && text.chars().all(|c| plain(c) || c == '-');
        if valid { Ok(Self(text.into())) } else { Err(InvalidNamespace) }
    }
}

impl fmt::Display for NamespaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where in a cluster the hub works.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Namespaces {
    /// Everywhere.
    #[default]
    All,
    /// In these and nowhere else.
    Only(BTreeSet<NamespaceName>),
}

/// A list as it was written: its names, and the places of entries that are none, from 1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamespaceList {
    /// The names, each once.
    pub names: BTreeSet<NamespaceName>,
    /// The places of entries that are no names.
    pub invalid: Vec<usize>,
}

impl NamespaceList {
    /// Reads names that are separated by commas, with or without spaces around them.
    pub fn read(text: &str) -> Self {
        let mut list = Self::default();
        for (position, entry) in text.split(',').enumerate() {
            match entry.trim().parse() {
                Ok(name) => drop(list.names.insert(name)),
                Err(InvalidNamespace) => list.invalid.push(position + 1),
            }
        }
        list
    }
}

impl Namespaces {
    /// The most that a list may have: each costs some seven watches, and each watch a request that stands open at the
    /// apiserver. Who needs more works in all of them.
    pub const MAX: usize = 64;

    /// The names of a list; empty when it is all of them.
    pub fn names(&self) -> impl Iterator<Item = &NamespaceName> {
        let names = match self {
            Self::All => None,
            Self::Only(names) => Some(names),
        };
        names.into_iter().flatten()
    }

    /// Whether it is a list.
    pub fn is_list(&self) -> bool {
        matches!(self, Self::Only(_))
    }
}

impl fmt::Display for Namespaces {
    /// Such as `all namespaces`, `namespace a` or `namespaces a, b and 3 more`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all namespaces"),
            Self::Only(names) => f.write_str(&said(names)),
        }
    }
}

/// Some namespaces in words, such as `namespace a` or `namespaces a, b and 3 more`.
pub fn said<'a>(names: impl IntoIterator<Item = &'a NamespaceName>) -> String {
    let names: Vec<&str> = names.into_iter().map(NamespaceName::as_str).collect();
    let shown = names.iter().take(MAX_SAID).copied().collect::<Vec<_>>().join(", ");
    match names.len() {
        1 => format!("namespace {shown}"),
        count if count > MAX_SAID => format!("namespaces {shown} and {} more", count - MAX_SAID),
        _ => format!("namespaces {shown}"),
    }
}
