//! Whether a StatefulSet keeps the volumes of pods that end, and which claims would be deleted with a pod or with the set
//! all the same because it owns them. Must not fetch or write anything.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use serde_json::{Value, json};

/// The only value that the hub accepts, and what an apiserver fills in.
const RETAIN: &str = "Retain";

/// Whether no claim is deleted when the set is scaled down or deleted.
pub fn keeps_volumes(set: &StatefulSet) -> bool {
    let spec = set.spec.as_ref();
    let policy = spec.and_then(|spec| spec.persistent_volume_claim_retention_policy.as_ref());
    let values = policy.into_iter().flat_map(|policy| [&policy.when_deleted, &policy.when_scaled]);
    values.flatten().all(|value| value == RETAIN)
}

/// The merge patch after which it is so.
pub fn retain_volumes() -> Value {
    json!({ "spec": { "persistentVolumeClaimRetentionPolicy": { "whenDeleted": RETAIN, "whenScaled": RETAIN } } })
}

/// A claim that the garbage collector deletes once its owner is gone.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnedClaim {
    /// Its name.
    pub name: String,
    /// Its UID: a precondition.
    pub uid: String,
    /// Its resourceVersion: a precondition.
    pub resource_version: String,
    /// The owner, as `KIND NAME`.
    pub owner: String,
    /// The owner references that stay: what others wrote.
    pub others: Vec<OwnerReference>,
}

/// The claims of a StatefulSet that the set or one of its pods owns. The StatefulSet controller writes such references
/// while the policy is `Delete`, and does not remove them from claims whose pods are gone. The claims of generic ephemeral
/// volumes have other names and stay with their pods.
pub fn owned_claims(set: &str, claims: &[PersistentVolumeClaim]) -> Vec<OwnedClaim> {
    claims.iter().filter_map(|claim| owned(set, claim)).collect()
}

fn owned(set: &str, claim: &PersistentVolumeClaim) -> Option<OwnedClaim> {
    let meta = &claim.metadata;
    let name = meta.name.clone()?;
    let ordinal = name.rsplit('-').next()?;
    let pod = format!("{set}-{ordinal}");
    let is_of_set = ordinal.parse::<u16>().is_ok() && name.ends_with(&format!("-{pod}"));
    let is_owner = |owner: &OwnerReference| match owner.kind.as_str() {
        "StatefulSet" => owner.api_version.starts_with("apps/") && owner.name == set,
        "Pod" => owner.api_version == "v1" && owner.name == pod,
        _ => false,
    };
    let references = meta.owner_references.clone().unwrap_or_default();
    let (owners, others): (Vec<_>, Vec<_>) = references.into_iter().partition(is_owner);
    let owner = owners.first().filter(|_| is_of_set)?;
    Some(OwnedClaim {
        name,
        uid: meta.uid.clone().unwrap_or_default(),
        resource_version: meta.resource_version.clone().unwrap_or_default(),
        owner: format!("{} {}", owner.kind, owner.name),
        others,
    })
}

#[cfg(test)]
mod tests;
