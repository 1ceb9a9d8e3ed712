//! The table of the fleet: what is not known is never a zero.

use homebase_api::WorkCluster;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::hub::HubLife;
use super::table;

fn cluster(name: &str, status: Value) -> WorkCluster {
    let status = if status.is_null() { json!({}) } else { status };
    let meta = json!({"name": name, "creationTimestamp": "2026-11-18T12:00:00Z"});
    let object = json!({"apiVersion": "homebase.dev/v1alpha1", "kind": "WorkCluster", "metadata": meta, "status": status});
    serde_json::from_value(object).unwrap()
}

fn now() -> Timestamp {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

fn alive() -> HubLife {
    HubLife::Alive { holder: "hub-0".to_owned() }
}

fn full() -> WorkCluster {
    let at = "2026-11-20T11:59:30Z";
    cluster(
        "boston",
        json!({
            "conditions": [{
                "type": "Ready", "status": "True", "reason": "AllChecksPassed", "message": "",
                "lastTransitionTime": at,
            }],
            "version": {"gitVersion": "v1.36.3", "observedAt": at},
            "resources": {"irisClusters": 3, "readyIrisClusters": 2, "iris": 1, "observedAt": at},
            "lastSeen": at,
            "credentialsExpire": "2027-02-18T12:00:00Z",
            "server": "api.example.com:6443",
            "latencyMilliseconds": 12,
            "owner": "hub-0",
        }),
    )
}

#[test]
fn columns_are_those_of_kubectl() {
    let text = table(&[full(), cluster("dark", Value::Null)], false, &alive(), now()).render(false);
    let expected = "\
NAME     READY     REASON            VERSION   IRISCLUSTERS   READY-IRISCLUSTERS   LAST-SEEN   CREDENTIALS-EXPIRE     AGE
boston   True      AllChecksPassed   v1.36.3   3              2                    30s         2027-02-18T12:00:00Z   2d
dark     Unknown   -                 -         -              -                    -           -                      2d
";
    assert_eq!(text, expected);
}

#[test]
fn wide_has_more_columns() {
    let text = table(&[full()], true, &alive(), now()).render(false);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].ends_with("AGE   SERVER                 LATENCY   OWNER"), "{text}");
    assert!(lines[1].ends_with("2d    api.example.com:6443   12ms      hub-0"), "{text}");
}

#[test]
fn words_of_a_cluster_cannot_write_on_the_terminal() {
    let mut hostile = full();
    let version = hostile.status.as_mut().unwrap().version.as_mut().unwrap();
    version.git_version = "v1\u{1b}[2J\nFAKE".to_owned();
    let text = table(&[hostile], false, &alive(), now()).render(false);
    assert!(!text.contains('\u{1b}') && text.lines().count() == 2, "{text}");
}

#[test]
fn a_cluster_of_a_dead_hub_is_not_ready() {
    let silent =
        HubLife::Silent { holder: Some("hub-0".to_owned()), since: std::time::Duration::from_mins(8) };
    let text = table(&[full()], false, &silent, now()).render(false);
    assert!(text.contains("boston   Unknown   HubSilent   v1.36.3"), "{text}");
    let unknown = HubLife::Unknown { why: "no permission".to_owned() };
    let text = table(&[full()], false, &unknown, now()).render(false);
    assert!(text.contains("boston   True    AllChecksPassed"), "{text}");
}
