//! Tests of readiness: each field of a StatefulSet that can tell "not yet". Must not test what waits for it.

use k8s_openapi::api::apps::v1::{StatefulSetSpec, StatefulSetUpdateStrategy};

use super::*;

fn planned(replicas: Option<i32>, strategy: &str) -> StatefulSet {
    let mut set = StatefulSet::default();
    set.metadata.annotations = Some([(PLAN_HASH.to_owned(), "new".to_owned())].into());
    set.spec = Some(StatefulSetSpec {
        replicas,
        update_strategy: Some(StatefulSetUpdateStrategy {
            type_: Some(strategy.to_owned()),
            rolling_update: None,
        }),
        ..StatefulSetSpec::default()
    });
    set
}

fn ready() -> ObservedStatefulSet {
    ObservedStatefulSet {
        generation: 4,
        observed_generation: 4,
        replicas: 3,
        current_replicas: 3,
        ready_replicas: 3,
        updated_replicas: 3,
        current_revision: Some("b".into()),
        update_revision: Some("b".into()),
        plan_hash: Some("new".into()),
        ..ObservedStatefulSet::default()
    }
}

#[test]
fn each_field_can_tell_that_it_is_not_ready() {
    let set = planned(Some(3), "RollingUpdate");
    assert_eq!(readiness(&set, None), Readiness::Absent);
    assert_eq!(readiness(&set, Some(&ready())), Readiness::Ready);
    let cases = [
        (ObservedStatefulSet { plan_hash: Some("old".into()), ..ready() }, Readiness::Unapplied),
        (ObservedStatefulSet { plan_hash: None, ..ready() }, Readiness::Unapplied),
        (ObservedStatefulSet { replicas: 2, ..ready() }, Readiness::Unapplied),
        (ObservedStatefulSet { observed_generation: 3, ..ready() }, Readiness::Unobserved),
        (ObservedStatefulSet { ready_replicas: 2, ..ready() }, Readiness::NotReady { ready: 2, wanted: 3 }),
        (
            ObservedStatefulSet { updated_replicas: 1, current_revision: Some("a".into()), ..ready() },
            Readiness::Updating { updated: 1, wanted: 3 },
        ),
        (ObservedStatefulSet { current_replicas: 5, ..ready() }, Readiness::Terminating { surplus: 2 }),
    ];
    for (observed, expected) in cases {
        assert_eq!(readiness(&set, Some(&observed)), expected, "{observed:?}");
    }
}

#[test]
fn a_set_that_was_made_anew_around_old_pods_is_updating_them() {
    // It begins with two revisions that are the same.
    let observed = ObservedStatefulSet { updated_replicas: 0, ..ready() };
    let expected = Readiness::Updating { updated: 0, wanted: 3 };
    assert_eq!(readiness(&planned(Some(3), "RollingUpdate"), Some(&observed)), expected);
    assert!(readiness(&planned(Some(3), "OnDelete"), Some(&observed)).is_ready());
}

#[test]
fn on_delete_does_not_wait_for_pods_that_nobody_deletes() {
    let observed = ObservedStatefulSet { updated_replicas: 0, current_revision: Some("a".into()), ..ready() };
    assert!(readiness(&planned(Some(3), "OnDelete"), Some(&observed)).is_ready());
    assert!(!readiness(&planned(Some(3), "RollingUpdate"), Some(&observed)).is_ready());
}

#[test]
fn replicas_left_to_an_autoscaler_are_always_right() {
    let observed = ObservedStatefulSet { ready_replicas: 2, ..ready() };
    let expected = Readiness::NotReady { ready: 2, wanted: 3 };
    assert_eq!(readiness(&planned(None, "RollingUpdate"), Some(&observed)), expected);
    assert!(is_applied(&planned(None, "RollingUpdate"), Some(&observed)));
}
