//! Tests of the statuses that no golden folder shows: first sight and failures. Must not repeat the golden ones.

use homebase_api::conditions::{Reason, find_condition};
use homebase_api::{IrisCluster, IrisClusterSpec};
use serde_json::json;

use super::*;

fn cluster(generation: i64) -> IrisCluster {
    let spec = json!({ "topology": { "data": { "image": "iris:2025.1" } } });
    let spec: IrisClusterSpec = serde_json::from_value(spec).unwrap();
    let mut cluster = IrisCluster::new("demo", spec);
    cluster.metadata.generation = Some(generation);
    cluster
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn is<R: Reason>(status: &IrisClusterStatus, value: &str, reason: R) -> bool {
    find_condition::<R>(&status.conditions)
        .is_some_and(|condition| condition.status == value && condition.reason == reason.as_str())
}

#[test]
fn at_first_sight_ready_is_unknown() {
    let status = first_status(&cluster(1), at(1));
    assert!(is(&status, "Unknown", Ready::FirstSight));
    assert!(is(&status, "True", Reconciling::Creating));
    assert_eq!(status.observed_generation, Some(1));
    assert!(status.nodes.is_none(), "unknown is never shown as zero");
}

#[test]
fn each_lasting_failure_stalls_with_its_own_reason() {
    for (failure, reason) in [
        (Failure::FieldConflict, Stalled::FieldConflict),
        (Failure::ImmutableField, Stalled::ImmutableField),
        (Failure::Forbidden, Stalled::Forbidden),
        (Failure::ObjectRefused, Stalled::ObjectRefused),
    ] {
        let status = failed_status(&cluster(1), failure, "StatefulSet demo-data: no", at(1));
        assert!(is(&status, "True", reason), "{failure:?}");
        assert!(is(&status, "False", Ready::NodesNotReady));
        assert_eq!(status.phase, Some(Phase::Stalled));
        let conflict = is(&status, "True", FieldConflict::OwnedByOthers);
        assert_eq!(conflict, failure == Failure::FieldConflict);
    }
}

#[test]
fn a_transient_failure_claims_nothing_about_the_generation() {
    let mut cluster = cluster(2);
    cluster.status = Some(first_status(&self::cluster(1), at(1)));
    let status = failed_status(&cluster, Failure::Transient, "timeout", at(2));
    assert_eq!(status.observed_generation, Some(1));
    assert!(is(&status, "True", Reconciling::Updating));
    assert!(is(&status, "Unknown", Ready::FirstSight));
}

#[test]
fn no_status_goes_back_to_an_older_generation() {
    let mut cluster = cluster(7);
    let newer = first_status(&cluster, at(1));
    cluster.status = Some(newer.clone());
    cluster.metadata.generation = Some(6);
    assert_eq!(first_status(&cluster, at(2)), newer);
    assert_eq!(refused_status(&cluster, &[], at(2)), newer);
    assert_eq!(failed_status(&cluster, Failure::Forbidden, "x", at(2)), newer);
    assert_eq!(failed_status(&cluster, Failure::Transient, "x", at(2)), newer);
}

#[test]
fn a_refusal_keeps_what_is_known_of_the_nodes() {
    let mut cluster = cluster(2);
    let nodes = NodesStatus { data: Some(NodeGroupStatus::new(1, 1, [])), ..NodesStatus::default() };
    cluster.status = Some(IrisClusterStatus {
        nodes: Some(nodes.clone()),
        waiting: vec!["x".into()],
        ..IrisClusterStatus::default()
    });
    let status = refused_status(&cluster, &[], at(1));
    assert_eq!(status.nodes, Some(nodes));
    assert_eq!(status.waiting, Vec::<String>::new());
}

#[test]
fn a_message_of_any_length_fits() {
    let long = "ü".repeat(50_000);
    let status = failed_status(&cluster(1), Failure::Forbidden, &long, at(1));
    assert!(status.conditions.iter().all(|condition| condition.message.len() < 32_768));
}
