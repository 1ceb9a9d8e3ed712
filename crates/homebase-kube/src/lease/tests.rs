//! What a hub writes into a Lease, and its name.

use k8s_openapi::api::coordination::v1::Lease;
use serde_json::json;

use super::{GUARD, Holder, own_name};

fn holder(term: &str) -> Holder {
    Holder {
        instance: "hub-0".to_owned(),
        term: term.to_owned(),
        hub: "0a1b2c3d".to_owned(),
        process: Some("boot/pid:[1]/7/99".to_owned()),
        pod_uid: None,
    }
}

#[test]
fn names_are_names_of_leases_and_never_that_of_the_guard() {
    for (instance, name) in [
        ("hub-0", "homebase-hub-0"),
        ("Hub_0.Example", "homebase-hub-0.example"),
        ("-.-", "homebase"),
        ("a..b-", "homebase-a.b"),
    ] {
        assert_eq!(own_name(instance), name);
    }
    assert!(!GUARD.starts_with("homebase-"));
}

#[test]
fn a_lease_is_written_over_what_was_read_and_tells_who_holds_it() {
    let now = "2026-12-01T12:00:00Z".parse().unwrap();
    let first = holder("one").lease(GUARD, None, now);
    assert_eq!(Holder::of(&first), Some(holder("one")));
    let written = serde_json::to_value(&first).unwrap();
    assert_eq!(written["spec"]["leaseDurationSeconds"], 15);
    assert_eq!(written["spec"]["leaseTransitions"], 0);
    assert_eq!(written["metadata"]["annotations"]["homebase.dev/protocol"], "1");
    assert_eq!(written["metadata"]["labels"]["homebase.dev/hub"], "0a1b2c3d");

    let mut read = first.clone();
    read.metadata.uid = Some("u".to_owned());
    read.metadata.resource_version = Some("5".to_owned());
    let later = "2026-12-01T12:00:05Z".parse().unwrap();
    let renewed = holder("one").lease(GUARD, Some(&read), later);
    assert_eq!(
        (&renewed.metadata.uid, &renewed.metadata.resource_version),
        (&Some("u".to_owned()), &Some("5".to_owned()))
    );
    let (before, after) = (first.spec.unwrap(), renewed.spec.unwrap());
    assert_eq!(
        (before.acquire_time.as_ref(), before.lease_transitions),
        (after.acquire_time.as_ref(), after.lease_transitions)
    );
    assert_ne!(before.renew_time, after.renew_time);

    let taken = holder("two").lease(GUARD, Some(&read), later);
    assert!(holder("two").holds(&taken) && !holder("one").holds(&taken));
    assert_eq!(taken.spec.unwrap().lease_transitions, Some(1));
}

#[test]
fn a_released_lease_has_no_holder() {
    let lease: Lease = serde_json::from_value(json!({
        "metadata": {"name": GUARD, "annotations": {"homebase.dev/term": "one"}},
        "spec": {"holderIdentity": ""},
    }))
    .unwrap();
    assert_eq!(Holder::of(&lease), None);
    assert!(!holder("one").holds(&lease));
}
