//! The page of one cluster, and the exit code that goes with it.

use homebase_api::WorkCluster;
use jiff::Timestamp;
use serde_json::json;

use super::super::hub::HubLife;
use super::{Exit, exit, in_words};

fn cluster(ready: &str) -> WorkCluster {
    let at = "2026-11-20T11:55:00Z";
    serde_json::from_value(json!({
        "apiVersion": "homebase.dev/v1alpha1", "kind": "WorkCluster", "metadata": {"name": "boston"},
        "status": {
            "state": "Running",
            "identity": {"uid": "uid-1", "observedAt": at},
            "resources": {"irisClusters": 3, "readyIrisClusters": 2, "iris": 1, "observedAt": at},
            "credentialsExpire": "2026-11-20T11:00:00Z",
            "conditions": [{
                "type": "Ready", "status": ready, "reason": "NotReachable", "message": "no route\u{1b}[2J",
                "lastTransitionTime": at,
            }],
        },
    }))
    .unwrap()
}

fn now() -> Timestamp {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

#[test]
fn the_page_says_what_is_known_and_since_when() {
    let expected = "\
Cluster:              boston
State:                Running
Identity:             uid-1 (as of 5m ago)
Resources:            2 of 3 IrisClusters ready, 1 Iris (as of 5m ago)
Credentials expire:   2026-11-20T11:00:00Z (60m ago)

CONDITION   STATUS   SINCE   REASON         MESSAGE
Ready       False    5m      NotReachable   no route\u{FFFD}[2J
";
    assert_eq!(
        in_words(&cluster("False"), &HubLife::Alive { holder: "hub-0".to_owned() }, now(), false),
        expected
    );
}

#[test]
fn the_exit_code_is_the_condition() {
    assert_eq!(exit(&cluster("True")), Exit::Success);
    assert_eq!(exit(&cluster("False")), Exit::Failure);
    assert_eq!(exit(&cluster("Unknown")), Exit::Unknown);
    let mut new = cluster("True");
    new.status = None;
    assert_eq!(exit(&new), Exit::Unknown);
}

#[test]
fn conditions_of_a_dead_hub_are_its_last_word() {
    let silent = HubLife::Silent { holder: None, since: std::time::Duration::from_mins(8) };
    let text = in_words(&cluster("True"), &silent, now(), false);
    assert!(text.contains("Ready       Unknown (was True)   5m"), "{text}");
}
