//! What can be in the way of a CRD, in words that name the fix.

use crate::client::REQUEST_TIMEOUT;
use crate::error::{Category, RequestError, categorize};

use super::ESTABLISH_TIMEOUT;
use super::migrate::MAX_PASSES;

/// A CRD could not be installed.
#[derive(Debug, thiserror::Error)]
pub enum InstallCrdError {
    /// The CRD could not be read.
    #[error("read CRD {name}")]
    ReadCrd {
        /// The CRD's name.
        name: String,
        /// Why.
        #[source]
        source: RequestError,
    },
    /// The CRD could not be applied.
    #[error("apply CRD {name}")]
    ApplyCrd {
        /// The CRD's name.
        name: String,
        /// Why.
        #[source]
        source: RequestError,
    },
    /// The CRD belongs to somebody else.
    #[error(
        "CRD {name} is there already and was not made by Homebase: annotate the registration Secret with \
         homebase.dev/crd-policy=Adopt, or label the CRD app.kubernetes.io/managed-by=homebase, to hand it over with its \
         objects; do not delete it, as that deletes every object of its kind"
    )]
    ForeignOwner {
        /// The CRD's name.
        name: String,
    },
    /// The CRD is missing, or an older one, and may not be written.
    #[error(
        "CRD {name} is missing or older than this hub needs, and the policy Never forbids to install it: install it from deploy/crds"
    )]
    KeepOut {
        /// The CRD's name.
        name: String,
    },
    /// Another hub works on the cluster.
    #[error(
        "CRD {name} was claimed by another hub ({hub}), so nothing is written here: deregister the cluster at that hub, or \
         if that hub is gone, start this hub with --take-over {hub}"
    )]
    KeepOtherHubs {
        /// The CRD's name.
        name: String,
        /// The other hub.
        hub: String,
    },
    /// A newer hub has taken a version away.
    #[error("upgrade the hub: version {version} of CRD {name}, which it works with, is not served any more")]
    UpgradeHub {
        /// The CRD's name.
        name: String,
        /// The version.
        version: String,
    },
    /// The change would remove a version in which objects are stored, and they could not be moved out of it.
    #[error(
        "CRD {name} has objects stored in version {version}, which this hub does not know, and they are not migrated: \
         grant the rules of deploy/rbac/work-cluster.yaml in all namespaces, or migrate them and take {version} out of \
         the CRD's status.storedVersions"
    )]
    RemoveStoredVersion {
        /// The CRD's name.
        name: String,
        /// The version.
        version: String,
        /// Why not.
        #[source]
        source: Box<MigrateObjectsError>,
    },
    /// The apiserver does not serve the CRD.
    #[error("CRD {name} was not established within {} s: {detail}", ESTABLISH_TIMEOUT.as_secs())]
    Establish {
        /// The CRD's name.
        name: String,
        /// What the apiserver says of it.
        detail: String,
    },
}

impl InstallCrdError {
    /// Whether rights are what is missing.
    pub fn is_forbidden(&self) -> bool {
        match self {
            Self::RemoveStoredVersion { source, .. } => source.category() == Some(Category::Forbidden),
            _ => self.category() == Some(Category::Forbidden),
        }
    }

    /// The kind of the failed request about a CRD itself, when it was one that failed.
    pub fn category(&self) -> Option<Category> {
        match self {
            Self::ReadCrd { source, .. } | Self::ApplyCrd { source, .. } => Some(categorize(source)),
            Self::ForeignOwner { .. }
            | Self::KeepOtherHubs { .. }
            | Self::KeepOut { .. }
            | Self::UpgradeHub { .. }
            | Self::RemoveStoredVersion { .. }
            | Self::Establish { .. } => None,
        }
    }
}

/// Stored objects could not be moved to another version.
#[derive(Debug, thiserror::Error)]
pub enum MigrateObjectsError {
    /// The right to end it is missing, so it is not begun.
    #[error("try a patch of the CRD's status")]
    AskForRight(#[source] RequestError),
    /// The objects could not be listed.
    #[error("list all objects of the kind")]
    ListObjects(#[source] RequestError),
    /// One of them could not be written.
    #[error("write {namespace}/{name} as it is")]
    RewriteObject {
        /// Where it is.
        namespace: String,
        /// Its name.
        name: String,
        /// Why.
        #[source]
        source: RequestError,
    },
    /// What is stored could not be put on record.
    #[error("take the version out of status.storedVersions")]
    RecordVersions(#[source] RequestError),
    /// There was no answer in time.
    #[error("no complete answer within {} s", REQUEST_TIMEOUT.as_secs())]
    AwaitAnswer,
    /// The objects are somebody else's.
    #[error("no version of Homebase made the CRD, so the objects may have fields that a move would drop")]
    KeepForeign,
    /// There is no end to it.
    #[error("objects were still written in other versions after {MAX_PASSES} passes over all of them")]
    Settle,
    /// The CRD has no version to move them to.
    #[error("the CRD has no storage version with a status")]
    FindStorage,
}

impl MigrateObjectsError {
    /// The kind of the failed request, when it was a request that failed.
    pub fn category(&self) -> Option<Category> {
        match self {
            Self::AskForRight(source) | Self::ListObjects(source) | Self::RecordVersions(source) => {
                Some(categorize(source))
            }
            Self::RewriteObject { source, .. } => Some(categorize(source)),
            Self::AwaitAnswer => Some(Category::ResponseTimeout),
            Self::KeepForeign | Self::Settle | Self::FindStorage => None,
        }
    }
}
