//! How lately the hub has heard from a cluster, by its own words.

use homebase_api::WorkCluster;
use k8s_openapi::api::core::v1::Secret;
use serde_json::{Value, json};

use super::super::report::Outcome;
use super::{HubView, freshness};

fn secret() -> Secret {
    let meta = json!({"name": "boston-kubeconfig", "uid": "u", "resourceVersion": "7"});
    serde_json::from_value(json!({"apiVersion": "v1", "kind": "Secret", "metadata": meta})).unwrap()
}

fn found(version: &str, reachable: &str, seen: &Value) -> (Outcome, String) {
    let shown: WorkCluster = serde_json::from_value(json!({
        "apiVersion": "homebase.dev/v1alpha1", "kind": "WorkCluster", "metadata": {"name": "boston"},
        "status": {
            "observedSecret": {"name": "boston-kubeconfig", "uid": "u", "resourceVersion": version},
            "lastSeen": seen,
            "conditions": [{
                "type": "Reachable", "status": reachable, "reason": "ConnectTimeout", "message": "words",
                "lastTransitionTime": "2026-11-20T11:00:00Z",
            }],
        },
    }))
    .unwrap();
    judge(Some(shown))
}

fn judge(shown: Option<WorkCluster>) -> (Outcome, String) {
    let finding = freshness(&HubView { shown, secret: secret() }, "2026-11-20T12:00:00Z".parse().unwrap());
    (finding.result, finding.found)
}

#[test]
fn what_the_hub_heard_lately_is_fresh() {
    assert_eq!(found("7", "True", &json!("2026-11-20T11:54:00Z")).0, Outcome::Pass);
    assert_eq!(found("7", "True", &json!("2026-11-20T11:53:59Z")).0, Outcome::Fail);
}

#[test]
fn a_hub_that_has_not_heard_or_not_looked_is_told() {
    assert!(judge(None).1.contains("no hub"));
    assert!(found("6", "True", &json!("2026-11-20T12:00:00Z")).1.contains("has not read the Secret"));
    assert!(found("7", "False", &json!("2026-11-20T12:00:00Z")).1.contains("does not reach it, since 60m"));
    assert!(found("7", "True", &Value::Null).1.contains("never"));
}
