//! Decides what the status of an `Iris` says. Must not read a clock, or go back to an older generation.

use homebase_api::conditions::ConditionStatus::{False, True};
use homebase_api::conditions::iris::{FieldConflict, Ready, Reconciling, SpecAccepted, Stalled};
use homebase_api::{Iris, IrisStatus};
use jiff::Timestamp;

use super::observed::readiness;
use super::{ObservedDeployment, Plan};
use crate::draft::Draft;
use crate::failure::Failure;
use crate::readiness::Readiness;
use crate::report::Invalid;

/// The status after a plan was applied; `deployment` as the apiserver knows it now.
pub fn status(
    iris: &Iris,
    applied: &Plan,
    deployment: Option<&ObservedDeployment>,
    now: Timestamp,
) -> IrisStatus {
    let Plan { deployment: planned, delete: _, change: _ } = applied;
    let previous = iris.status.clone().unwrap_or_default();
    let Some(mut draft) = begin(iris, &previous, now) else { return previous };
    let readiness = readiness(planned, deployment);
    if readiness.is_ready() {
        draft.set(True, Ready::AllNodesReady, "every pod is ready");
    } else {
        draft.set(False, Ready::NodesNotReady, readiness.to_string());
    }
    let moving = deployment.is_some_and(|found| found.current_replicas != found.replicas);
    let reason = match readiness {
        Readiness::Absent => Reconciling::Creating,
        Readiness::Unapplied | Readiness::Unobserved | Readiness::Updating { .. } => Reconciling::Updating,
        Readiness::Terminating { .. } => Reconciling::Scaling,
        Readiness::NotReady { .. } if moving => Reconciling::Scaling,
        // Nothing is being changed, though pods may not be ready.
        Readiness::Ready | Readiness::NotReady { .. } => Reconciling::Done,
    };
    draft.set(reason != Reconciling::Done, reason, "");
    draft.set(False, Stalled::NotStalled, "");
    draft.set(True, SpecAccepted::Accepted, "");
    draft.set(False, FieldConflict::NoConflict, "");

    let selector = planned.spec.as_ref().and_then(|spec| spec.selector.match_labels.as_ref());
    IrisStatus {
        observed_generation: Some(draft.generation),
        replicas: deployment.map(|found| found.current_replicas),
        ready_replicas: deployment.map(|found| found.ready_replicas),
        selector: selector.map(|labels| {
            labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
        }),
        conditions: draft.conditions,
    }
}

/// The status of a spec that cannot be built. What is known of the pods stays.
pub fn refused_status(iris: &Iris, invalid: &[Invalid], now: Timestamp) -> IrisStatus {
    let previous = iris.status.clone().unwrap_or_default();
    let Some(mut draft) = begin(iris, &previous, now) else { return previous };
    let faults = invalid.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    draft.set(False, Ready::SpecRefused, "the spec is refused: see the condition SpecAccepted");
    draft.set(False, Reconciling::Done, "");
    draft.set(True, Stalled::SpecRefused, "change the spec: see the condition SpecAccepted");
    draft.set(False, SpecAccepted::Refused, faults);
    IrisStatus { observed_generation: Some(draft.generation), conditions: draft.conditions, ..previous }
}

/// The status after a plan could not be applied. `message` must name the object and hold no secret.
pub fn failed_status(iris: &Iris, failure: Failure, message: &str, now: Timestamp) -> IrisStatus {
    let previous = iris.status.clone().unwrap_or_default();
    let Some(mut draft) = begin(iris, &previous, now) else { return previous };
    let Some(stalled) = failure.stalled() else {
        draft.set(True, Reconciling::Updating, message);
        // The generation is not dealt with yet, so it is not reported as observed.
        return IrisStatus { conditions: draft.conditions, ..previous };
    };
    draft.set(False, Ready::NodesNotReady, format!("the last change could not be applied: {message}"));
    draft.set(False, Reconciling::Done, "");
    draft.set(True, stalled, message);
    if failure == Failure::FieldConflict {
        draft.set(True, FieldConflict::OwnedByOthers, message);
    }
    IrisStatus { observed_generation: Some(draft.generation), conditions: draft.conditions, ..previous }
}

fn begin(iris: &Iris, previous: &IrisStatus, now: Timestamp) -> Option<Draft> {
    Draft::new(&previous.conditions, previous.observed_generation, iris.metadata.generation, now)
}
