//! Whatever single thing is changed about a perfect observation, exactly the claims that it is about do not pass any
//! more. Must not list words of reasons: the folders do.

use std::collections::{BTreeMap, BTreeSet};

use homebase_api::IrisCluster;
use homebase_iris::cluster::attest::{
    ExpectedTopology, Observation, Reading, Report, SeenPod, Verdict, compare,
};
use proptest::prelude::*;
use serde_json::json;

use crate::perfect::{LEASE, lease, node_in, perfect, topology};

const COUNTS: &str = "pod counts match topology";
const READY: &str = "every pod is ready";
const NODES: &str = "every node of the pods is alive";
const SETS: &str = "every StatefulSet is as planned";

/// A topology like that of the rehearsal, smaller: members with a zone each, others in some zones or anywhere.
fn expected(compute: usize) -> ExpectedTopology {
    let cluster: IrisCluster = serde_json::from_value(json!({
        "apiVersion": "intersystems.com/v1alpha1", "kind": "IrisCluster",
        "metadata": {"name": "iris", "namespace": "ns", "uid": "u", "generation": 1},
        "spec": {"topology": {
            "data": {"image": "iris:2025.1", "mirrored": true, "mirrorMap": "primary,backup,drasync",
                "preferredZones": ["boston", "chicago", "seattle"]},
            "arbiter": {"image": "arbiter"},
            "compute": {"image": "iris:2025.1", "replicas": compute, "ephemeral": true, "preferredZones": ["london", "paris"]},
        }},
    }))
    .unwrap();
    topology(&cluster)
}

fn failing(report: &Report) -> BTreeMap<String, Verdict> {
    let bad = report.claims.iter().filter(|claim| claim.result != Verdict::Pass);
    bad.map(|claim| (claim.claim.clone(), claim.result)).collect()
}

fn known<T>(reading: &mut Reading<T>) -> &mut T {
    match reading {
        Reading::Known(value) => value,
        Reading::Unknown(why) => panic!("{why}"),
    }
}

/// The claim about the place of a pod.
fn placement(pod: &str, compute: usize) -> String {
    match pod {
        "iris-data-0-0" => "data primary in boston".to_owned(),
        "iris-data-0-1" => "data backup in chicago".to_owned(),
        "iris-data-0-2" => "data dr async in seattle".to_owned(),
        "iris-arbiter-0" => "1 arbiter placed".to_owned(),
        _ => format!("{compute} compute in london or paris"),
    }
}

/// One change.
#[derive(Clone, Copy, Debug)]
enum Change {
    PodGone,
    PodPending,
    PodTerminating,
    PodUnready,
    PodElsewhere,
    NodeUnlabelled,
    NodeRelabelled,
    NodeUnready,
    NodeGone,
    LeaseExpired,
    SetGone,
    SetOfAnotherPlan,
    SetUpdating,
    PodTooMany,
}

const CHANGES: [Change; 14] = [
    Change::PodGone,
    Change::PodPending,
    Change::PodTerminating,
    Change::PodUnready,
    Change::PodElsewhere,
    Change::NodeUnlabelled,
    Change::NodeRelabelled,
    Change::NodeUnready,
    Change::NodeGone,
    Change::LeaseExpired,
    Change::SetGone,
    Change::SetOfAnotherPlan,
    Change::SetUpdating,
    Change::PodTooMany,
];

fn names(words: &[&str]) -> BTreeSet<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Makes the change to the pod, to its node or to its StatefulSet, and says which claims must fail.
fn change(all: &mut Observation, pod: &str, compute: usize, change: Change) -> BTreeSet<String> {
    let place = placement(pod, compute);
    let pods = known(&mut all.pods);
    match change {
        Change::PodGone => {
            pods.remove(pod);
            names(&[&place, COUNTS])
        }
        Change::PodPending => {
            let unschedulable = Some("no node".to_owned());
            let unready = Some("Pending".to_owned());
            pods.insert(pod.to_owned(), SeenPod { unschedulable, unready, ..SeenPod::default() });
            names(&[&place, COUNTS, READY])
        }
        Change::PodTerminating => {
            pods.get_mut(pod).unwrap().terminating = true;
            names(&[&place, COUNTS, READY])
        }
        Change::PodUnready => {
            pods.get_mut(pod).unwrap().unready = Some("no".to_owned());
            names(&[READY])
        }
        Change::PodElsewhere => {
            pods.get_mut(pod).unwrap().node = Some(node_in("anywhere"));
            if pod == "iris-arbiter-0" { BTreeSet::new() } else { names(&[&place]) }
        }
        Change::PodTooMany => {
            let extra = pods[pod].clone();
            pods.insert(format!("{}-900", pod.rsplit_once('-').unwrap().0), extra);
            names(&[COUNTS])
        }
        _ => change_below(all, pod, compute, change),
    }
}

