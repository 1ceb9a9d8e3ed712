//! What counts as a change of a child.

use homebase_core::{Fingerprint, ObjectKey};
use homebase_iris::cluster::ObservedStatefulSet;
use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetSpec, StatefulSetStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::runtime::watcher::Event;

use homebase_api::IrisCluster;

use super::{Children, Owner, Sent, controller, is_orphan, is_ours, mark};

fn set() -> StatefulSet {
    let mut set = StatefulSet::default();
    set.metadata.name = Some("a".to_owned());
    set.metadata.resource_version = Some("1".to_owned());
    set.metadata.generation = Some(1);
    set.spec = Some(StatefulSetSpec { replicas: Some(1), ..StatefulSetSpec::default() });
    set
}

#[test]
fn what_the_apiserver_counts_and_its_controllers_report_is_no_change() {
    let mut later = set();
    later.metadata.resource_version = Some("2".to_owned());
    later.metadata.generation = Some(2);
    later.status = Some(StatefulSetStatus { replicas: 1, ..StatefulSetStatus::default() });
    assert_eq!(mark(&set()), mark(&later));
}

#[test]
fn a_label_or_a_field_that_somebody_set_is_a_change() {
    let mut relabelled = set();
    relabelled.metadata.labels = Some([("a".to_owned(), "b".to_owned())].into());
    assert_ne!(mark(&set()), mark(&relabelled));
    let mut scaled = set();
    scaled.spec.as_mut().unwrap().replicas = Some(2);
    assert_ne!(mark(&set()), mark(&scaled));
}

#[test]
fn only_the_controller_counts_as_the_owner() {
    let mut child = set();
    let reference = |uid: &str, controller| OwnerReference {
        uid: uid.to_owned(),
        controller,
        ..OwnerReference::default()
    };
    child.metadata.owner_references = Some(vec![reference("other", None), reference("ours", Some(true))]);
    let owner: Option<Owner> = controller(&child);
    assert!(is_ours(owner.as_ref(), Some("ours")));
    assert!(!is_ours(owner.as_ref(), Some("other")));
    assert!(!is_ours(None, Some("ours")) && is_ours(None, None));
}

#[test]
fn only_what_has_all_our_marks_and_no_owner_is_an_orphan_of_ours() {
    let marked = |hub: &str, name: &str| {
        let mut set = set();
        set.metadata.annotations =
            Some([(homebase_api::annotations::HUB_ID.to_owned(), hub.to_owned())].into());
        set.metadata.labels = Some([(homebase_api::labels::NAME.to_owned(), name.to_owned())].into());
        set
    };
    let wanted = marked("a", "iris");
    assert!(is_orphan(&marked("a", "iris"), &wanted));
    assert!(!is_orphan(&marked("b", "iris"), &wanted), "of another hub");
    assert!(!is_orphan(&marked("a", "other"), &wanted), "of another cluster");
    assert!(!is_orphan(&set(), &set()), "of nobody");
    let mut owned = marked("a", "iris");
    owned.metadata.owner_references = Some(vec![OwnerReference::default()]);
    assert!(!is_orphan(&owned, &wanted), "somebody else's");
}

#[test]
fn what_was_sent_is_forgotten_only_where_the_listing_says_that_it_is_gone() {
    let sets: Children<StatefulSet, ObservedStatefulSet> =
        Children::of::<IrisCluster>(std::sync::Arc::default());
    let keys = ["a", "b", "c"].map(|namespace| ObjectKey::new(namespace, "gone"));
    for key in &keys {
        let owner = Some("owner".to_owned());
        let sent = Sent { wanted: Fingerprint::of_bytes("wanted"), became: None, uid: String::new(), owner };
        sets.sent.lock().unwrap().insert(key.clone(), sent);
    }
    sets.store.expect(["a", "b", "c"]);
    for namespace in ["a", "c"] {
        sets.store.on_in(namespace, Event::<StatefulSet>::InitDone, super::view);
    }
    let left = || {
        let mut left: Vec<_> = sets.sent.lock().unwrap().keys().map(|key| key.namespace.clone()).collect();
        left.sort();
        left
    };
    sets.forget_gone(&ObjectKey::new("a", "another"));
    assert_eq!(left(), ["a", "b", "c"], "its owner may be there");
    sets.forget_gone(&ObjectKey::new("a", "owner"));
    assert_eq!(left(), ["b", "c"], "nobody asked about others");
    sets.forget_gone(&ObjectKey::new("b", "owner"));
    assert_eq!(left(), ["b", "c"], "b has not listed");
}
