//! What the hub shows is judged by the Secret that it speaks of.

use homebase_api::WorkCluster;
use serde_json::{Value, json};

use super::{Goal, Progress};

fn shown(version: &str, conditions: &[(&str, &str, &str)]) -> WorkCluster {
    let conditions: Vec<Value> = conditions
        .iter()
        .map(|(kind, status, reason)| {
            json!({
                "type": kind, "status": status, "reason": reason, "message": "words",
                "lastTransitionTime": "2026-11-20T00:00:00Z",
            })
        })
        .collect();
    serde_json::from_value(json!({
        "apiVersion": "homebase.dev/v1alpha1", "kind": "WorkCluster", "metadata": {"name": "boston"},
        "status": {
            "observedSecret": {"name": "boston-kubeconfig", "uid": "u", "resourceVersion": version},
            "conditions": conditions,
        },
    }))
    .unwrap()
}

fn judge(goal: Goal, conditions: &[(&str, &str, &str)]) -> Progress {
    goal.judge(Some(&shown("7", conditions)), "7")
}

const READY: (&str, &str, &str) = ("Ready", "True", "AllChecksPassed");
const VALID: (&str, &str, &str) = ("CredentialsValid", "True", "Valid");

#[test]
fn words_about_another_secret_say_nothing() {
    for goal in [Goal::Ready, Goal::Rotated] {
        assert!(matches!(goal.judge(None, "7"), Progress::UnderWay(_)));
        assert!(matches!(goal.judge(Some(&shown("6", &[READY, VALID])), "7"), Progress::UnderWay(_)));
        assert!(matches!(goal.judge(Some(&shown("7", &[READY, VALID])), "7"), Progress::Done(_)));
        assert!(matches!(judge(goal, &[]), Progress::UnderWay(_)));
    }
}

#[test]
fn a_goal_looks_at_its_own_condition() {
    let connecting = ("Ready", "False", "Connecting");
    assert!(matches!(judge(Goal::Ready, &[connecting, VALID]), Progress::UnderWay(_)));
    assert!(matches!(judge(Goal::Rotated, &[connecting, VALID]), Progress::Done(_)));
    let soon = ("CredentialsValid", "True", "ExpiringSoon");
    assert!(matches!(judge(Goal::Rotated, &[READY, soon]), Progress::Done(_)));
}

#[test]
fn a_pause_is_judged_by_its_own_reason() {
    let (paused, lost) = (("Ready", "False", "Paused"), ("Ready", "False", "NotReachable"));
    assert!(matches!(judge(Goal::Paused, &[paused]), Progress::Done(_)));
    assert!(matches!(judge(Goal::Paused, &[READY]), Progress::UnderWay(_)));
    // What resumes is operated again when it is Ready, and not before.
    assert!(matches!(judge(Goal::Ready, &[paused]), Progress::Refused(_)));
    assert!(matches!(judge(Goal::Ready, &[lost]), Progress::UnderWay(_)));
}

#[test]
fn what_only_a_person_can_mend_is_not_waited_for() {
    let cases = [
        ("CredentialsValid", "False", "RotationRejected"),
        ("CredentialsValid", "False", "BadKubeConfig"),
        ("IdentityVerified", "False", "Mismatch"),
        ("IdentityVerified", "False", "Duplicate"),
        ("Ready", "False", "InvalidRegistration"),
        ("Ready", "Unknown", "Paused"),
    ];
    for case in cases {
        let Progress::Refused(words) = judge(Goal::Ready, &[case]) else { panic!("{case:?}") };
        assert!(words.contains(case.2) && words.contains("words"), "{words}");
    }
    // The old credentials go on, so the cluster is Ready; the new ones are refused all the same.
    let rejected = ("CredentialsValid", "False", "RotationRejected");
    assert!(matches!(judge(Goal::Rotated, &[READY, rejected]), Progress::Refused(_)));
    for passing in [("Ready", "False", "NotReachable"), ("CredentialsValid", "False", "Unauthorized")] {
        assert!(matches!(judge(Goal::Ready, &[passing]), Progress::UnderWay(_)), "{passing:?}");
    }
}
