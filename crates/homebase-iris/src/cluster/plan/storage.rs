//! Decides which claims are as the spec wants them, and which one grows next. Must not shrink a claim, and must not
//! make or delete one: that is for the controllers of the cluster.

use std::collections::BTreeMap;

use homebase_api::labels;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::build::stateful_set::build_claims;
use crate::cluster::claims::{ClaimPhase, ObservedClaim};
use crate::cluster::fixed::claim_name;
use crate::cluster::names::NodeSet;
use crate::cluster::size::Size;
use crate::cluster::validated::{Node, ValidatedCluster, bounded};

/// A claim that is to ask for more now.
#[derive(Clone, Debug, PartialEq)]
pub struct ClaimGrowth {
    /// Name of the claim.
    pub claim: String,
    /// UID of the claim: a precondition.
    pub uid: String,
    /// resourceVersion of the claim: a precondition.
    pub resource_version: String,
    /// What it asks for now.
    pub from: Quantity,
    /// What it is to ask for.
    pub to: Quantity,
}

/// What is known of the volumes of a cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Storage {
    /// Whether the claims could be listed.
    pub(crate) known: bool,
    /// Whether the spec asks for any volume.
    pub(crate) wanted: bool,
    /// How many claims there are to be.
    pub(crate) claims: usize,
    /// Those that are not as they should be.
    pub(crate) findings: Vec<ClaimFinding>,
}

/// A claim that is not as it should be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ClaimFinding {
    pub(crate) stateful_set: String,
    pub(crate) claim: String,
    pub(crate) state: ClaimState,
}

/// Why a claim is not as it should be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ClaimState {
    /// It has more than the spec asks for.
    Larger { has: Quantity, wanted: Quantity },
    /// Nobody lets it grow.
    Refused(String),
    /// It is not there, or not marked as one of ours.
    Missing,
    /// It has no volume yet.
    Pending,
    /// Its volume is gone.
    Lost,
    /// It goes as soon as no pod uses it.
    Deleting,
    /// It grows.
    Growing { to: Quantity },
    /// It is to grow after the one before it.
    Behind { to: Quantity },
    /// Its volume has grown; the file system in it has not.
    FileSystem { to: Quantity },
}

impl ClaimState {
    /// Whether the volume is still to become larger by itself.
    pub(crate) const fn is_growing(&self) -> bool {
        matches!(self, Self::Growing { .. } | Self::Behind { .. })
    }

    /// Whether it stays so until a person does something.
    pub(crate) const fn needs_a_person(&self) -> bool {
        matches!(self, Self::Larger { .. } | Self::Refused(_) | Self::Lost | Self::Deleting)
    }

    /// The words for people, without the name of the claim.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Larger { has, wanted } => {
                format!("has {} and cannot shrink to {}: ask for {} or more", has.0, wanted.0, has.0)
            }
            Self::Refused(words) => words.clone(),
            Self::Missing => {
                format!("is not there, or lacks the label {}={}", labels::KIND, labels::KIND_IRIS_CLUSTER)
            }
            Self::Pending => "is not bound to a volume yet".to_owned(),
            Self::Lost => "has lost its volume".to_owned(),
            Self::Deleting => "is being deleted: it goes when its pod ends, and its data with it".to_owned(),
            Self::Growing { to } => format!("grows to {}", to.0),
            Self::Behind { to } => format!("is to grow to {} after the one before it", to.0),
            Self::FileSystem { to } => {
                format!("has a volume of {}, whose file system grows when its pod is restarted", to.0)
            }
        }
    }
}

/// What is known of the claims of one StatefulSet, and the next step of their growth.
#[derive(Default)]
pub(super) struct SetStorage {
    pub(super) findings: Vec<ClaimFinding>,
    pub(super) growth: Option<ClaimGrowth>,
    claims: usize,
    wanted: bool,
}

impl Storage {
    pub(super) fn of(cluster: &ValidatedCluster) -> Self {
        Self { known: cluster.found.claims.known().is_some(), ..Self::default() }
    }

    pub(super) fn add(&mut self, set: SetStorage) {
        let SetStorage { findings, growth: _, claims, wanted } = set;
        self.findings.extend(findings);
        self.claims += claims;
        self.wanted |= wanted;
    }

    /// Takes note that the growth of a claim was refused.
    pub(crate) fn refuse(&mut self, claim: &str, words: &str) {
        for finding in self.findings.iter_mut().filter(|finding| finding.claim == claim) {
            finding.state = ClaimState::Refused(words.to_owned());
        }
    }

