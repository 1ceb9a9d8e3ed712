//! The fields of a StatefulSet that cannot change while it exists, in a form that is small to keep and compares as an
//! apiserver compares them. Must not decide what is done about a difference.

use std::collections::BTreeMap;
use std::fmt;

use homebase_core::Fingerprint;
use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetSpec};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::size::Size;
use crate::hash::FIXED_HASH;

/// Labels of pods that a selector of ours can name begin so.
const LABEL_PREFIX: &str = "intersystems.com/";

/// A field of a StatefulSet that cannot change while it exists. Validation of apps/v1 lets everything else change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FixedField {
    /// `spec.serviceName`
    ServiceName,
    /// `spec.selector`
    Selector,
    /// `spec.podManagementPolicy`
    PodManagementPolicy,
    /// `spec.volumeClaimTemplates`
    VolumeClaimTemplates,
}

impl fmt::Display for FixedField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ServiceName => "spec.serviceName",
            Self::Selector => "spec.selector",
            Self::PodManagementPolicy => "spec.podManagementPolicy",
            Self::VolumeClaimTemplates => "spec.volumeClaimTemplates",
        })
    }
}

/// The fields that cannot change, of one StatefulSet. Kept of every set of a fleet, so as marks and not as objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FixedFields {
    service_name: Option<Fingerprint>,
    selector: Option<Fingerprint>,
    pod_management_policy: Option<Fingerprint>,
    volume_claim_templates: Option<Fingerprint>,
    /// The names of its claim templates.
    claims: Box<[Box<str>]>,
    /// The labels of its pods that a selector of ours can name, as `key=value`.
    pod_labels: Box<[Box<str>]>,
    /// The annotation [`FIXED_HASH`].
    applied: Option<Box<str>>,
}

impl FixedFields {
    /// Those of a StatefulSet, planned or found.
    pub fn of(set: &StatefulSet) -> Self {
        let spec = set.spec.clone().unwrap_or_default();
        let labels = spec.template.metadata.as_ref().and_then(|meta| meta.labels.as_ref());
        let named = labels.into_iter().flatten().filter(|(key, _)| key.starts_with(LABEL_PREFIX));
        Self {
            claims: spec
                .volume_claim_templates
                .iter()
                .flatten()
                .map(|claim| claim_name(claim).into())
                .collect(),
            pod_labels: named.map(|(key, value)| format!("{key}={value}").into()).collect(),
            applied: mark_of(set).map(Into::into),
            ..Self::of_spec(&spec)
        }
    }

    /// Those of a spec alone: what [`fixed_hash`] is taken of.
    fn of_spec(spec: &StatefulSetSpec) -> Self {
        let policy = spec.pod_management_policy.as_deref().unwrap_or("OrderedReady");
        let claims: Vec<_> = spec.volume_claim_templates.iter().flatten().map(comparable).collect();
        Self {
            service_name: mark(&spec.service_name.as_deref().unwrap_or_default()),
            selector: mark(&spec.selector),
            pod_management_policy: mark(&policy),
            volume_claim_templates: mark(&claims),
            ..Self::default()
        }
    }

    /// The fields that differ in a planned StatefulSet. One that was applied from the same fields differs in none, even
    /// where the cluster has made something else of them: to make it anew would be to do so for ever.
    pub(crate) fn changed_in(&self, planned: &StatefulSet) -> Vec<FixedField> {
        if self.applied.is_some() && self.applied.as_deref() == mark_of(planned) {
            return Vec::new();
        }
        let wanted = Self::of_spec(&planned.spec.clone().unwrap_or_default());
        let fields = [
            (FixedField::ServiceName, self.service_name, wanted.service_name),
            (FixedField::Selector, self.selector, wanted.selector),
            (FixedField::PodManagementPolicy, self.pod_management_policy, wanted.pod_management_policy),
            (FixedField::VolumeClaimTemplates, self.volume_claim_templates, wanted.volume_claim_templates),
        ];
        // What nobody has looked at is not known to differ.
        let differs = |found: Option<Fingerprint>, wanted| found.is_some() && found != wanted;
        let changed = fields.into_iter().filter(|(_, found, wanted)| differs(*found, *wanted));
        changed.map(|(field, ..)| field).collect()
    }

    /// The names of the claim templates from which its pods got their claims.
    pub(crate) fn claims(&self) -> impl Iterator<Item = &str> {
        self.claims.iter().map(AsRef::as_ref)
    }

    /// Whether the selector of a planned StatefulSet finds the pods of this one.
    pub(crate) fn is_selected_by(&self, planned: &StatefulSet) -> bool {
        let selector = planned.spec.as_ref().and_then(|spec| spec.selector.match_labels.as_ref());
        let labels = selector.into_iter().flatten().map(|(key, value)| format!("{key}={value}"));
        labels.into_iter().all(|label| self.pod_labels.iter().any(|known| **known == *label))
    }
}

/// The fields in words.
pub(crate) fn list(fields: &[FixedField]) -> String {
    fields.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The value of [`FIXED_HASH`] for a planned StatefulSet.
pub(crate) fn fixed_hash(spec: &StatefulSetSpec) -> String {
    let FixedFields { service_name, selector, pod_management_policy, volume_claim_templates, .. } =
        FixedFields::of_spec(spec);
    let marks = [service_name, selector, pod_management_policy, volume_claim_templates];
    let text: Vec<_> = marks.iter().flatten().map(ToString::to_string).collect();
    Fingerprint::of_bytes(text.join(" ")).to_string()
}

/// The name of a claim template.
pub(crate) fn claim_name(claim: &PersistentVolumeClaim) -> &str {
    claim.metadata.name.as_deref().unwrap_or_default()
}

fn mark_of(set: &StatefulSet) -> Option<&str> {
    set.metadata.annotations.as_ref()?.get(FIXED_HASH).map(String::as_str)
}

/// Core types always serialize; what would not is equal to nothing.
fn mark(value: &impl serde::Serialize) -> Option<Fingerprint> {
    Fingerprint::of(value).ok()
}

/// A claim template without what an apiserver fills in, and with every size written in one way.
fn comparable(claim: &PersistentVolumeClaim) -> PersistentVolumeClaim {
    let ObjectMeta { name, labels, annotations, .. } = claim.metadata.clone();
    let filled = |map: &BTreeMap<String, String>| !map.is_empty();
    let mut spec = claim.spec.clone().unwrap_or_default();
    spec.volume_mode.get_or_insert_with(|| "Filesystem".to_owned());
    if let Some(resources) = &mut spec.resources {
        for sizes in [&mut resources.requests, &mut resources.limits] {
            *sizes = sizes.take().filter(|sizes| !sizes.is_empty()).map(in_one_way);
        }
    }
    PersistentVolumeClaim {
        metadata: ObjectMeta {
            name,
            labels: labels.filter(filled),
            annotations: annotations.filter(filled),
            ..ObjectMeta::default()
        },
        spec: Some(spec),
        status: None,
    }
}

fn in_one_way(sizes: BTreeMap<String, Quantity>) -> BTreeMap<String, Quantity> {
    let written = |size: Quantity| match Size::of(&size) {
        Some(read) => Quantity(format!("{}m", read.thousandths())),
        None => size,
    };
    sizes.into_iter().map(|(name, size)| (name, written(size))).collect()
}

#[cfg(test)]
mod tests;
