//! Plays the apiserver and the StatefulSet controller for plans. Must not know what a plan is for.

use std::collections::BTreeMap;

use homebase_api::IrisCluster;
use homebase_iris::PLAN_HASH;
use homebase_iris::cluster::fixed::FixedFields;
use homebase_iris::cluster::{Dereferenced, ObservedStatefulSet, Plan, Prepared, Stage, plan, validate};
use k8s_openapi::api::apps::v1::StatefulSet;

/// Rounds after which nothing can be held back any more: arbiter, the most shards, compute, what stands beside them,
/// and one to see it.
const ROUNDS: usize = 68;

/// What is there after the plan was applied, before any controller has looked.
pub(crate) fn apply<S: Stage>(
    plan: &Plan<S>,
    before: &BTreeMap<String, ObservedStatefulSet>,
) -> BTreeMap<String, ObservedStatefulSet> {
    let mut after = before.clone();
    for set in &plan.stateful_sets {
        let name = set.metadata.name.clone().unwrap();
        let mut observed = before.get(&name).cloned().unwrap_or_default();
        let replicas = set.spec.as_ref().unwrap().replicas;
        if plan.recreations.iter().any(|recreation| recreation.stateful_set == name) {
            // It is gone, and what is applied is another one.
            observed = ObservedStatefulSet { replicas: observed.replicas, ..ObservedStatefulSet::default() };
        }
        let changed = observed.plan_hash != hash(set)
            || replicas.is_some_and(|replicas| replicas != observed.replicas)
            || observed.generation == 0;
        if observed.generation == 0 {
            observed.uid = format!("uid-of-{name}");
            observed.replicas = 1;
        }
        if changed {
            observed.generation += 1;
            observed.plan_hash = hash(set);
            observed.fixed = FixedFields::of(set);
            observed.replicas = replicas.unwrap_or(observed.replicas);
        }
        after.insert(name, observed);
    }
    after
}

/// Every pod as it should be.
pub(crate) fn settle(sets: &mut BTreeMap<String, ObservedStatefulSet>) {
    for set in sets.values_mut() {
        set.observed_generation = set.generation;
        set.current_replicas = set.replicas;
        set.ready_replicas = set.replicas;
        set.updated_replicas = set.replicas;
        set.current_revision = Some(format!("revision-{}", set.plan_hash.clone().unwrap_or_default()));
        set.update_revision.clone_from(&set.current_revision);
    }
}

/// What is there when everything has come up, and the last plan.
pub(crate) fn bring_up(cluster: &IrisCluster, found: &Dereferenced) -> (Dereferenced, Plan<Prepared>) {
    let mut found = found.clone();
    found.stateful_sets.clear();
    for _ in 0..ROUNDS {
        let plan = plan(&validate(cluster, &found).unwrap());
        let mut after = apply(&plan, &found.stateful_sets);
        settle(&mut after);
        if after == found.stateful_sets {
            return (found, plan);
        }
        found.stateful_sets = after;
    }
    panic!("not up after {ROUNDS} rounds");
}

/// The plan hash of a StatefulSet.
pub(crate) fn hash(set: &StatefulSet) -> Option<String> {
    set.metadata.annotations.as_ref()?.get(PLAN_HASH).cloned()
}
