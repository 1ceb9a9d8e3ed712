//! Decides whether a StatefulSet is made anew because a field differs that cannot change while it exists. Must not let
//! one go whose pods could lose their volumes, or whose successor would not know its pods.

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::api::apps::v1::StatefulSet;

use crate::cluster::claims::ObservedClaim;
use crate::cluster::fixed::FixedField;
use crate::cluster::names::NodeSet;
use crate::cluster::observed::{ObservedPod, ObservedStatefulSet};
use crate::cluster::validated::ValidatedCluster;

/// As many claims as are named in one sentence; the rest is counted.
const MAX_NAMED: usize = 3;

/// A StatefulSet that is deleted with its pods orphaned before it is applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recreation {
    /// Its name.
    pub stateful_set: String,
    /// Its UID: a precondition.
    pub uid: String,
    /// Why: the fields that differ.
    pub fields: Vec<FixedField>,
    /// The claims of its pods that were seen: each must be there and bound when it is deleted.
    pub claims: Vec<String>,
    /// The names of its claim templates.
    pub templates: Vec<String>,
    /// How many pods it is to have.
    pub pods: usize,
}

impl Recreation {
    /// Whether a claim is that of one of its pods, by its name: one that has lost its label is not seen before.
    pub fn is_of_its_pods(&self, claim: &str) -> bool {
        let of_template = |template: &String| ordinal_of(claim, template, &self.stateful_set);
        self.templates.iter().filter_map(of_template).any(|ordinal| ordinal < self.pods)
    }

    /// Whether it may be deleted, with every claim of the namespace as it is at this moment.
    pub fn may_begin(&self, live: &BTreeMap<String, ObservedClaim>) -> bool {
        let is_bound = |claim: &String| live.get(claim).is_some_and(ObservedClaim::is_bound);
        let of_its_pods = live.keys().filter(|claim| self.is_of_its_pods(claim));
        self.claims.iter().chain(of_its_pods).all(is_bound)
    }
}

/// Why a StatefulSet is not made anew yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hold {
    /// These claims of its pods are not bound.
    NotBound(Vec<String>),
    /// Nobody can tell whether the claims of its pods are bound.
    ClaimsUnknown,
    /// Its pods would be nobody's: they do not have the labels that the new selector asks for.
    NotSelected,
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotBound(claims) => {
                let named = claims.iter().take(MAX_NAMED).cloned().collect::<Vec<_>>().join(", ");
                match claims.len().checked_sub(MAX_NAMED) {
                    Some(more) if more > 0 => write!(f, "not bound: {named} and {more} more"),
                    _ => write!(f, "not bound: {named}"),
                }
            }
            Self::ClaimsUnknown => f.write_str("the claims of its pods cannot be read: see StorageReady"),
            Self::NotSelected => f.write_str(
                "its pods do not have the labels that the new selector asks for, so nobody would look after them: give \
                 the labels to its pods and its template",
            ),
        }
    }
}

/// What is done about fields that cannot change.
pub(super) enum Verdict {
    /// None of them differs, or there is no StatefulSet.
    Apply,
    /// It is made anew.
    Recreate(Recreation),
    /// It would be, but.
    Hold(Vec<FixedField>, Hold),
}

/// The verdict on a StatefulSet. That its claims grow holds nothing: they ask for more whether it is there or not, and one
/// that never gets its size would keep every other change from its pods for ever.
pub(super) fn decide(
    cluster: &ValidatedCluster,
    planned: &StatefulSet,
    observed: Option<&ObservedStatefulSet>,
) -> Verdict {
    let Some(observed) = observed else { return Verdict::Apply };
    let fields = observed.fixed.changed_in(planned);
    if fields.is_empty() {
        return Verdict::Apply;
    }
    let name = planned.metadata.name.clone().unwrap_or_default();
    if fields.contains(&FixedField::Selector) && !observed.fixed.is_selected_by(planned) {
        return Verdict::Hold(fields, Hold::NotSelected);
    }
    let pods = usize::try_from(observed.replicas).unwrap_or_default();
    let recreate = |fields, claims| {
        Verdict::Recreate(Recreation {
            stateful_set: name.clone(),
            uid: observed.uid.clone(),
            fields,
            claims,
            templates: observed.fixed.claims().map(str::to_owned).collect(),
            pods,
        })
    };
    if pods == 0 || observed.fixed.claims().next().is_none() {
        return recreate(fields, Vec::new());
    }
    let Some(known) = cluster.found.claims.known() else {
        return Verdict::Hold(fields, Hold::ClaimsUnknown);
    };
    // One that is not there has no volume to lose: its pod runs without, or there is no such pod. So those that are there
    // are looked at, and not as many as there are to be: that may be any number.
    let ordinal = |claim: &str| observed.fixed.claims().find_map(|of| ordinal_of(claim, of, &name));
    let ours = known.iter().filter_map(|(claim, found)| Some((claim, found, ordinal(claim)?)));
    let unbound: Vec<_> =
        ours.clone().filter(|(_, found, _)| !found.is_bound()).map(|(claim, ..)| claim.clone()).collect();
    if !unbound.is_empty() {
        return Verdict::Hold(fields, Hold::NotBound(unbound));
    }
    let of_pods = ours.filter(|(.., ordinal)| *ordinal < pods);
    recreate(fields, of_pods.map(|(claim, ..)| claim.clone()).collect())
}

/// The ordinal of the pod of a StatefulSet that a claim was made for from a template, whichever.
fn ordinal_of(claim: &str, template: &str, set: &str) -> Option<usize> {
    let rest = claim.strip_prefix(template)?.strip_prefix('-')?.strip_prefix(set)?;
    rest.strip_prefix('-')?.parse().ok()
}

/// The pods of a StatefulSet that belong to nobody.
fn left_pods(cluster: &ValidatedCluster, set: NodeSet) -> impl Iterator<Item = &ObservedPod> {
    let pods = cluster.found.pods_of(&cluster.key.stateful_set(set)).map(|(_, found)| found);
    pods.filter(|found| found.orphaned)
}

/// Whether the pods that a StatefulSet left behind were taken over from another operator, so that a template with our
/// marks would restart them.
pub(super) fn left_pods_are_unmarked(cluster: &ValidatedCluster, set: NodeSet) -> bool {
    has_left_pods(cluster, set) && left_pods(cluster, set).all(|pod| !pod.marked)
}

/// Whether pods of a StatefulSet that is not there run without it, as when the hub was stopped between deleting it and
/// making it anew: then it comes back whatever else is not ready.
pub(super) fn has_left_pods(cluster: &ValidatedCluster, set: NodeSet) -> bool {
    left_pods(cluster, set).next().is_some()
}

#[cfg(test)]
mod tests;
