//! What is to be done with a CRD that is there, and which versions of it go. It asks nobody and writes nothing.

use homebase_api::{annotations, labels};
use homebase_core::Fingerprint;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::ResourceExt as _;

use crate::claim::HubClaim;

use super::CrdPolicy;
use super::error::InstallCrdError;

/// The fingerprint of the CRD that was applied last: the apiserver fills in defaults, so what it stores
/// cannot be compared with what was sent.
pub(super) const APPLIED_FINGERPRINT: &str = "homebase.dev/crd-fingerprint";
/// As much as is shown of another hub's ID: it is the cluster's text.
const MAX_SHOWN_ID: usize = 128;

/// What to do with one CRD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Apply,
    Keep,
    /// Leave it as it is; `claim` says that the claim on it is still to be made.
    RemoteNewer {
        claim: bool,
    },
    /// It is newer, and has a version no more, or serves it no more, that the hub works with.
    HubTooOld(String),
    Foreign,
    /// Another hub, whose ID this is, has claimed the cluster by it.
    OtherHub(String),
}

/// `claim` is none where CRDs are nobody's alone, as at home.
pub(super) fn judge(
    wanted: &CustomResourceDefinition,
    found: Option<&CustomResourceDefinition>,
    claim: Option<&HubClaim>,
) -> Verdict {
    let Some(found) = found else { return Verdict::Apply };
    let holder = found.annotations().get(annotations::HUB_ID).map(String::as_str);
    if let (Some(claim), Some(holder)) = (claim, holder)
        && !claim.may_write(Some(holder))
    {
        return Verdict::OtherHub(shown(holder));
    }
    if found.labels().get(labels::MANAGED_BY).map(String::as_str) != Some(labels::MANAGED_BY_HOMEBASE) {
        return Verdict::Foreign;
    }
    let is_unclaimed = claim.is_some_and(|claim| holder != Some(claim.id.as_str()));
    if crd_version(found) > crd_version(wanted) {
        return match unserved_version(wanted, found) {
            Some(version) => Verdict::HubTooOld(version),
            None => Verdict::RemoteNewer { claim: is_unclaimed },
        };
    }
    let applied = found.annotations().get(APPLIED_FINGERPRINT);
    if !is_unclaimed && applied.is_some() && applied == fingerprint_of(wanted).as_ref() {
        Verdict::Keep
    } else {
        Verdict::Apply
    }
}

/// What a policy leaves of a verdict.
pub(super) fn restrict(
    verdict: Verdict,
    policy: CrdPolicy,
    name: &str,
    is_there: bool,
) -> Result<Verdict, InstallCrdError> {
    let name = name.to_owned();
    match (verdict, policy) {
        (Verdict::OtherHub(hub), _) => Err(InstallCrdError::KeepOtherHubs { name, hub }),
        (Verdict::HubTooOld(version), _) => Err(InstallCrdError::UpgradeHub { name, version }),
        (Verdict::Foreign, CrdPolicy::Install) => Err(InstallCrdError::ForeignOwner { name }),
        (Verdict::Apply, CrdPolicy::Never) if !is_there => Err(InstallCrdError::KeepOut { name }),
        // A foreign one that is served may do: what it refuses will show on the resources.
        (Verdict::Apply | Verdict::Foreign, CrdPolicy::Never) => Ok(Verdict::Keep),
        (Verdict::RemoteNewer { .. }, CrdPolicy::Never) => Ok(Verdict::RemoteNewer { claim: false }),
        (verdict, _) => Ok(verdict),
    }
}

/// Whether a version of Homebase has made the CRD as it is. A label is not enough: it hands a CRD over whose objects
/// have fields of somebody else.
pub(super) fn is_of_homebase(found: &CustomResourceDefinition) -> bool {
    crd_version(found).is_some()
}

fn crd_version(crd: &CustomResourceDefinition) -> Option<u64> {
    crd.annotations().get(annotations::CRD_VERSION)?.parse().ok()
}

/// A version that the hub works with and the CRD on the cluster does not serve. The CRD is asked, not discovery, which
/// lags behind a CRD that was written just now.
fn unserved_version(wanted: &CustomResourceDefinition, found: &CustomResourceDefinition) -> Option<String> {
    let served = |crd: &CustomResourceDefinition, name: &str| {
        crd.spec.versions.iter().any(|version| version.served && version.name == name)
    };
    let mut names = wanted.spec.versions.iter().map(|version| &version.name);
    names.find(|name| served(wanted, name) && !served(found, name)).cloned()
}

fn shown(id: &str) -> String {
    id.chars().filter(|c| !c.is_control()).take(MAX_SHOWN_ID).collect()
}

pub(super) fn fingerprint_of(crd: &CustomResourceDefinition) -> Option<String> {
    Fingerprint::of(crd).ok().map(|fingerprint| fingerprint.to_string())
}

/// The versions in which objects may be stored and which `wanted` has no more. A version that is neither retired nor
/// the one to store in stays as it is.
pub(super) fn retired_versions(
    wanted: &CustomResourceDefinition,
    found: &CustomResourceDefinition,
) -> Vec<String> {
    let mut stored = stored_versions(found);
    stored.retain(|version| !wanted.spec.versions.iter().any(|known| known.name == *version));
    stored
}

/// What remains on record of the stored versions without these.
pub(super) fn remaining_versions(found: &CustomResourceDefinition, retired: &[String]) -> Vec<String> {
    let mut stored = stored_versions(found);
    stored.retain(|version| !retired.contains(version));
    stored
}

fn stored_versions(found: &CustomResourceDefinition) -> Vec<String> {
    found.status.as_ref().and_then(|status| status.stored_versions.clone()).unwrap_or_default()
}

/// The versions on a cluster that `wanted` does not have, whether objects may be stored in them or not.
pub(super) fn unknown_versions(
    wanted: &CustomResourceDefinition,
    found: &CustomResourceDefinition,
) -> Vec<String> {
    let names = found.spec.versions.iter().map(|version| version.name.clone());
    names.filter(|name| !wanted.spec.versions.iter().any(|known| known.name == *name)).collect()
}

/// `wanted` with some of the versions that are on the cluster besides. Nothing is stored in them, and they are served
/// only `while_served` there.
pub(super) fn with_versions(
    wanted: &CustomResourceDefinition,
    found: &CustomResourceDefinition,
    kept: &[String],
    while_served: bool,
) -> CustomResourceDefinition {
    let mut both = wanted.clone();
    let kept = found.spec.versions.iter().filter(|version| kept.contains(&version.name));
    both.spec.versions.extend(kept.cloned().map(|mut version| {
        version.storage = false;
        version.served &= while_served;
        version
    }));
    both
}
