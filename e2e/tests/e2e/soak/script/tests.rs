//! A script is what its seed says, holds everything that can happen, and nothing that cannot.

use std::collections::{BTreeSet, HashSet};
use std::mem::discriminant;

use super::super::{CLUSTERS, EVENTS, SEED};
use super::{Cluster, Credentials, Event, Settings, Step, Which, script};

fn settings(seed: u64) -> Settings {
    Settings { seed, events: 1000, clusters: 10, lasting_faults: true }
}

#[test]
fn a_seed_is_one_script() {
    assert_eq!(script(settings(7)), script(settings(7)));
    assert_ne!(script(settings(7)), script(settings(8)));
    assert_eq!(script(settings(7)).len(), 1000);
}

/// How many kinds of events, credentials, forms and faults there are in a script, and how often the hub ends.
fn kinds(settings: Settings) -> ([usize; 4], usize) {
    let (mut events, mut credentials, mut hub_ends) = (HashSet::new(), HashSet::new(), 0);
    let (mut forms, mut faults) = (BTreeSet::new(), BTreeSet::new());
    for step in script(settings) {
        let Step::Cluster(_, event, _) = step else {
            hub_ends += 1;
            continue;
        };
        events.insert(discriminant(&event));
        match event {
            Event::Rotate(_, kind) => drop(credentials.insert(discriminant(&kind))),
            Event::Relabel(_, form) => drop(forms.insert(format!("{form:?}"))),
            Event::Break(fault) => drop(faults.insert(format!("{fault:?}"))),
            _ => {}
        }
    }
    ([events.len(), credentials.len(), forms.len(), faults.len()], hub_ends)
}

#[test]
fn a_thousand_events_and_those_of_the_short_run_hold_everything_that_can_happen() {
    let all = [13, 5, 3, 2];
    let (found, hub_ends) = kinds(settings(1));
    assert_eq!(found, all);
    assert!((10..50).contains(&hub_ends), "{hub_ends}");
    let short = Settings { seed: SEED, events: EVENTS, clusters: CLUSTERS, lasting_faults: false };
    let (found, hub_ends) = kinds(short);
    assert_eq!((found, hub_ends), (all, 2));
}

#[test]
fn nothing_happens_that_cannot() {
    for seed in 0..50 {
        let mut clusters = vec![Cluster::registered(); 10];
        for step in script(settings(seed)) {
            let Step::Cluster(index, event, _) = step else { continue };
            let cluster = &mut clusters[index];
            assert_possible(cluster, index, &event);
            cluster.apply(&event);
        }
        // Enough is left to be looked at in the end.
        let registered = clusters.iter().filter(|cluster| cluster.registrations().next().is_some()).count();
        assert!(registered >= 5, "seed {seed}: {registered} of 10 clusters are registered in the end");
    }
}

fn assert_possible(cluster: &Cluster, index: usize, event: &Event) {
    let has = |which: &Which| cluster.secrets.contains_key(which);
    let possible = match event {
        Event::Register(which) => !has(which),
        Event::Rotate(which, Credentials::OfCluster(other)) => has(which) && *other != index,
        Event::Rotate(which, _)
        | Event::Relabel(which, _)
        | Event::Pause(which, _)
        | Event::Limit(which, _)
        | Event::Deregister(which)
        | Event::Replace(which) => has(which),
        Event::PutIris(..) | Event::PutCluster(..) | Event::Break(_) => cluster.fault.is_none(),
        Event::DeleteIris(number) => cluster.fault.is_none() && cluster.iris.contains_key(number),
        Event::DeleteCluster(number) => cluster.fault.is_none() && cluster.clusters.contains_key(number),
        Event::Heal => cluster.fault.is_some(),
    };
    assert!(possible, "{event:?} on {cluster:?}");
}
