//! Good, bad and hostile annotations.

use std::collections::BTreeMap;

use homebase_api::annotations;
use homebase_kube::client::ClientLimits;
use homebase_kube::crd::CrdPolicy;

use super::Preferences;

fn read(pairs: &[(&str, &str)]) -> Preferences {
    let found: BTreeMap<String, String> =
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Preferences::read(&found)
}

const HUB: ClientLimits = ClientLimits { max_in_flight: 16, requests_per_second: 100 };

#[test]
fn without_annotations_the_hubs_own_settings_apply() {
    let read = read(&[]);
    assert_eq!((read.paused, read.refused, read.faults.len()), (None, None, 0));
    assert_eq!(read.crd_policy, CrdPolicy::Install);
    let limits = read.limits.over(HUB);
    assert_eq!((limits.max_in_flight, limits.requests_per_second), (16, 100));
}

#[test]
fn limits_at_their_bounds() {
    let good =
        read(&[(annotations::QPS, "1"), (annotations::BURST, "10000"), (annotations::MAX_IN_FLIGHT, "600")]);
    assert!(good.faults.is_empty(), "{:?}", good.faults);
    let limits = good.limits.over(HUB);
    assert_eq!((limits.max_in_flight, limits.requests_per_second), (600, 10_000));
    for bad in ["0", "-1", "10001", "1.5", "", " 5", "many", "99999999999999999999"] {
        let read = read(&[(annotations::QPS, bad)]);
        assert_eq!(read.faults.len(), 1, "{bad:?}");
        assert!(read.faults[0].starts_with(annotations::QPS), "{:?}", read.faults);
        assert_eq!(read.limits.over(HUB).requests_per_second, 100);
    }
}

#[test]
fn a_bad_value_does_the_least() {
    let read = read(&[
        (annotations::PAUSED, "yes"),
        (annotations::CRD_POLICY, "adopt"),
        (annotations::EXPECTED_CLUSTER_UID, "a\nb"),
        (annotations::DEREGISTRATION_POLICY, "Delete"),
    ]);
    assert_eq!(read.faults.len(), 4, "{:?}", read.faults);
    assert!(read.paused.is_some());
    assert_eq!(read.crd_policy, CrdPolicy::Never);
    assert_eq!(read.expected_uid.unwrap().as_str(), "invalid");
    assert!(read.faults.iter().all(|fault| !fault.contains("yes") && !fault.contains("a\nb")));
}

#[test]
fn paused_is_a_switch() {
    assert!(read(&[(annotations::PAUSED, "true")]).paused.is_some());
    assert!(read(&[(annotations::PAUSED, "false")]).paused.is_none());
}

#[test]
fn what_is_not_carried_out_is_refused_by_name() {
    let refused = read(&[(annotations::WATCH_NAMESPACES, "a")]).refused.unwrap();
    assert!(refused.contains(annotations::WATCH_NAMESPACES), "{refused}");
}
