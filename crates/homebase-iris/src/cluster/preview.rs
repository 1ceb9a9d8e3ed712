//! Everything that an IrisCluster becomes in the end, in the order in which the hub makes it. It asks the planner again
//! and again, as if each group came up at once; it must not build or change an object by itself.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, Service};

use super::adoption::as_adopted;
use super::names::NodeSet;
use super::observed::ObservedStatefulSet;
use super::plan::{Waiting, WaitingReason, plan};
use super::validated::ValidatedCluster;

/// An object of a preview.
#[derive(Clone, Debug, PartialEq)]
pub enum PreviewObject {
    /// v1
    Service(Box<Service>),
    /// v1
    ConfigMap(Box<ConfigMap>),
    /// apps/v1
    StatefulSet(Box<StatefulSet>),
}

/// An object, and what must be ready before the hub makes it.
#[derive(Clone, Debug, PartialEq)]
pub struct PreviewStep {
    /// The object as the planner wants it.
    pub object: PreviewObject,
    /// The nodes that it waits for.
    pub waits_for: Option<NodeSet>,
}

/// Everything that an IrisCluster becomes.
#[derive(Clone, Debug, PartialEq)]
pub struct Preview {
    /// The objects in the order in which the hub makes them.
    pub steps: Vec<PreviewStep>,
    /// What never comes, whatever becomes ready.
    pub held_back: Vec<Waiting>,
}

/// The preview of a cluster as if nothing of it were there yet, but for what an autoscaler has decided, and
/// for sets that were taken over as they were.
pub fn preview(cluster: &ValidatedCluster) -> Preview {
    let mut cluster = cluster.clone();
    let found = std::mem::take(&mut cluster.found.stateful_sets);
    cluster.found.existing.clear();
    cluster.found.terminating.clear();
    // Nor are there pods that run on without their StatefulSet.
    cluster.found.pods.clear();
    let mut steps: Vec<PreviewStep> = Vec::new();
    let mut waited = None;
    loop {
        let plan = plan(&cluster);
        let services = [plan.headless_service, plan.service].into_iter().chain(plan.group_services);
        let shared = services.map(Box::new).map(PreviewObject::Service);
        let config_maps = plan.config_maps.into_iter().map(Box::new).map(PreviewObject::ConfigMap);
        let sets = plan.stateful_sets.iter().map(|set| {
            let there = set.metadata.name.as_ref().and_then(|name| found.get(name));
            PreviewObject::StatefulSet(Box::new(as_adopted(set.clone(), there, false)))
        });
        for object in shared.chain(config_maps).chain(sets) {
            // What an earlier round made is the same in this one.
            if !steps.iter().any(|step| step.object == object) {
                steps.push(PreviewStep { object, waits_for: waited });
            }
        }
        let known = cluster.found.stateful_sets.len();
        for set in &plan.stateful_sets {
            let name = set.metadata.name.clone().unwrap_or_default();
            let scaled = found.get(&name).map(|found| found.replicas);
            cluster.found.stateful_sets.insert(name, settled(set, scaled));
        }
        if cluster.found.stateful_sets.len() == known {
            return Preview { steps, held_back: plan.waiting };
        }
        waited = plan.waiting.iter().find_map(|waiting| match waiting.reason {
            WaitingReason::NotReady(before, _) => Some(before),
            // Nothing of it is there yet, so nothing is made anew.
            WaitingReason::ConfigSource(_)
            | WaitingReason::Terminating
            | WaitingReason::Recreation(..)
            | WaitingReason::Update(_) => None,
        });
    }
}

/// The StatefulSet with every pod as it should be; `scaled` is how many pods an autoscaler wants where it decides.
fn settled(set: &StatefulSet, scaled: Option<i32>) -> ObservedStatefulSet {
    let applied = ObservedStatefulSet::from(set);
    let planned = set.spec.as_ref().and_then(|spec| spec.replicas);
    let replicas = planned.or(scaled).unwrap_or(applied.replicas);
    ObservedStatefulSet {
        observed_generation: applied.generation,
        replicas,
        current_replicas: replicas,
        ready_replicas: replicas,
        updated_replicas: replicas,
        ..applied
    }
}