    /// The claims that nobody lets grow.
    pub fn refused_claims(&self) -> impl Iterator<Item = &str> {
        let refused = |finding: &&ClaimFinding| matches!(finding.state, ClaimState::Refused(_));
        self.findings.iter().filter(refused).map(|finding| finding.claim.as_str())
    }

    /// Whether a volume is still to become larger by itself.
    pub(crate) fn is_growing(&self) -> bool {
        self.findings.iter().any(|finding| finding.state.is_growing())
    }
}

/// The claims of one StatefulSet. They grow one by one, those of the last pod first, as pods are updated: the first
/// pod of a mirror is its primary as a rule. What is refused holds up no other; what is on its way does.
pub(super) fn inspect(cluster: &ValidatedCluster, set: NodeSet, node: &Node) -> SetStorage {
    let templates = build_claims(node).unwrap_or_default();
    let mut found = SetStorage { wanted: !templates.is_empty(), ..SetStorage::default() };
    let name = cluster.key.stateful_set(set);
    let replicas = cluster.replicas(set.component).unwrap_or_else(|| cluster.found_replicas(set));
    let pods = bounded(replicas);
    let Some(claims) = cluster.found.claims.known() else { return found };
    found.claims = pods * templates.len();
    for ordinal in (0..pods).rev() {
        for template in &templates {
            let claim = claim_of(claim_name(template), &name, ordinal);
            let Some(state) = judge(template, claims.get(&claim)) else { continue };
            found.findings.push(ClaimFinding { stateful_set: name.clone(), claim, state });
        }
    }
    found.growth = begin_next(&mut found.findings, claims);
    found
}

/// The name that the StatefulSet controller gives to a claim.
pub(super) fn claim_of(template: &str, set: &str, ordinal: usize) -> String {
    format!("{template}-{set}-{ordinal}")
}

/// The first claim whose turn it is; it counts as growing from now on.
fn begin_next(
    findings: &mut [ClaimFinding],
    claims: &BTreeMap<String, ObservedClaim>,
) -> Option<ClaimGrowth> {
    if findings.iter().any(|finding| matches!(finding.state, ClaimState::Growing { .. })) {
        return None;
    }
    let behind = |finding: &&mut ClaimFinding| matches!(finding.state, ClaimState::Behind { .. });
    let next = findings.iter_mut().find(behind)?;
    let ClaimState::Behind { to } = next.state.clone() else { return None };
    let claim = claims.get(&next.claim)?;
    next.state = ClaimState::Growing { to: to.clone() };
    Some(ClaimGrowth {
        claim: next.claim.clone(),
        uid: claim.uid.clone(),
        resource_version: claim.resource_version.clone(),
        from: claim.requested.clone().unwrap_or_default(),
        to,
    })
}

/// What is wrong with a claim; nothing when it is as its template says.
fn judge(template: &PersistentVolumeClaim, found: Option<&ObservedClaim>) -> Option<ClaimState> {
    let Some(found) = found else { return Some(ClaimState::Missing) };
    if found.deleting {
        return Some(ClaimState::Deleting);
    }
    match found.phase {
        ClaimPhase::Pending => return Some(ClaimState::Pending),
        ClaimPhase::Lost => return Some(ClaimState::Lost),
        ClaimPhase::Bound => {}
    }
    let wanted = template.spec.as_ref()?.resources.as_ref()?.requests.as_ref()?.get("storage")?;
    let requested = found.requested.as_ref()?;
    let (wanted_size, requested_size) = (Size::of(wanted)?, Size::of(requested)?);
    if requested_size > wanted_size {
        return Some(ClaimState::Larger { has: requested.clone(), wanted: wanted.clone() });
    }
    let to = wanted.clone();
    if requested_size < wanted_size {
        return Some(match &found.refusal {
            Some(refusal) if refusal.to == to => ClaimState::Refused(refusal.words.clone()),
            _ => ClaimState::Behind { to },
        });
    }
    if found.capacity.as_ref().and_then(Size::of).is_some_and(|capacity| capacity >= wanted_size) {
        return None;
    }
    Some(if found.file_system_pending {
        ClaimState::FileSystem { to }
    } else if let Some(error) = &found.resize_error {
        ClaimState::Refused(format!("asks for {} and does not get it: {error}", to.0))
    } else {
        ClaimState::Growing { to }
    })
}

#[cfg(test)]
mod tests;
