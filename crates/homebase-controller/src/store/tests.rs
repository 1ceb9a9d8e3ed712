//! The store under the events that watches really bring: listings, gaps, late news.

use homebase_core::ObjectKey;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::runtime::watcher::Event;

use super::{Change, Store};

fn object(name: &str, version: &str) -> ConfigMap {
    let mut object = ConfigMap::default();
    object.metadata.name = Some(name.to_owned());
    object.metadata.namespace = Some("ns".to_owned());
    object.metadata.resource_version = Some(version.to_owned());
    object
}

fn view(object: &ConfigMap) -> String {
    object.metadata.resource_version.clone().unwrap()
}

fn key(name: &str) -> ObjectKey {
    ObjectKey::new("ns", name)
}

fn listed(names: &[(&str, &str)]) -> Store<String> {
    let store = Store::default();
    store.on(Event::<ConfigMap>::Init, view);
    for (name, version) in names {
        store.on(Event::InitApply(object(name, version)), view);
    }
    store.on(Event::<ConfigMap>::InitDone, view);
    store
}

#[test]
fn absence_means_nothing_before_the_first_listing_is_complete() {
    let store: Store<String> = Store::default();
    store.on(Event::<ConfigMap>::Init, view);
    store.on(Event::InitApply(object("a", "1")), view);
    assert!(!store.is_synced());
    store.on(Event::<ConfigMap>::InitDone, view);
    assert!(store.is_synced());
}

#[test]
fn what_is_missing_in_a_new_listing_is_gone_and_reported() {
    let store = listed(&[("a", "1"), ("b", "2")]);
    store.on(Event::<ConfigMap>::Init, view);
    assert_eq!(store.get(&key("b")), Some("2".to_owned()), "kept while the listing runs");
    store.on(Event::InitApply(object("a", "1")), view);
    let changes = store.on(Event::<ConfigMap>::InitDone, view);
    assert_eq!(changes, [Change { key: key("b"), before: Some("2".to_owned()), after: None, listed: true }]);
}

#[test]
fn late_news_does_not_replace_what_our_own_write_returned() {
    let store = listed(&[("a", "5")]);
    store.note(&object("a", "9"), view);
    assert!(store.on(Event::Apply(object("a", "7")), view).is_empty());
    assert_eq!(store.get(&key("a")), Some("9".to_owned()));
}

#[test]
fn a_new_listing_counts_even_when_etcd_was_restored_from_a_backup() {
    let store = listed(&[("a", "100")]);
    store.on(Event::<ConfigMap>::Init, view);
    assert_eq!(store.on(Event::InitApply(object("a", "40")), view).len(), 1);
    store.note(&object("a", "45"), view);
    assert!(store.on(Event::Apply(object("a", "42")), view).is_empty(), "late news is late again");
    assert_eq!(store.get(&key("a")), Some("45".to_owned()));
}

#[test]
fn an_answer_that_comes_after_the_deletion_brings_nothing_back() {
    let store = listed(&[("a", "5")]);
    store.on(Event::Delete(object("a", "7")), view);
    store.note(&object("a", "6"), view);
    assert_eq!(store.get(&key("a")), None);
}

#[test]
fn an_event_that_changes_nothing_of_the_view_is_no_change() {
    let store = listed(&[("a", "1")]);
    assert!(store.on(Event::Apply(object("a", "1")), view).is_empty());
    assert_eq!(store.on(Event::Apply(object("a", "2")), view).len(), 1);
}

#[test]
fn only_the_namespace_that_was_asked_for_is_returned() {
    let store = listed(&[("a", "1"), ("b", "2")]);
    let mut other = object("c", "3");
    other.metadata.namespace = Some("ns-2".to_owned());
    store.on(Event::Apply(other), view);
    assert_eq!(store.in_namespace("ns", |_| true).len(), 2);
    assert_eq!(store.in_namespace("ns", |version| version == "2").len(), 1);
    assert_eq!(store.in_namespace("n", |_| true).len(), 0);
}

fn within(namespace: &str, name: &str, version: &str) -> ConfigMap {
    let mut object = object(name, version);
    object.metadata.namespace = Some(namespace.to_owned());
    object
}

/// A store of two namespaces that have listed one object each.
fn of_two() -> Store<String> {
    let store = Store::default();
    store.expect(["a", "b"]);
    for namespace in ["a", "b"] {
        store.on_in(namespace, Event::<ConfigMap>::Init, view);
        store.on_in(namespace, Event::InitApply(within(namespace, "x", "100")), view);
        store.on_in(namespace, Event::<ConfigMap>::InitDone, view);
    }
    store
}

#[test]
fn absence_means_nothing_before_every_namespace_has_listed() {
    let store: Store<String> = Store::default();
    assert!(!store.is_synced());
    store.expect(["a", "b"]);
    store.on_in("a", Event::<ConfigMap>::Init, view);
    store.on_in("b", Event::<ConfigMap>::Init, view);
    store.on_in("a", Event::<ConfigMap>::InitDone, view);
    assert!(!store.is_synced(), "b has not listed");
    store.on_in("b", Event::<ConfigMap>::InitDone, view);
    assert!(store.is_synced());
}

