//! Decides how a StatefulSet that another operator made is taken over: with its pods as they are, if what they are made
//! of is what is planned. Must not ask an apiserver: what it would make of a set is an argument.
//!
//! A pod template of ours has marks (a label, a fingerprint of the configuration, and the zones of mirror members) which no
//! other operator writes, and a template that differs in a single letter restarts every pod. So a set whose template is otherwise as planned is
//! written without them, and remembers of which template that holds: the first real change brings the marks along.

use homebase_api::annotations::ZONES_BY_ORDINAL;
use homebase_api::labels;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::PodTemplateSpec;
use serde_json::{Value, json};

use super::observed::{ChildKind, ObservedStatefulSet};
use crate::events::{EventReason, PlannedEvent};
use crate::hash::{CONFIG_HASH, fingerprint};

/// Annotation on a StatefulSet: fingerprint of the planned pod template that its pods stand for without our marks.
pub const ADOPTED_TEMPLATE: &str = "homebase.dev/adopted-template";

/// The set without our marks on its pods.
pub fn without_marks(set: &StatefulSet) -> StatefulSet {
    let mut set = set.clone();
    let planned = template_mark(&set);
    // A set that has none already says itself of which template that holds.
    set.metadata.annotations.get_or_insert_default().entry(ADOPTED_TEMPLATE.to_owned()).or_insert(planned);
    if let Some(meta) = set.spec.as_mut().and_then(|spec| spec.template.metadata.as_mut()) {
        if let Some(labels) = &mut meta.labels {
            labels.remove(labels::MANAGED_BY);
        }
        if let Some(annotations) = &mut meta.annotations {
            annotations.remove(CONFIG_HASH);
            annotations.remove(ZONES_BY_ORDINAL);
        }
        meta.annotations = meta.annotations.take().filter(|annotations| !annotations.is_empty());
    }
    set
}

/// Whether the pods of a set that is there stay as they are when it becomes another one.
pub fn keeps_pods(found: &StatefulSet, becomes: &StatefulSet) -> bool {
    template(found) == template(becomes)
}

/// The field of [`leftovers`], as an apiserver names it where it refuses what an apply would leave.
pub const LEFT_OVER: &str = "spec.updateStrategy.rollingUpdate";

/// What of another operator's set no apply of ours would take away and other strategies do not bear: the merge patch that
/// removes it. Whoever leaves the strategy out gets a partition with it, which `OnDelete` is refused with; so does somebody who
/// sets one by hand.
pub fn leftovers(found: &StatefulSet, wanted: &StatefulSet) -> Option<Value> {
    let strategy = |set: &StatefulSet| {
        set.spec.as_ref().and_then(|spec| spec.update_strategy.clone()).unwrap_or_default()
    };
    let (found, wanted) = (strategy(found), strategy(wanted));
    let is_left = found.rolling_update.is_some() && wanted.rolling_update.is_none();
    is_left.then(|| json!({ "spec": { "updateStrategy": { "type": wanted.type_, "rollingUpdate": null } } }))
}

/// What becomes of the pods of an object that is taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdoptedPods {
    /// The object has none.
    None,
    /// They stay as they are.
    Kept,
    /// They are made anew, as the update strategy says.
    Replaced,
}

/// The event that tells of an object that was taken over.
pub fn adopted_event(kind: ChildKind, name: &str, pods: AdoptedPods) -> PlannedEvent {
    let pods = match pods {
        AdoptedPods::None => "",
        AdoptedPods::Kept => "; its pods stay as they are",
        AdoptedPods::Replaced => "; its pods restart, because what they are made of differs",
    };
    PlannedEvent::new(EventReason::Adopted, format!("Took over {kind} {name}{pods}"))
}

/// The set as it is to be written: without marks while its pods were taken over as they are and nothing has changed, or
/// while it is made anew around pods that have none (`left_unmarked`).
pub(crate) fn as_adopted(
    planned: StatefulSet,
    observed: Option<&ObservedStatefulSet>,
    left_unmarked: bool,
) -> StatefulSet {
    let adopted = observed.and_then(|observed| observed.adopted_template.as_ref());
    if left_unmarked || adopted.is_some_and(|adopted| *adopted == template_mark(&planned)) {
        without_marks(&planned)
    } else {
        planned
    }
}

fn template(set: &StatefulSet) -> Option<&PodTemplateSpec> {
    set.spec.as_ref().map(|spec| &spec.template)
}

fn template_mark(set: &StatefulSet) -> String {
    fingerprint(&template(set))
}

#[cfg(test)]
mod tests;
