//! What a session is told of the CRDs and the rights on its cluster. It decides nothing.

/// How far the installation of the CRDs came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Crds {
    /// Not yet tried.
    Installing,
    /// Served as this hub wants them.
    UpToDate,
    /// The cluster has a newer one, which stays.
    RemoteNewer(String),
    /// Applied, and not served in time.
    NotEstablished(String),
    /// Somebody else's.
    ForeignOwner(String),
    /// The credentials lack the permission.
    Forbidden(String),
    /// The request failed otherwise.
    Failed(String),
}

impl Crds {
    pub(super) const fn is_served(&self) -> bool {
        matches!(self, Self::UpToDate | Self::RemoteNewer(_))
    }
}

/// What the credentials may do on the cluster, compared with what the hub needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Permissions {
    /// All that is needed, and nothing dangerous beyond it.
    Sufficient,
    /// Some of it is missing.
    Missing {
        /// What is missing, in words.
        words: String,
        /// Whether some spec cannot be carried out without it. If not, the cluster is operated as ever.
        stops_work: bool,
    },
    /// All that is needed, and dangerous rights beyond it, in words. The hub works with them all the same.
    Excessive(String),
    /// The cluster does not tell all; why, in words. It may grant everything, so nothing is concluded from it.
    Unknown(String),
}
