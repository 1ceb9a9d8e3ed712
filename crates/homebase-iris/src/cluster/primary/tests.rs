//! What answers come to, from one round and over several, and who is asked where.

use std::collections::{BTreeMap, BTreeSet};

use homebase_api::IrisCluster;
use serde_json::{Value, json};

use super::{Answer, Asked, Finding, Hearing, mirror_members};

fn finding(answers: &[Answer]) -> Finding {
    let asked = answers.iter().enumerate().map(|(ordinal, &answer)| {
        (format!("pod-{ordinal}"), Asked { uid: format!("uid-{ordinal}"), answer })
    });
    Finding::of(&asked.collect::<BTreeMap<_, _>>())
}

fn primary(ordinal: usize, others: &[&str]) -> Finding {
    Finding::Primary {
        pod: format!("pod-{ordinal}"),
        uid: format!("uid-{ordinal}"),
        others: others.iter().map(|&pod| pod.to_owned()).collect::<BTreeSet<_>>(),
    }
}

#[test]
fn one_primary_alone_is_clear_whoever_else_is_silent() {
    use Answer::{Forbidden, NotPrimary, Primary, Silent};
    assert_eq!(finding(&[Primary, NotPrimary]), primary(0, &["pod-1"]));
    assert_eq!(finding(&[Silent, Primary, Silent]), primary(1, &[]));
    assert_eq!(finding(&[Primary, NotPrimary, Primary]), Finding::TwoPrimaries);
    assert_eq!(finding(&[NotPrimary, Silent]), Finding::NoPrimary);
    assert_eq!(finding(&[Silent, Silent]), Finding::Silent);
    assert_eq!(finding(&[]), Finding::Silent);
    assert_eq!(finding(&[Forbidden, Forbidden]), Finding::Forbidden);
}

#[test]
fn a_web_server_without_the_page_says_nothing() {
    use Answer::{NotPrimary, Primary, Silent};
    let all = [200, 302, 401, 403, 404, 500, 503].map(Answer::of_status);
    assert_eq!(all, [Primary, Silent, Silent, Silent, Silent, NotPrimary, NotPrimary]);
}

#[test]
fn a_primary_counts_at_once_and_trouble_when_heard_twice() {
    let mut hearing = Hearing::default();
    assert!(hearing.take(primary(0, &[])));
    assert!(!hearing.take(primary(0, &[])));
    assert!(!hearing.take(Finding::NoPrimary), "a failover takes a moment");
    assert_eq!(*hearing.finding(), primary(0, &[]));
    assert!(hearing.take(primary(1, &[])));
    assert!(!hearing.take(Finding::TwoPrimaries));
    assert!(!hearing.take(Finding::Silent), "not the same twice");
    assert!(hearing.take(Finding::Silent));
    assert!(!hearing.take(Finding::Silent), "no news");
    assert!(hearing.take(primary(1, &[])), "over at once");
}

fn members(data: &Value) -> Vec<(usize, u16, Vec<String>)> {
    let cluster: IrisCluster = serde_json::from_value(json!({
        "apiVersion": "intersystems.com/v1alpha1", "kind": "IrisCluster",
        "metadata": { "name": "demo", "namespace": "default" },
        "spec": { "topology": { "data": data } },
    }))
    .unwrap();
    let all = mirror_members(&cluster).into_iter();
    all.map(|members| (members.shard, members.port, members.pods)).collect()
}

#[test]
fn each_shard_is_a_mirror_of_its_own_and_the_port_is_that_of_the_web_server() {
    let pods = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let pair = pods(&["demo-data-0-0", "demo-data-0-1"]);
    assert_eq!(members(&json!({ "image": "a" })), vec![]);
    assert_eq!(members(&json!({ "image": "a", "mirrored": true })), vec![(0, 52773, pair.clone())]);
    assert_eq!(members(&json!({ "image": "a", "mirrored": true, "mirrorMap": "backup" })), vec![]);
    let sharded = members(&json!({ "image": "a", "mirrored": true, "shards": 2 }));
    let second = pods(&["demo-data-1-0", "demo-data-1-1"]);
    assert_eq!(sharded, vec![(0, 52773, pair.clone()), (1, 52773, second)]);
    for (type_, port) in [("apache", 80), ("nginx", 80), ("apache-lockeddown", 52773)] {
        let sidecar = json!({ "image": "b", "type": type_, "applicationPaths": ["/csp"] });
        let found = members(&json!({ "image": "a", "mirrored": true, "webgateway": sidecar }));
        assert_eq!(found, vec![(0, port, pair.clone())], "{type_}");
    }
}
