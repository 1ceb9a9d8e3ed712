//! Which request goes where.

use super::{Lanes, NAMESPACES_ON_A_LANE};

fn lanes(namespaces: usize) -> Lanes<usize> {
    let mut next = 0;
    Lanes::new(namespaces, || {
        next += 1;
        next
    })
}

fn watch(lanes: &mut Lanes<usize>, namespace: usize) -> usize {
    *lanes.lane(&format!("/apis/apps/v1/namespaces/n-{namespace}/deployments"), "labelSelector=a&watch=true")
}

#[test]
fn a_lane_has_a_few_namespaces_and_a_namespace_keeps_its_lane() {
    let mut lanes = lanes(2 * NAMESPACES_ON_A_LANE);
    let first: Vec<usize> = (0..2 * NAMESPACES_ON_A_LANE).map(|n| watch(&mut lanes, n)).collect();
    for lane in [1, 2] {
        assert_eq!(first.iter().filter(|found| **found == lane).count(), NAMESPACES_ON_A_LANE);
    }
    let again: Vec<usize> = (0..2 * NAMESPACES_ON_A_LANE).map(|n| watch(&mut lanes, n)).collect();
    assert_eq!(first, again);
    assert_eq!(watch(&mut lanes, 99), first[0], "more than were asked for share them");
}

#[test]
fn only_watches_of_a_namespace_leave_the_main_lane() {
    let mut lanes = lanes(1);
    let main = lanes.main;
    for (path, query) in [
        ("/api/v1/namespaces/a/pods", "limit=500"),
        ("/api/v1/namespaces/a/pods", "fieldSelector=watch%3Dtrue"),
        ("/api/v1/namespaces/kube-system", ""),
        ("/api/v1/namespaces", "watch=true"),
        ("/api/v1/pods", "watch=true"),
        ("/version", ""),
    ] {
        assert_eq!(*lanes.lane(path, query), main, "{path}?{query}");
    }
    assert_ne!(*lanes.lane("/api/v1/namespaces/a/pods", "watch=true"), main);
    assert_ne!(*lanes.lane("/prefix/api/v1/namespaces/a/pods", "&watch=true&a=b"), main);
}

#[test]
fn a_client_without_namespaces_has_one_lane() {
    let mut lanes = lanes(0);
    assert_eq!(watch(&mut lanes, 1), lanes.main);
}
