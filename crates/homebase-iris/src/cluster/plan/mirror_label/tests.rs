//! A spec that is refused keeps no label from its primary, and pods of others keep theirs.

use std::collections::BTreeMap;

use homebase_api::IrisCluster;
use serde_json::json;

use super::mirror_labels;
use crate::cluster::observed::{Dereferenced, ObservedPod, ObservedStatefulSet};
use crate::cluster::primary::Finding;
use crate::cluster::validate;

#[test]
fn a_refused_spec_does_not_keep_the_label_from_moving() {
    let cluster: IrisCluster = serde_json::from_value(json!({
        "apiVersion": "intersystems.com/v1alpha1", "kind": "IrisCluster",
        "metadata": { "name": "demo", "namespace": "default", "uid": "u" },
        "spec": { "topology": { "data": { "image": "", "mirrored": true, "shards": 2 } } },
    }))
    .unwrap();
    let pod = |uid: &str, role: &str| ObservedPod {
        uid: uid.to_owned(),
        mirror_role: Some(role.to_owned()),
        ..ObservedPod::default()
    };
    let pods = [("demo-data-1-0", pod("a", "primary")), ("demo-data-1-1", pod("b", "backup"))];
    let found = Dereferenced {
        pods: pods.map(|(name, pod)| (name.to_owned(), pod)).into(),
        mirrors: BTreeMap::from([(
            1,
            Finding::Primary { pod: "demo-data-1-1".to_owned(), uid: "b".to_owned(), others: [].into() },
        )]),
        ..Dereferenced::default()
    };
    assert!(validate(&cluster, &found).is_err());
    let labels = mirror_labels(&cluster, &found);
    let labels: Vec<_> = labels.iter().map(|label| (label.pod.as_str(), label.role.as_str())).collect();
    assert_eq!(labels, [("demo-data-1-0", "backup"), ("demo-data-1-1", "primary")]);
}

#[test]
fn pods_of_somebody_else_keep_their_labels() {
    let cluster: IrisCluster = serde_json::from_value(json!({
        "apiVersion": "intersystems.com/v1alpha1", "kind": "IrisCluster",
        "metadata": { "name": "demo", "namespace": "default", "uid": "u" },
        "spec": { "topology": { "data": { "image": "iris:2025.1", "mirrored": true } } },
    }))
    .unwrap();
    let pod = |uid: &str| ObservedPod {
        uid: uid.to_owned(),
        controller: Some("a set".to_owned()),
        ..ObservedPod::default()
    };
    let pods = [("demo-data-0-0", pod("a")), ("demo-data-0-1", pod("b"))];
    let mut found = Dereferenced {
        pods: pods.map(|(name, pod)| (name.to_owned(), pod)).into(),
        ..Dereferenced::default()
    };
    assert_eq!(mirror_labels(&cluster, &found), []);
    let ours = ObservedStatefulSet { uid: "a set".to_owned(), ..ObservedStatefulSet::default() };
    found.stateful_sets.insert("demo-data-0".to_owned(), ours);
    assert_eq!(mirror_labels(&cluster, &found).len(), 2);
}
