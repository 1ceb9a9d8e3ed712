//! A spec that is refused keeps no label from its primary.

use std::collections::BTreeMap;

use homebase_api::IrisCluster;
use serde_json::json;

use super::mirror_labels;
use crate::cluster::observed::{Dereferenced, ObservedPod};
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
