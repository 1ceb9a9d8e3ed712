//! What is seen of a cluster on which everything is as it should be. Must not know a claim.

use std::collections::BTreeMap;

use homebase_api::IrisCluster;
use homebase_iris::cluster::attest::{
    ExpectedGroup, ExpectedTopology, Observation, Places, Reading, SeenLease, SeenNode, SeenPod,
    expected_topology,
};
use homebase_iris::cluster::{ConfigSource, ConfigTexts, Dereferenced, ObservedStatefulSet, validate};
use jiff::{SignedDuration, Timestamp};

/// 2026-11-20T10:00:00Z, the time of every attestation.
const NOW: i64 = 1_795_168_800;
/// Seconds of a lease, as kubelets have it.
pub(crate) const LEASE: i32 = 40;

pub(crate) fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

/// A lease that was renewed so many seconds ago.
pub(crate) fn lease(age: i64) -> SeenLease {
    SeenLease { renewed: Some(now() - SignedDuration::from_secs(age)), seconds: Some(LEASE) }
}

/// The topology of a resource once all of it has come up: nothing is held back.
pub(crate) fn topology(cluster: &IrisCluster) -> ExpectedTopology {
    let config_source = match cluster.spec.config_source {
        None => ConfigSource::NotReferenced,
        Some(_) => ConfigSource::Found(ConfigTexts::default()),
    };
    let found = Dereferenced { config_source, ..Dereferenced::default() };
    let first = expected_topology(&validate(cluster, &found).unwrap());
    let stateful_sets = first.groups.iter().map(|group| (group.stateful_set.clone(), settled(group)));
    let found = Dereferenced { stateful_sets: stateful_sets.collect(), ..found };
    expected_topology(&validate(cluster, &found).unwrap())
}

/// The node of a zone.
pub(crate) fn node_in(zone: &str) -> String {
    format!("{zone}-0")
}

/// The node of a pod: in its zone, pods with several spread over them.
fn node_of(group: &ExpectedGroup, ordinal: usize) -> String {
    match &group.places {
        Places::Anywhere => node_in("anywhere"),
        Places::AnyOf(zones) => node_in(&zones[ordinal % zones.len()]),
        Places::ByOrdinal(zones) => {
            zones.get(ordinal).map_or(node_in("anywhere"), |zones| node_in(&zones[0]))
        }
    }
}

fn settled(group: &ExpectedGroup) -> ObservedStatefulSet {
    let replicas = i32::try_from(group.replicas.unwrap_or(2)).unwrap();
    ObservedStatefulSet {
        uid: "uid".to_owned(),
        generation: 1,
        observed_generation: 1,
        replicas,
        current_replicas: replicas,
        ready_replicas: replicas,
        updated_replicas: replicas,
        current_revision: Some("a".to_owned()),
        update_revision: Some("a".to_owned()),
        ..ObservedStatefulSet::from(group.planned.as_ref().unwrap())
    }
}

/// The observation.
pub(crate) fn perfect(expected: &ExpectedTopology) -> Observation {
    let (mut sets, mut pods, mut nodes) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for zone in expected.zones().iter().map(String::as_str).chain(["anywhere"]) {
        nodes.insert(node_in(zone), SeenNode { zone: Some(zone.to_owned()), unready: None });
    }
    for group in &expected.groups {
        let set = settled(group);
        for ordinal in 0..usize::try_from(set.replicas).unwrap() {
            let node = Some(node_of(group, ordinal));
            pods.insert(format!("{}-{ordinal}", group.stateful_set), SeenPod { node, ..SeenPod::default() });
        }
        sets.insert(group.stateful_set.clone(), set);
    }
    let leases = nodes.keys().map(|name| (name.clone(), lease(5))).collect();
    Observation {
        stateful_sets: Reading::Known(sets),
        pods: Reading::Known(pods),
        nodes: Reading::Known(nodes),
        leases: Reading::Known(leases),
        now: Some(now()),
    }
}
