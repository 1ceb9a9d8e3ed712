//! What is kept of a claim.

use serde_json::{Value, json};

use super::*;

fn observed(status: &Value) -> ObservedClaim {
    let claim: PersistentVolumeClaim = serde_json::from_value(json!({
        "metadata": { "uid": "u", "resourceVersion": "7" },
        "spec": { "resources": { "requests": { "storage": "2Gi" } } },
        "status": status,
    }))
    .unwrap();
    ObservedClaim::from(&claim)
}

#[test]
fn every_field_comes_from_its_own_place() {
    let found = observed(&json!({ "phase": "Bound", "capacity": { "storage": "1Gi" } }));
    let expected = ObservedClaim {
        uid: "u".into(),
        resource_version: "7".into(),
        phase: ClaimPhase::Bound,
        requested: Some(Quantity("2Gi".into())),
        capacity: Some(Quantity("1Gi".into())),
        ..ObservedClaim::default()
    };
    assert_eq!(found, expected);
    assert!(found.is_bound());
    assert!(!ObservedClaim { deleting: true, ..found }.is_bound());
    for (phase, expected) in
        [("Lost", ClaimPhase::Lost), ("Pending", ClaimPhase::Pending), ("?", ClaimPhase::Pending)]
    {
        let found = observed(&json!({ "phase": phase }));
        assert_eq!((found.phase, found.is_bound()), (expected, false), "{phase}");
    }
}

#[test]
fn only_conditions_that_hold_count() {
    let with = |kind: &str, status: &str| {
        observed(&json!({ "conditions": [{ "type": kind, "status": status, "message": "no room" }] }))
    };
    assert!(with("FileSystemResizePending", "True").file_system_pending);
    assert!(!with("FileSystemResizePending", "False").file_system_pending);
    for kind in ["ControllerResizeError", "NodeResizeError"] {
        assert_eq!(with(kind, "True").resize_error.as_deref(), Some("no room"));
        assert_eq!(with(kind, "False").resize_error, None);
    }
}
