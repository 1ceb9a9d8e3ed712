//! Tests of what is kept of a StatefulSet. Must not judge it.

use k8s_openapi::api::apps::v1::{
    RollingUpdateStatefulSetStrategy, StatefulSetSpec, StatefulSetStatus, StatefulSetUpdateStrategy,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::*;

#[test]
fn every_field_comes_from_its_own_place() {
    let set = StatefulSet {
        metadata: ObjectMeta {
            uid: Some("uid".into()),
            generation: Some(1),
            annotations: Some([(PLAN_HASH.to_owned(), "hash".to_owned())].into()),
            ..ObjectMeta::default()
        },
        spec: Some(StatefulSetSpec {
            replicas: Some(2),
            update_strategy: Some(StatefulSetUpdateStrategy {
                type_: None,
                rolling_update: Some(RollingUpdateStatefulSetStrategy {
                    partition: Some(7),
                    max_unavailable: None,
                }),
            }),
            ..StatefulSetSpec::default()
        }),
        status: Some(StatefulSetStatus {
            observed_generation: Some(3),
            replicas: 4,
            ready_replicas: Some(5),
            updated_replicas: Some(6),
            current_revision: Some("a".into()),
            update_revision: Some("b".into()),
            ..StatefulSetStatus::default()
        }),
    };
    let expected = ObservedStatefulSet {
        uid: "uid".into(),
        generation: 1,
        observed_generation: 3,
        replicas: 2,
        current_replicas: 4,
        ready_replicas: 5,
        updated_replicas: 6,
        current_revision: Some("a".into()),
        update_revision: Some("b".into()),
        partition: Some(7),
        plan_hash: Some("hash".into()),
        adopted_template: None,
        fixed: FixedFields::of(&set),
        deletes_volumes: false,
    };
    assert_eq!(ObservedStatefulSet::from(&set), expected);
}

#[test]
fn a_set_that_says_nothing_wants_one_pod_and_has_none() {
    let set = StatefulSet::default();
    let fixed = FixedFields::of(&set);
    let expected = ObservedStatefulSet { replicas: 1, fixed, ..ObservedStatefulSet::default() };
    assert_eq!(ObservedStatefulSet::from(&set), expected);
}
