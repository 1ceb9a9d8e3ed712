//! The Deployments of an `Iris` as they are. Must not fetch them.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::Deployment;

use crate::hash::PLAN_HASH;
use crate::readiness::Readiness;

/// What was found of an `Iris`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// The Deployments that its UID owns, by name.
    pub deployments: BTreeMap<String, ObservedDeployment>,
}

/// The part of a Deployment that a plan and a status depend on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObservedDeployment {
    /// Its UID.
    pub uid: String,
    /// `metadata.generation`.
    pub generation: i64,
    /// `status.observedGeneration`; 0 before its controller has seen it.
    pub observed_generation: i64,
    /// `spec.replicas`: pods wanted.
    pub replicas: i32,
    /// `status.replicas`: pods there, those of earlier revisions among them.
    pub current_replicas: i32,
    /// `status.readyReplicas`.
    pub ready_replicas: i32,
    /// `status.updatedReplicas`.
    pub updated_replicas: i32,
    /// The annotation [`PLAN_HASH`]: from which plan it was applied.
    pub plan_hash: Option<String>,
}

impl From<&Deployment> for ObservedDeployment {
    fn from(deployment: &Deployment) -> Self {
        let status = deployment.status.clone().unwrap_or_default();
        let annotations = deployment.metadata.annotations.as_ref();
        Self {
            uid: deployment.metadata.uid.clone().unwrap_or_default(),
            generation: deployment.metadata.generation.unwrap_or_default(),
            observed_generation: status.observed_generation.unwrap_or_default(),
            // The apiserver fills in 1 when nobody says how many.
            replicas: deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1),
            current_replicas: status.replicas.unwrap_or_default(),
            ready_replicas: status.ready_replicas.unwrap_or_default(),
            updated_replicas: status.updated_replicas.unwrap_or_default(),
            plan_hash: annotations.and_then(|all| all.get(PLAN_HASH).cloned()),
        }
    }
}

/// How far the planned Deployment is.
pub(super) fn readiness(planned: &Deployment, observed: Option<&ObservedDeployment>) -> Readiness {
    let Some(observed) = observed else { return Readiness::Absent };
    let hash = planned.metadata.annotations.as_ref().and_then(|all| all.get(PLAN_HASH));
    let wanted = planned.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    if hash != observed.plan_hash.as_ref() || wanted != observed.replicas {
        return Readiness::Unapplied;
    }
    if observed.observed_generation < observed.generation {
        return Readiness::Unobserved;
    }
    if observed.updated_replicas < wanted {
        return Readiness::Updating { updated: observed.updated_replicas, wanted };
    }
    if observed.ready_replicas < wanted {
        return Readiness::NotReady { ready: observed.ready_replicas, wanted };
    }
    if observed.current_replicas > wanted {
        return Readiness::Terminating { surplus: observed.current_replicas - wanted };
    }
    Readiness::Ready
}

#[cfg(test)]
mod tests;
