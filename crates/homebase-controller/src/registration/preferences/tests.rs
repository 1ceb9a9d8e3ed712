//! Good, bad and hostile annotations.

use std::collections::BTreeMap;

use homebase_api::annotations;
use homebase_kube::client::ClientLimits;
use homebase_kube::crd::CrdPolicy;

use super::{Preferences, Restriction};

fn read(pairs: &[(&str, &str)]) -> Preferences {
    restricted(pairs, Restriction::default())
}

fn restricted(pairs: &[(&str, &str)], restriction: Restriction<'_>) -> Preferences {
    let found: BTreeMap<String, String> =
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Preferences::read(&found, &BTreeMap::new(), restriction)
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
    assert_eq!(read.expected_uid.unwrap().as_str(), "no UID");
    assert!(read.faults.iter().all(|fault| !fault.contains("yes") && !fault.contains("a\nb")));
}

#[test]
fn paused_is_a_switch() {
    assert!(read(&[(annotations::PAUSED, "true")]).paused.is_some());
    assert!(read(&[(annotations::PAUSED, "false")]).paused.is_none());
}

fn names(read: &Preferences) -> Vec<String> {
    read.namespaces.names().map(ToString::to_string).collect()
}

const LIST: &str = annotations::WATCH_NAMESPACES;

#[test]
fn a_list_of_namespaces_restricts_and_none_is_all_of_them() {
    assert!(!read(&[]).namespaces.is_list());
    let read = read(&[(LIST, " b, a ,b")]);
    assert!(read.faults.is_empty() && read.refused.is_none());
    assert_eq!(names(&read), ["a", "b"]);
}

#[test]
fn a_bad_entry_is_left_out_and_told_by_its_place() {
    let read = read(&[(LIST, "a,Canary,b,*")]);
    assert_eq!((names(&read), read.refused.is_none()), (vec!["a".to_owned(), "b".to_owned()], true));
    assert_eq!(read.faults.len(), 1);
    assert!(read.faults[0].starts_with(LIST) && read.faults[0].contains("entry 2, 4 "), "{:?}", read.faults);
    assert!(!read.faults[0].contains("Canary"), "{:?}", read.faults);
}

#[test]
fn a_list_that_is_no_use_never_means_all() {
    let many = |count: usize| (0..count).map(|n| format!("n-{n}")).collect::<Vec<_>>().join(",");
    for bad in ["", " ", ",", "*", "Canary", &many(65)] {
        let read = read(&[(LIST, bad)]);
        let refused = read.refused.unwrap();
        assert!(refused.starts_with(LIST) && !refused.contains("Canary"), "{bad:?}: {refused}");
    }
    assert_eq!(names(&read(&[(LIST, &many(64))])).len(), 64);
}

#[test]
fn two_lists_restrict_together() {
    let argo = |text: &'static str| Restriction {
        namespaces: Some(("namespaces", text.as_bytes())),
        keeps_cluster: false,
    };
    assert_eq!(names(&restricted(&[], argo("a,b"))), ["a", "b"]);
    assert_eq!(names(&restricted(&[(LIST, "b,c")], argo("a,b"))), ["b"]);
    let refused = restricted(&[(LIST, "c")], argo("a,b")).refused.unwrap();
    assert!(refused.contains(LIST) && refused.contains("key namespaces"), "{refused}");
    assert!(restricted(&[(LIST, "a")], argo("*")).refused.unwrap().starts_with("namespaces: "));
}

#[test]
fn who_keeps_the_cluster_to_himself_gets_no_crds_unless_he_asks() {
    let keeps = Restriction { keeps_cluster: true, ..Restriction::default() };
    assert_eq!(restricted(&[], keeps).crd_policy, CrdPolicy::Never);
    assert_eq!(restricted(&[(annotations::CRD_POLICY, "Install")], keeps).crd_policy, CrdPolicy::Install);
}

#[test]
fn insecure_is_a_switch() {
    assert!(read(&[(annotations::ALLOW_INSECURE, "true")]).allow_insecure);
    for no in ["false", "True", "yes", ""] {
        let read = read(&[(annotations::ALLOW_INSECURE, no)]);
        assert_eq!((read.allow_insecure, read.faults.len()), (false, usize::from(no != "false")), "{no}");
    }
}
