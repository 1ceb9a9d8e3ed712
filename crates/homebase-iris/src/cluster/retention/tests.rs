//! Which policies keep volumes, and whose claims are whose.

use super::*;

fn set(policy: &Value) -> StatefulSet {
    serde_json::from_value(json!({
        "metadata": {"name": "iris-data"},
        "spec": {
            "serviceName": "iris-svc", "selector": {}, "template": {},
            "persistentVolumeClaimRetentionPolicy": policy,
        },
    }))
    .unwrap()
}

#[test]
fn only_retain_keeps_volumes() {
    assert!(keeps_volumes(&set(&Value::Null)));
    assert!(keeps_volumes(&set(&json!({"whenScaled": "Retain"}))));
    assert!(keeps_volumes(&set(&retain_volumes()["spec"]["persistentVolumeClaimRetentionPolicy"])));
    assert!(!keeps_volumes(&set(&json!({"whenScaled": "Delete", "whenDeleted": "Retain"}))));
    assert!(!keeps_volumes(&set(&json!({"whenScaled": "Retain", "whenDeleted": "Delete"}))));
    assert!(!keeps_volumes(&set(&json!({"whenDeleted": "SomethingLater"}))));
}

fn claim(name: &str, owners: &[(&str, &str, &str)]) -> PersistentVolumeClaim {
    let owner = |(version, kind, name): &(&str, &str, &str)| json!({"apiVersion": version, "kind": kind, "name": name, "uid": "an-owner"});
    let owners: Vec<_> = owners.iter().map(owner).collect();
    serde_json::from_value(json!({
        "metadata": {"name": name, "uid": "a-claim", "resourceVersion": "7", "ownerReferences": owners},
    }))
    .unwrap()
}

#[test]
fn a_claim_is_lost_with_its_pod_or_its_set_and_no_other() {
    const SET: (&str, &str, &str) = ("apps/v1", "StatefulSet", "iris-data");
    const POD: (&str, &str, &str) = ("v1", "Pod", "iris-data-3");
    const OTHER: (&str, &str, &str) = ("backup.example.com/v1", "Plan", "nightly");
    let lost = [claim("iris-data-iris-data-3", &[SET]), claim("journal1-iris-data-3", &[OTHER, POD])];
    let found = owned_claims("iris-data", &lost);
    assert_eq!(found.len(), 2);
    assert_eq!((found[0].owner.as_str(), found[0].others.len()), ("StatefulSet iris-data", 0));
    assert_eq!((found[1].owner.as_str(), found[1].others[0].name.as_str()), ("Pod iris-data-3", "nightly"));
    assert_eq!((found[1].uid.as_str(), found[1].resource_version.as_str()), ("a-claim", "7"));

    let kept = [
        claim("journal1-iris-data-3", &[]),
        claim("journal1-iris-data-3", &[OTHER]),
        claim("journal1-iris-data-3", &[("v1", "Pod", "iris-data-2")]),
        claim("journal1-other-iris-data-3", &[("v1", "Pod", "other-iris-data-3")]),
        claim("journal1-iris-data-3", &[("example.com/v1", "StatefulSet", "iris-data")]),
        // Of a generic ephemeral volume: it is meant to go with its pod.
        claim("iris-data-3-scratch", &[POD]),
    ];
    assert_eq!(owned_claims("iris-data", &kept), Vec::new());
}
