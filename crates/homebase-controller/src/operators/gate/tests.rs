//! Nothing passes early, and nothing is forgotten.

use std::sync::{Arc, Mutex};

use homebase_core::ObjectKey;

use super::Gate;

#[test]
fn what_came_before_the_listings_were_complete_is_woken_by_the_last_one() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let sink = log.clone();
    let gate = Gate::new(Arc::new(move |key: ObjectKey, _| sink.lock().unwrap().push(key.name)));
    let key = |name: &str| ObjectKey::new("ns", name);
    gate.pass(false, || vec![key("early")], [(key("early"), true)]);
    assert!(log.lock().unwrap().is_empty());
    gate.pass(true, || vec![key("early"), key("late")], []);
    gate.pass(true, || vec![key("never again")], [(key("live"), false)]);
    assert_eq!(*log.lock().unwrap(), ["early", "late", "live"]);
}
