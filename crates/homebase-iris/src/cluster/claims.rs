//! The claims of the pods of a cluster as they were found: what a plan of their growth depends on, and nothing else of
//! them. Must not decide anything from it.

use std::collections::BTreeMap;

use homebase_core::text::{self, Limit};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, PersistentVolumeClaimStatus};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

/// As much as is shown of the words of a storage provider, which stand in a status.
const MAX_MESSAGE: Limit = Limit::Chars(1024);

/// The claims of a cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Claims {
    /// Nobody has listed them, or the hub may not: one that is not seen may be there.
    #[default]
    Unknown,
    /// Every claim, by name.
    Known(BTreeMap<String, ObservedClaim>),
}

impl Claims {
    /// The claims, when they are known.
    pub(crate) fn known(&self) -> Option<&BTreeMap<String, ObservedClaim>> {
        match self {
            Self::Unknown => None,
            Self::Known(claims) => Some(claims),
        }
    }
}

/// The part of a `PersistentVolumeClaim` that matters; small, because it is kept for every volume of a fleet.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ObservedClaim {
    /// Its UID: a precondition.
    pub uid: String,
    /// Its resourceVersion: a precondition.
    pub resource_version: String,
    /// Whether a volume is bound to it.
    pub phase: ClaimPhase,
    /// The size that it asks for.
    pub requested: Option<Quantity>,
    /// The size that it has.
    pub capacity: Option<Quantity>,
    /// Whether the volume has grown and its file system has not.
    pub file_system_pending: bool,
    /// Why its volume cannot grow, in the words of who was to do it.
    pub resize_error: Option<String>,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// The last refusal of its growth, while it is not yet time to ask again.
    pub refusal: Option<GrowthRefusal>,
}

/// `status.phase` of a claim.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClaimPhase {
    /// It has no volume yet.
    #[default]
    Pending,
    /// It has one.
    Bound,
    /// It had one that is gone.
    Lost,
}

/// An apiserver's refusal to let a claim grow.
#[derive(Clone, Debug, PartialEq)]
pub struct GrowthRefusal {
    /// The size that was asked for.
    pub to: Quantity,
    /// Why, and what to do.
    pub words: String,
}

impl ObservedClaim {
    /// Whether a volume is bound to it, and it stays.
    pub fn is_bound(&self) -> bool {
        self.phase == ClaimPhase::Bound && !self.deleting
    }
}

impl From<&PersistentVolumeClaim> for ObservedClaim {
    fn from(claim: &PersistentVolumeClaim) -> Self {
        let status = claim.status.clone().unwrap_or_default();
        let requests = claim.spec.as_ref().and_then(|spec| spec.resources.as_ref()?.requests.as_ref());
        let storage = |sizes: &BTreeMap<String, Quantity>| sizes.get("storage").cloned();
        Self {
            uid: claim.metadata.uid.clone().unwrap_or_default(),
            resource_version: claim.metadata.resource_version.clone().unwrap_or_default(),
            phase: match status.phase.as_deref() {
                Some("Bound") => ClaimPhase::Bound,
                Some("Lost") => ClaimPhase::Lost,
                _ => ClaimPhase::Pending,
            },
            requested: requests.and_then(storage),
            capacity: status.capacity.as_ref().and_then(storage),
            file_system_pending: condition(&status, "FileSystemResizePending").is_some(),
            resize_error: ["ControllerResizeError", "NodeResizeError"]
                .into_iter()
                .find_map(|kind| condition(&status, kind)),
            deleting: claim.metadata.deletion_timestamp.is_some(),
            refusal: None,
        }
    }
}

/// The message of a condition that holds.
fn condition(status: &PersistentVolumeClaimStatus, kind: &str) -> Option<String> {
    let mut holding = status.conditions.iter().flatten().filter(|condition| condition.status == "True");
    let found = holding.find(|condition| condition.type_ == kind)?;
    Some(text::line(found.message.as_deref().unwrap_or_default(), MAX_MESSAGE))
}

#[cfg(test)]
mod tests;
