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
