//! What news of nodes makes known, and whom it wakes. The watch itself is tested on real apiservers.

use std::sync::Mutex;

use serde_json::json;

use super::*;

fn node(name: &str, zone: Option<&str>) -> PartialObjectMeta<Node> {
    let labels = zone.map_or_else(|| json!({}), |zone| json!({ ZONE: zone }));
    serde_json::from_value(json!({
        "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata",
        "metadata": { "name": name, "labels": labels },
    }))
    .unwrap()
}

fn on(names: &[&str]) -> Concerned {
    Concerned::On(names.iter().map(|&name| name.to_owned()).collect())
}

/// Plays the watch of `nodes`; returns whom it wakes.
fn played(nodes: &Nodes, play: impl FnOnce(&mut dyn Listener<PartialObjectMeta<Node>>)) -> Vec<Concerned> {
    let woken = Mutex::new(Vec::new());
    let wake = |concerned| woken.lock().unwrap().push(concerned);
    play(&mut Feed::new(nodes.clone(), wake));
    woken.into_inner().unwrap()
}

fn list(feed: &mut dyn Listener<PartialObjectMeta<Node>>, listed: &[(&str, Option<&str>)]) {
    feed.event(Event::Init);
    for (name, zone) in listed {
        feed.event(Event::InitApply(node(name, *zone)));
    }
    feed.event(Event::InitDone);
}

fn zones(nodes: &Nodes) -> Option<NodeZones> {
    nodes.zones_of(["a", "b", "c"].map(str::to_owned).iter())
}

fn known(zones: &[(&str, Option<&str>)]) -> NodeZones {
    let owned = |(name, zone): &(&str, Option<&str>)| ((*name).to_owned(), zone.map(str::to_owned));
    NodeZones::Known(zones.iter().map(owned).collect())
}

#[test]
fn zones_are_known_from_the_first_listing_on_and_only_their_changes_wake() {
    let nodes = Nodes::new(&Namespaces::All);
    assert_eq!(zones(&nodes), None);
    let woken = played(&nodes, |feed| list(feed, &[("a", Some("x")), ("b", None)]));
    assert_eq!(woken, [Concerned::All]);
    assert_eq!(zones(&nodes), Some(known(&[("a", Some("x")), ("b", None)])));
    let woken = played(&nodes, |feed| {
        // A heartbeat, which is no change of a zone.
        feed.event(Event::Apply(node("a", Some("x"))));
        feed.event(Event::Apply(node("b", Some("x"))));
        feed.event(Event::Delete(node("a", Some("x"))));
        list(feed, &[("b", Some("x")), ("c", Some("y"))]);
        list(feed, &[("b", Some("x")), ("c", Some("y"))]);
    });
    assert_eq!(woken, [on(&["b"]), on(&["a"]), on(&["c"])]);
    assert_eq!(zones(&nodes), Some(known(&[("b", Some("x")), ("c", Some("y"))])));
}

#[test]
fn a_failure_is_told_once_and_forgets_no_zone_but_for_a_lost_right() {
    let nodes = Nodes::new(&Namespaces::All);
    nodes.start();
    let woken = played(&nodes, |feed| {
        feed.failure(Category::ServerError, "");
        feed.failure(Category::ConnectionLost, "");
    });
    assert_eq!(woken, [Concerned::All]);
    assert_eq!(zones(&nodes), Some(NodeZones::Unread(Unread::Failed("ServerError"))));
    let woken = played(&nodes, |feed| {
        list(feed, &[("a", Some("x"))]);
        feed.failure(Category::ServerError, "");
    });
    assert_eq!(woken, [Concerned::All]);
    assert_eq!(zones(&nodes), Some(known(&[("a", Some("x"))])));
    let woken = played(&nodes, |feed| feed.failure(Category::Forbidden, ""));
    assert_eq!((woken, zones(&nodes)), (vec![Concerned::All], Some(NodeZones::Unread(Unread::Forbidden))));
}

#[test]
fn who_may_list_but_not_watch_knows_the_zones_until_a_listing_is_refused() {
    let nodes = Nodes::new(&Namespaces::All);
    nodes.start();
    let woken = played(&nodes, |feed| {
        for _ in 0..3 {
            list(feed, &[("a", Some("x"))]);
            feed.failure(Category::Forbidden, "");
        }
    });
    assert_eq!((woken, zones(&nodes)), (vec![Concerned::All], Some(known(&[("a", Some("x"))]))));
    let woken = played(&nodes, |feed| {
        list(feed, &[("a", Some("x"))]);
        feed.failure(Category::Forbidden, "");
        feed.failure(Category::Forbidden, "");
    });
    assert_eq!((woken, zones(&nodes)), (vec![Concerned::All], Some(NodeZones::Unread(Unread::Forbidden))));
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_long_for_nodes_that_are_not_listed() {
    let nodes = Nodes::new(&Namespaces::All);
    assert_eq!(zones(&nodes), None);
    nodes.end_patience(|_| {}).await;
    assert_eq!(zones(&nodes), Some(NodeZones::Unread(Unread::Failed("ResponseTimeout"))));
    // Where they were listed in time, it changes nothing.
    played(&nodes, |feed| list(feed, &[("a", Some("x"))]));
    nodes.end_patience(|_| panic!("nobody is to be woken")).await;
    assert_eq!(zones(&nodes), Some(known(&[("a", Some("x"))])));
}

#[test]
fn a_registration_for_some_namespaces_does_without() {
    let nodes = Nodes::new(&Namespaces::Only(["a".parse().unwrap()].into()));
    assert_eq!(zones(&nodes), Some(NodeZones::Unread(Unread::Restricted)));
}
