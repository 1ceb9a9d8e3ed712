//! Tests of names at their limits. What is refused is in golden folders.

use homebase_api::limits::{CLUSTER_NAME_LENGTH, LABEL_LENGTH, MAX_SHARDS};

use super::*;

/// A StatefulSet's pods carry its name with a hyphen and a hash of ten in a label.
const HASH: usize = 11;

#[test]
fn the_longest_name_fits_the_labels_of_every_pod() {
    let key = ClusterName { namespace: "ns".into(), name: "n".repeat(CLUSTER_NAME_LENGTH) };
    let last = usize::try_from(MAX_SHARDS).unwrap() - 1;
    let shard = NodeSet { component: Component::Data, shard: Some(last) };
    for set in Component::ALL.map(NodeSet::whole).into_iter().chain([shard]) {
        assert!(key.stateful_set(set).len() + HASH <= LABEL_LENGTH, "{}", key.stateful_set(set));
    }
}

#[test]
fn a_data_set_is_told_by_its_name() {
    let key = ClusterName { namespace: "ns".into(), name: "demo".into() };
    let whole = NodeSet::whole(Component::Data);
    assert_eq!(data_set(&key, "demo-data"), Some(whole));
    assert_eq!(data_set(&key, "demo-data-12"), Some(NodeSet { shard: Some(12), ..whole }));
    for other in ["demo-data-x", "demo-database", "demo-compute", "data", "demo-data-"] {
        assert_eq!(data_set(&key, other), None, "{other}");
    }
}
