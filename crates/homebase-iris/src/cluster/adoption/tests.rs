//! What a set that was taken over looks like, and when that ends.

use homebase_api::annotations::ZONES_BY_ORDINAL;
use homebase_api::labels;
use k8s_openapi::api::apps::v1::StatefulSet;
use serde_json::json;

use super::{ADOPTED_TEMPLATE, as_adopted, keeps_pods, leftovers, without_marks};
use crate::cluster::observed::ObservedStatefulSet;
use crate::hash::CONFIG_HASH;

fn planned(image: &str) -> StatefulSet {
    serde_json::from_value(json!({
        "metadata": { "name": "iris-data", "annotations": { "homebase.dev/plan-hash": "x" } },
        "spec": {
            "selector": { "matchLabels": { "intersystems.com/name": "iris" } },
            "template": {
                "metadata": {
                    "labels": { labels::MANAGED_BY: "homebase", "intersystems.com/name": "iris" },
                    "annotations": { CONFIG_HASH: "abc", ZONES_BY_ORDINAL: "boston,chicago" },
                },
                "spec": { "containers": [{ "name": "iriscluster", "image": image }] },
            },
        },
    }))
    .unwrap()
}

fn observed(set: &StatefulSet) -> ObservedStatefulSet {
    ObservedStatefulSet::from(set)
}

#[test]
fn only_our_marks_on_the_pods_are_left_out() {
    let bare = without_marks(&planned("iris:1"));
    let mut expected = planned("iris:1");
    let meta = expected.spec.as_mut().unwrap().template.metadata.as_mut().unwrap();
    meta.annotations = None;
    meta.labels = Some([("intersystems.com/name".to_owned(), "iris".to_owned())].into());
    assert_eq!(bare.spec, expected.spec);
    let annotations = bare.metadata.annotations.unwrap();
    assert_eq!(annotations["homebase.dev/plan-hash"], "x");
    assert!(annotations.contains_key(ADOPTED_TEMPLATE));
}

#[test]
fn a_set_stays_without_marks_until_its_template_changes() {
    let adopted = without_marks(&planned("iris:1"));
    assert_eq!(as_adopted(planned("iris:1"), Some(&observed(&adopted)), false), adopted);
    assert_eq!(as_adopted(planned("iris:2"), Some(&observed(&adopted)), false), planned("iris:2"));
    let mut reconfigured = planned("iris:1");
    let meta = reconfigured.spec.as_mut().unwrap().template.metadata.as_mut().unwrap();
    meta.annotations.as_mut().unwrap().insert(CONFIG_HASH.to_owned(), "def".to_owned());
    assert_eq!(as_adopted(reconfigured.clone(), Some(&observed(&adopted)), false), reconfigured);
}

#[test]
fn a_set_that_was_never_taken_over_has_its_marks() {
    assert_eq!(as_adopted(planned("iris:1"), None, false), planned("iris:1"));
    let ours = observed(&planned("iris:1"));
    assert_eq!(as_adopted(planned("iris:1"), Some(&ours), false), planned("iris:1"));
}

#[test]
fn a_set_that_is_made_anew_around_pods_without_marks_has_none() {
    assert_eq!(as_adopted(planned("iris:1"), None, true), without_marks(&planned("iris:1")));
}

#[test]
fn pods_stay_only_when_their_template_does() {
    let bare = without_marks(&planned("iris:1"));
    assert!(keeps_pods(&bare, &bare));
    assert!(!keeps_pods(&bare, &planned("iris:1")));
    assert!(!keeps_pods(&bare, &without_marks(&planned("iris:2"))));
}

#[test]
fn a_take_over_that_begins_again_does_not_forget_of_which_template_it_holds() {
    let bare = without_marks(&planned("iris:1"));
    assert_eq!(without_marks(&bare), bare);
    assert_eq!(as_adopted(planned("iris:1"), Some(&observed(&without_marks(&bare))), false), bare);
}

#[test]
fn a_partition_of_another_operator_is_taken_away() {
    let strategy = |strategy: serde_json::Value| {
        let mut set = planned("iris:1");
        set.spec.as_mut().unwrap().update_strategy = Some(serde_json::from_value(strategy).unwrap());
        set
    };
    let defaulted = strategy(json!({ "type": "RollingUpdate", "rollingUpdate": { "partition": 0 } }));
    let by_hand = strategy(json!({ "type": "OnDelete" }));
    let patch = leftovers(&defaulted, &by_hand).unwrap();
    assert_eq!(patch, json!({ "spec": { "updateStrategy": { "type": "OnDelete", "rollingUpdate": null } } }));
    assert_eq!(leftovers(&by_hand, &defaulted), None);
    assert_eq!(leftovers(&by_hand, &by_hand), None);
}
