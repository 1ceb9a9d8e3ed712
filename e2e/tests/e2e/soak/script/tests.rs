//! A script is what its seed says, holds everything that can happen, and nothing that cannot.

use std::collections::BTreeSet;
use std::mem::discriminant;

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

#[test]
fn a_thousand_events_hold_everything_that_can_happen() {
    let mut kinds = Vec::new();
    let (mut credentials, mut forms, mut hub_ends) = (Vec::new(), BTreeSet::new(), 0);
    for step in script(settings(1)) {
        let Step::Cluster(_, event, _) = step else {
            hub_ends += 1;
            continue;
        };
        if !kinds.contains(&discriminant(&event)) {
            kinds.push(discriminant(&event));
        }
        match event {
            Event::Rotate(_, kind) if !credentials.contains(&discriminant(&kind)) => {
                credentials.push(discriminant(&kind));
            }
            Event::Relabel(_, form) => drop(forms.insert(format!("{form:?}"))),
            _ => {}
        }
    }
    assert_eq!((kinds.len(), credentials.len(), forms.len()), (13, 5, 3));
    assert!((5..40).contains(&hub_ends), "{hub_ends}");
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
