//! Values of arguments with a form of their own. Reading one looks nothing up.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use homebase_core::namespaces::NamespaceList;
use homebase_core::{ClusterId, InvalidName, Namespaces};

#[cfg(test)]
mod tests;

/// The longest name of a Kubernetes namespace.
const MAX_LABEL: usize = 63;
/// The longest duration: beyond it nothing is a lifetime, and seconds still fit every type.
const MAX_DAYS: u64 = 3650;
const SECONDS_PER_DAY: u64 = 24 * 60 * 60;

/// Why an argument cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidValue {
    /// The text is no name of a namespace.
    #[error("use 1 to {MAX_LABEL} lower case letters, digits and `-`, with a letter or a digit at both ends")]
    NameNamespace,
    /// The text is no duration.
    #[error("use a whole number with s, m, h or d, such as 30s, 10m, 24h or 90d, up to {MAX_DAYS}d")]
    ReadDuration,
    /// The text is no list of namespaces.
    #[error("use 1 to {} names of namespaces, separated by commas", Namespaces::MAX)]
    ListNamespaces,
    /// The text names no resource.
    #[error(
        "use CLUSTER/NAMESPACE/NAME for a registered cluster, or NAMESPACE/NAME for the cluster of --kubeconfig"
    )]
    NameResource,
    /// The text is no URL of an apiserver.
    #[error("use a URL such as https://api.example.com:6443")]
    ReadUrl,
}

/// Name of a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamespaceName(String);

/// Some namespaces of a work cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WatchedNamespaces(pub(crate) Namespaces);

/// Name of a service account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AccountName(String);

/// URL of an apiserver. Whether the hub would take it is decided with the whole kubeconfig.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerUrl(String);

/// A duration in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Lifetime(Duration);

impl Lifetime {
    /// None at all.
    pub(crate) const ZERO: Self = Self(Duration::ZERO);
}

/// An IrisCluster, on a registered cluster or on the one that the kubeconfig leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AttestTarget {
    pub(crate) cluster: Option<ClusterId>,
    pub(crate) namespace: NamespaceName,
    pub(crate) name: String,
}

impl FromStr for AttestTarget {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let parts: Vec<&str> = text.split('/').collect();
        let (cluster, namespace, name) = match parts.as_slice() {
            [namespace, name] => (None, *namespace, *name),
            [cluster, namespace, name] => (Some(*cluster), *namespace, *name),
            _ => return Err(InvalidValue::NameResource),
        };
        let cluster = cluster.map(|cluster| cluster.parse().map_err(|_| InvalidValue::NameResource));
        // Resources are named by the same rule as clusters.
        let name: ClusterId = name.parse().map_err(|_| InvalidValue::NameResource)?;
        Ok(Self { cluster: cluster.transpose()?, namespace: namespace.parse()?, name: name.into() })
    }
}

impl fmt::Display for AttestTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(cluster) = &self.cluster {
            write!(f, "{cluster}/")?;
        }
        write!(f, "{}/{}", self.namespace.as_str(), self.name)
    }
}

impl NamespaceName {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl AccountName {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl ServerUrl {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Lifetime {
    pub(crate) const fn duration(self) -> Duration {
        self.0
    }
}

impl FromStr for NamespaceName {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let valid = (1..=MAX_LABEL).contains(&text.len())
            && text.starts_with(plain)
            && text.ends_with(plain)
            && text.chars().all(|c| plain(c) || c == '-');
        if valid { Ok(Self(text.to_owned())) } else { Err(InvalidValue::NameNamespace) }
    }
}

impl FromStr for WatchedNamespaces {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let NamespaceList { names, invalid } = NamespaceList::read(text);
        let is_usable = invalid.is_empty() && (1..=Namespaces::MAX).contains(&names.len());
        if is_usable { Ok(Self(Namespaces::Only(names))) } else { Err(InvalidValue::ListNamespaces) }
    }
}

impl FromStr for AccountName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        // Kubernetes names both by the same rule.
        text.parse::<ClusterId>().map(|name| Self(name.into()))
    }
}

impl FromStr for ServerUrl {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let url: http::Uri = text.parse().map_err(|_| InvalidValue::ReadUrl)?;
        let is_https = url.scheme_str() == Some("https") && url.host().is_some();
        if is_https { Ok(Self(text.to_owned())) } else { Err(InvalidValue::ReadUrl) }
    }
}

impl FromStr for Lifetime {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let units = [("s", 1), ("m", 60), ("h", 3600), ("d", SECONDS_PER_DAY)];
        let split = units.iter().find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, *seconds)));
        let (number, seconds) = split.ok_or(InvalidValue::ReadDuration)?;
        // Rust reads `+1` as a number.
        let digits = number.bytes().all(|byte| byte.is_ascii_digit());
        let number: u64 = number.parse().ok().filter(|_| digits).ok_or(InvalidValue::ReadDuration)?;
        let total = number.checked_mul(seconds).filter(|total| *total <= MAX_DAYS * SECONDS_PER_DAY);
        total.map(|total| Self(Duration::from_secs(total))).ok_or(InvalidValue::ReadDuration)
    }
}

impl fmt::Display for Lifetime {
    /// In the largest unit that takes no fraction.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let units = [(SECONDS_PER_DAY, "d"), (3600, "h"), (60, "m")];
        match units.into_iter().find(|(unit, _)| seconds > 0 && seconds.is_multiple_of(*unit)) {
            Some((unit, letter)) => write!(f, "{}{letter}", seconds / unit),
            None => write!(f, "{seconds}s"),
        }
    }
}