#[test]
fn absence_means_something_in_a_namespace_that_has_listed_whatever_others_do() {
    let store: Store<String> = Store::default();
    assert!(!store.is_synced_in("a"), "nothing is watched");
    store.expect(["a", "b"]);
    store.on_in("a", Event::<ConfigMap>::Init, view);
    assert!(!store.is_synced_in("a"));
    store.on_in("a", Event::<ConfigMap>::InitDone, view);
    assert!(store.is_synced_in("a") && !store.is_synced_in("b") && !store.is_synced());
    assert!(!store.is_synced_in("c"), "nobody looks there");
    store.on_in("a", Event::<ConfigMap>::Init, view);
    assert!(store.is_synced_in("a"), "what was known stays while a listing runs");
}

#[test]
fn a_listing_of_everything_covers_each_namespace() {
    let store: Store<String> = Store::default();
    store.on(Event::<ConfigMap>::Init, view);
    assert!(!store.is_synced_in("ns") && !store.is_synced_in("empty"));
    store.on(Event::<ConfigMap>::InitDone, view);
    assert!(store.is_synced_in("ns") && store.is_synced_in("empty"));
}

#[test]
fn a_new_listing_of_one_namespace_says_nothing_of_another() {
    let store = of_two();
    store.on_in("a", Event::<ConfigMap>::Init, view);
    assert!(store.is_synced(), "what was known stays while a listing runs");
    // The listing of another namespace begins and ends in the middle of it.
    store.on_in("b", Event::<ConfigMap>::Init, view);
    store.on_in("b", Event::InitApply(within("b", "x", "100")), view);
    assert_eq!(store.on_in("b", Event::<ConfigMap>::InitDone, view), []);
    let gone = store.on_in("a", Event::<ConfigMap>::InitDone, view);
    let x = |namespace| ObjectKey::new(namespace, "x");
    assert_eq!(gone, [Change { key: x("a"), before: Some("100".to_owned()), after: None, listed: true }]);
    assert_eq!(store.keys(), [x("b")]);
}

#[test]
fn a_namespace_whose_name_begins_like_another_is_another() {
    let store = Store::default();
    store.expect(["a", "a-1"]);
    for namespace in ["a", "a-1"] {
        store.on_in(namespace, Event::<ConfigMap>::Init, view);
        store.on_in(namespace, Event::InitApply(within(namespace, "x", "1")), view);
        store.on_in(namespace, Event::<ConfigMap>::InitDone, view);
    }
    store.on_in("a", Event::<ConfigMap>::Init, view);
    store.on_in("a", Event::<ConfigMap>::InitDone, view);
    assert_eq!(store.keys(), [ObjectKey::new("a-1", "x")]);
}

#[test]
fn a_restored_etcd_counts_by_namespace() {
    let store = of_two();
    // Only `a` is listed anew: there lower versions are the truth, in `b` they are late news.
    store.on_in("a", Event::<ConfigMap>::Init, view);
    assert_eq!(store.on_in("a", Event::InitApply(within("a", "x", "40")), view).len(), 1);
    assert_eq!(store.on_in("b", Event::Apply(within("b", "x", "40")), view), []);
    store.note(&within("a", "x", "45"), view);
    assert_eq!(store.on_in("a", Event::Apply(within("a", "x", "42")), view), [], "late again");
    assert_eq!(store.get(&ObjectKey::new("b", "x")), Some("100".to_owned()));
    assert_eq!(store.get(&ObjectKey::new("a", "x")), Some("45".to_owned()));
}

#[test]
fn an_object_of_a_namespace_that_was_not_asked_for_is_not_taken() {
    let store = of_two();
    for event in [
        Event::InitApply(within("c", "x", "1")),
        Event::Apply(within("c", "x", "1")),
        Event::Apply(within("b", "x", "200")),
        Event::Delete(within("b", "x", "200")),
    ] {
        assert_eq!(store.on_in("a", event, view), []);
    }
    assert_eq!(store.get(&ObjectKey::new("b", "x")), Some("100".to_owned()));
    assert_eq!(store.keys().len(), 2);
}

#[test]
fn what_one_namespace_forgets_the_others_keep() {
    let store = Store::default();
    let mut other = object("a", "1");
    other.metadata.namespace = Some("other".to_owned());
    for (namespace, object) in [("ns", object("a", "1")), ("other", other)] {
        store.on_in(namespace, Event::<ConfigMap>::Init, view);
        store.on_in(namespace, Event::InitApply(object), view);
        store.on_in(namespace, Event::<ConfigMap>::InitDone, view);
    }
    store.forget("ns");
    assert!(!store.is_synced_in("ns") && store.is_synced_in("other"));
    assert_eq!(store.keys(), [ObjectKey::new("other", "a")]);
}