/// The changes that are not to the pod itself.
fn change_below(all: &mut Observation, pod: &str, compute: usize, change: Change) -> BTreeSet<String> {
    let pods = known(&mut all.pods);
    let node = pods[pod].node.clone().unwrap();
    let on_node = pods.iter().filter(|(_, other)| other.node.as_ref() == Some(&node)).map(|(name, _)| name);
    // The arbiter may be anywhere, so no label matters to it.
    let zoned = on_node.filter(|pod| *pod != "iris-arbiter-0");
    let placed_by_label: BTreeSet<String> = zoned.map(|pod| placement(pod, compute)).collect();
    let set = pod.rsplit_once('-').unwrap().0;
    let (nodes, sets) = (known(&mut all.nodes), known(&mut all.stateful_sets));
    match change {
        Change::NodeUnlabelled => {
            nodes.get_mut(&node).unwrap().zone = None;
            placed_by_label
        }
        Change::NodeRelabelled => {
            nodes.get_mut(&node).unwrap().zone = Some("oslo".to_owned());
            placed_by_label
        }
        Change::NodeUnready => {
            nodes.get_mut(&node).unwrap().unready = Some("no".to_owned());
            names(&[NODES])
        }
        Change::NodeGone => {
            nodes.remove(&node);
            placed_by_label.into_iter().chain([NODES.to_owned()]).collect()
        }
        Change::LeaseExpired => {
            known(&mut all.leases).insert(node, lease(i64::from(LEASE) + 10));
            names(&[NODES])
        }
        Change::SetGone => {
            sets.remove(set);
            names(&[SETS])
        }
        Change::SetOfAnotherPlan => {
            sets.get_mut(set).unwrap().plan_hash = Some("another".to_owned());
            names(&[SETS])
        }
        Change::SetUpdating => {
            let set = sets.get_mut(set).unwrap();
            set.update_revision = Some("b".to_owned());
            set.updated_replicas = 0;
            names(&[SETS])
        }
        of_pod => panic!("{of_pod:?} is a change of the pod"),
    }
}

#[test]
fn a_perfect_observation_passes_with_a_line_for_each_check() {
    let expected = expected(4);
    let report = compare(&expected, &perfect(&expected));
    assert_eq!(failing(&report), BTreeMap::new());
    assert_eq!(report.result, Verdict::Pass);
    let claims: Vec<&str> = report.claims.iter().map(|claim| claim.claim.as_str()).collect();
    let wanted = [
        "data primary in boston",
        "data backup in chicago",
        "data dr async in seattle",
        "4 compute in london or paris",
        "1 arbiter placed",
        COUNTS,
        READY,
        NODES,
        SETS,
    ];
    assert_eq!(claims, wanted);
}

fn unreadable<T>() -> Reading<T> {
    Reading::Unknown("not allowed".to_owned())
}

#[test]
fn what_cannot_be_read_makes_unknown_and_nothing_else() {
    let expected = expected(3);
    let placed = |pod: &str| placement(pod, 3);
    let zoned = ["iris-data-0-0", "iris-data-0-1", "iris-data-0-2", "iris-compute-0"].map(placed);
    let mut all = perfect(&expected);
    all.nodes = unreadable();
    let by_nodes: BTreeSet<_> = zoned.iter().cloned().chain([NODES.to_owned()]).collect();
    let mut pods = by_nodes.clone();
    pods.extend([placed("iris-arbiter-0"), COUNTS.to_owned(), READY.to_owned()]);
    let mut without_pods = perfect(&expected);
    without_pods.pods = unreadable();
    let mut without_sets = perfect(&expected);
    without_sets.stateful_sets = unreadable();
    let mut without_leases = perfect(&expected);
    without_leases.leases = unreadable();
    let mut without_time = perfect(&expected);
    without_time.now = None;
    let cases = [
        (all, by_nodes),
        (without_pods, pods),
        (without_sets, names(&[SETS])),
        (without_leases, BTreeSet::new()),
        (without_time, BTreeSet::new()),
    ];
    for (seen, unknown) in cases {
        let report = compare(&expected, &seen);
        let found = failing(&report);
        assert!(found.values().all(|verdict| *verdict == Verdict::Unknown), "{found:?}");
        assert_eq!(found.keys().cloned().collect::<BTreeSet<_>>(), unknown);
        assert_eq!(report.result == Verdict::Unknown, !unknown.is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_single_change_fails_exactly_the_claims_that_it_is_about(
        compute in 1_usize..40,
        chosen in any::<prop::sample::Index>(),
        kind in prop::sample::select(CHANGES.to_vec()),
    ) {
        let expected = expected(compute);
        let mut seen = perfect(&expected);
        let names: Vec<String> = known(&mut seen.pods).keys().cloned().collect();
        let pod = chosen.get(&names);
        let wanted = change(&mut seen, pod, compute, kind);
        let report = compare(&expected, &seen);
        let found = failing(&report);
        prop_assert!(found.values().all(|verdict| *verdict == Verdict::Fail), "{found:?}");
        prop_assert_eq!(found.keys().cloned().collect::<BTreeSet<_>>(), wanted, "{:?} of {}", kind, pod);
        // A reason is there, and the table adds up to the pods that are on nodes.
        prop_assert!(report.claims.iter().all(|claim| !claim.reason.is_empty()));
        let on_nodes = known(&mut seen.pods).values().filter(|pod| pod.node.is_some() && !pod.terminating).count();
        let observed: usize = report.zones.iter().map(|row| row.observed.unwrap()).sum();
        prop_assert_eq!(observed, on_nodes);
        let wanted: usize = report.zones.iter().map(|row| row.expected.unwrap()).sum();
        prop_assert_eq!(wanted, compute + 4);
    }
}
