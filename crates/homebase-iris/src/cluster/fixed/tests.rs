//! Which differences count, and which are only another way to write the same.

use serde_json::{Value, json};

use super::*;

fn set(spec: &Value) -> StatefulSet {
    serde_json::from_value(json!({ "spec": spec })).unwrap()
}

fn spec() -> Value {
    json!({
        "serviceName": "iris-svc",
        "podManagementPolicy": "OrderedReady",
        "selector": { "matchLabels": { "intersystems.com/name": "demo" } },
        "template": { "metadata": { "labels": { "intersystems.com/name": "demo", "team": "blue" } } },
        "volumeClaimTemplates": [{
            "metadata": { "name": "iris-data" },
            "spec": { "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "2Gi" } } },
        }],
    })
}

fn changed(edit: impl Fn(&mut Value)) -> Vec<FixedField> {
    let mut found = spec();
    edit(&mut found);
    FixedFields::of(&set(&found)).changed_in(&set(&spec()))
}

#[test]
fn each_field_that_cannot_change_is_named() {
    assert_eq!(changed(|_| {}), []);
    for (field, pointer, value) in [
        (FixedField::ServiceName, "/serviceName", json!("other")),
        (FixedField::PodManagementPolicy, "/podManagementPolicy", json!("Parallel")),
        (FixedField::Selector, "/selector/matchLabels", json!({ "a": "b" })),
        (
            FixedField::VolumeClaimTemplates,
            "/volumeClaimTemplates/0/spec/resources/requests/storage",
            json!("3Gi"),
        ),
        (FixedField::VolumeClaimTemplates, "/volumeClaimTemplates/0/metadata/name", json!("iris-wij")),
        (FixedField::VolumeClaimTemplates, "/volumeClaimTemplates", json!([])),
    ] {
        assert_eq!(
            changed(|found| *found.pointer_mut(pointer).unwrap() = value.clone()),
            [field],
            "{pointer}"
        );
    }
    let class = changed(|found| found["volumeClaimTemplates"][0]["spec"]["storageClassName"] = json!("fast"));
    assert_eq!(class, [FixedField::VolumeClaimTemplates]);
}

#[test]
fn what_can_change_and_what_an_apiserver_fills_in_is_no_difference() {
    assert_eq!(changed(|found| found["replicas"] = json!(5)), []);
    assert_eq!(changed(|found| found["minReadySeconds"] = json!(5)), []);
    assert_eq!(changed(|found| found["revisionHistoryLimit"] = json!(5)), []);
    assert_eq!(changed(|found| found["template"]["spec"] = json!({ "containers": [{ "name": "a" }] })), []);
    assert_eq!(changed(|found| drop(found.as_object_mut().unwrap().remove("podManagementPolicy"))), []);
    let filled = changed(|found| {
        let claim = &mut found["volumeClaimTemplates"][0];
        claim["status"] = json!({ "phase": "Pending" });
        claim["spec"]["volumeMode"] = json!("Filesystem");
        claim["spec"]["resources"]["requests"]["storage"] = json!("2048Mi");
        claim["metadata"]["labels"] = json!({});
    });
    assert_eq!(filled, []);
}

#[test]
fn one_that_was_applied_from_the_same_fields_is_never_made_anew() {
    let mut planned = set(&spec());
    let hash = fixed_hash(planned.spec.as_ref().unwrap());
    planned.metadata.annotations = Some([(FIXED_HASH.to_owned(), hash)].into());
    let mut mutated = planned.clone();
    mutated.spec.as_mut().unwrap().service_name = Some("of-a-webhook".to_owned());
    assert_eq!(FixedFields::of(&mutated).changed_in(&planned), []);
    planned.metadata.annotations.as_mut().unwrap().insert(FIXED_HASH.to_owned(), "other".to_owned());
    assert_eq!(FixedFields::of(&mutated).changed_in(&planned), [FixedField::ServiceName]);
}

#[test]
fn the_hash_follows_the_fields_that_cannot_change_and_no_other() {
    let hash = |edit: &dyn Fn(&mut Value)| {
        let mut wanted = spec();
        edit(&mut wanted);
        fixed_hash(set(&wanted).spec.as_ref().unwrap())
    };
    let same = hash(&|_| {});
    assert_eq!(hash(&|wanted| wanted["replicas"] = json!(7)), same);
    assert_ne!(hash(&|wanted| wanted["serviceName"] = json!("x")), same);
    assert_ne!(hash(&|wanted| wanted["volumeClaimTemplates"] = json!([])), same);
}

#[test]
fn pods_are_found_by_a_selector_whose_labels_they_have() {
    let found = FixedFields::of(&set(&spec()));
    assert!(found.is_selected_by(&set(&spec())));
    let mut more = spec();
    more["selector"]["matchLabels"]["intersystems.com/shard"] = json!("0");
    assert!(!found.is_selected_by(&set(&more)));
    assert_eq!(found.claims().collect::<Vec<_>>(), ["iris-data"]);
}
