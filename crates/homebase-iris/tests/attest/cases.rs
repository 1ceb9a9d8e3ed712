//! Every folder of `cases` is a test: `input.yaml` and what `seen.yaml` says differs from a perfect observation give
//! `expected.yaml`. Must not know any folder by name. `UPDATE_GOLDEN=1` writes what is expected anew.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use homebase_api::IrisCluster;
use homebase_iris::cluster::attest::{
    ExpectedTopology, Observation, Reading, SeenLease, SeenNode, SeenPod, compare,
};
use serde::Deserialize;

use crate::folders;
use crate::perfect::{lease, perfect, topology};

/// Fewer folders than this mean that some were lost.
const MIN_FOLDERS: usize = 12;

/// What differs from a perfect observation.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Seen {
    /// Null: not there.
    pods: BTreeMap<String, Option<Pod>>,
    /// Null: not there.
    nodes: BTreeMap<String, Option<Node>>,
    /// Null: not there.
    stateful_sets: BTreeMap<String, Option<StatefulSet>>,
    /// Seconds since the lease of a node was renewed; null: there is none.
    lease_age: BTreeMap<String, Option<i64>>,
    /// What cannot be read: `statefulSets`, `pods`, `nodes`, `leases`, `clock`; why.
    unreadable: BTreeMap<String, String>,
    /// Why StatefulSets are held back.
    held_back: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Pod {
    node: Option<String>,
    unschedulable: Option<String>,
    unready: Option<String>,
    terminating: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Node {
    zone: Option<String>,
    unready: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct StatefulSet {
    plan_hash: Option<String>,
    replicas: Option<i32>,
    ready_replicas: Option<i32>,
    current_replicas: Option<i32>,
    updated_replicas: Option<i32>,
    update_revision: Option<String>,
    observed_generation: Option<i64>,
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> T {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_folder_gives_what_it_expects() {
    folders::check(&folders::below("tests/attest/cases"), MIN_FOLDERS, |folder| {
        let cluster: IrisCluster = read(&folder.join("input.yaml"));
        let path = folder.join("seen.yaml");
        let seen: Seen = if path.exists() { read(&path) } else { Seen::default() };
        let (expected, observation) = apply(seen, topology(&cluster));
        compare(&expected, &observation)
    });
}

fn known<T>(reading: &mut Reading<T>) -> &mut T {
    match reading {
        Reading::Known(value) => value,
        Reading::Unknown(why) => panic!("{why}"),
    }
}

fn apply(seen: Seen, mut expected: ExpectedTopology) -> (ExpectedTopology, Observation) {
    let Seen { pods, nodes, stateful_sets, lease_age, unreadable, held_back } = seen;
    for group in &mut expected.groups {
        group.held_back = held_back.get(&group.stateful_set).cloned();
    }
    let mut all = perfect(&expected);
    for (name, pod) in pods {
        let pod = pod.map(|Pod { node, unschedulable, unready, terminating }| SeenPod {
            node,
            unschedulable,
            unready,
            terminating,
        });
        change(known(&mut all.pods), name, pod);
    }
    for (name, node) in nodes {
        let node = node.map(|Node { zone, unready }| SeenNode { zone, unready });
        change(known(&mut all.nodes), name, node);
    }
    for (name, set) in stateful_sets {
        let before = known(&mut all.stateful_sets)[&name].clone();
        let set = set.map(|set| {
            let mut after = before;
            after.plan_hash = set.plan_hash.or(after.plan_hash);
            after.replicas = set.replicas.unwrap_or(after.replicas);
            after.ready_replicas = set.ready_replicas.unwrap_or(after.ready_replicas);
            after.current_replicas = set.current_replicas.unwrap_or(after.current_replicas);
            after.updated_replicas = set.updated_replicas.unwrap_or(after.updated_replicas);
            after.update_revision = set.update_revision.or(after.update_revision);
            after.observed_generation = set.observed_generation.unwrap_or(after.observed_generation);
            after
        });
        change(known(&mut all.stateful_sets), name, set);
    }
    for (node, age) in lease_age {
        change::<SeenLease>(known(&mut all.leases), node, age.map(lease));
    }
    for (what, why) in unreadable {
        match what.as_str() {
            "statefulSets" => all.stateful_sets = Reading::Unknown(why),
            "pods" => all.pods = Reading::Unknown(why),
            "nodes" => all.nodes = Reading::Unknown(why),
            "leases" => all.leases = Reading::Unknown(why),
            "clock" => all.now = None,
            other => panic!("{other} is nothing that is read"),
        }
    }
    (expected, all)
}

fn change<T>(all: &mut BTreeMap<String, T>, name: String, value: Option<T>) {
    match value {
        Some(value) => drop(all.insert(name, value)),
        None => assert!(all.remove(&name).is_some(), "there is no {name}"),
    }
}
