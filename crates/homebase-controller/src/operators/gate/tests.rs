//! Nothing passes early, nothing is forgotten, and no namespace waits for another.

use std::sync::{Arc, Mutex};

use homebase_core::namespaces::NamespaceList;
use homebase_core::{Namespaces, ObjectKey};

use super::Gate;

type Log = Arc<Mutex<Vec<String>>>;

fn gate(namespaces: &Namespaces) -> (Gate, Log) {
    let log = Log::default();
    let sink = log.clone();
    let enqueue = move |key: ObjectKey, _| sink.lock().unwrap().push(key.to_string());
    (Gate::new(Arc::new(enqueue), namespaces), log)
}

fn taken(log: &Log) -> Vec<String> {
    std::mem::take(&mut *log.lock().unwrap())
}

fn only(list: &str) -> Namespaces {
    Namespaces::Only(NamespaceList::read(list).names)
}

#[test]
fn what_came_before_the_listings_were_complete_is_woken_by_the_last_one() {
    let (gate, log) = gate(&Namespaces::All);
    let key = |name: &str| ObjectKey::new("ns", name);
    gate.pass(|_| false, || vec![key("early")], [(key("early"), true)]);
    assert!(taken(&log).is_empty());
    gate.pass(|_| true, || vec![key("early"), key("late")], []);
    gate.pass(|_| true, || vec![key("never again")], [(key("live"), false)]);
    assert_eq!(taken(&log), ["ns/early", "ns/late", "ns/live"]);
}

#[test]
fn a_namespace_that_never_lists_holds_up_its_own_keys_and_no_others() {
    let (gate, log) = gate(&only("a,b"));
    let [a, b] = ["a", "b"].map(|namespace| ObjectKey::new(namespace, "x"));
    let all = || vec![a.clone(), b.clone()];
    let live = || [(a.clone(), false), (b.clone(), false)];
    gate.pass(|_| false, all, live());
    assert!(taken(&log).is_empty());
    gate.pass(|namespace| namespace == "a", all, []);
    assert_eq!(taken(&log), ["a/x"], "all of a, and nothing of b");
    gate.pass(|namespace| namespace == "a", all, live());
    assert_eq!(taken(&log), ["a/x"], "what is live, once");
    gate.pass(|_| true, all, []);
    assert_eq!(taken(&log), ["b/x"], "b alone is new");
    gate.pass(|_| true, all, live());
    assert_eq!(taken(&log), ["a/x", "b/x"]);
}
