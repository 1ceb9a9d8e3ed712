//! The order of restarts, and everything that holds them.

use std::collections::BTreeSet;

use homebase_api::iriscluster::MirrorRole;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use super::{Hold, MirrorUpdate, RestartStep, restart_step};
use crate::cluster::primary::Finding;

/// Members 0 to 3: two failover members and two asyncs.
struct Scene {
    set: Value,
    pods: Vec<Value>,
    primary: usize,
    others: Vec<usize>,
}

fn scene(primary: usize) -> Scene {
    let pod = |ordinal: usize| {
        json!({
            "metadata": {
                "name": format!("a-{ordinal}"), "uid": format!("p{ordinal}"),
                "labels": { "controller-revision-hash": "old" },
                "ownerReferences": [{
                    "apiVersion": "apps/v1", "kind": "StatefulSet", "name": "a", "uid": "s", "controller": true,
                }],
            },
            "status": { "conditions": [{ "type": "Ready", "status": "True" }] },
        })
    };
    Scene {
        set: json!({
            "metadata": {
                "uid": "s", "generation": 2, "annotations": { "homebase.dev/update-order": "PrimaryLast" },
            },
            "spec": {
                "replicas": 4, "selector": {}, "serviceName": "", "template": {},
                "updateStrategy": { "type": "OnDelete" },
            },
            "status": { "replicas": 4, "observedGeneration": 2, "updateRevision": "new" },
        }),
        pods: (0..4).map(pod).collect(),
        primary,
        others: (0..4).filter(|ordinal| *ordinal != primary).collect(),
    }
}

impl Scene {
    fn step(&self) -> RestartStep {
        let role = |ordinal| if ordinal < 2 { MirrorRole::Backup } else { MirrorRole::DrAsync };
        let update = MirrorUpdate {
            shard: 0,
            stateful_set: "a".to_owned(),
            uid: "s".to_owned(),
            selector: String::new(),
            members: (0..4).map(|ordinal| (format!("a-{ordinal}"), role(ordinal))).collect(),
        };
        let finding = Finding::Primary {
            pod: format!("a-{}", self.primary),
            uid: format!("p{}", self.primary),
            others: self.others.iter().map(|ordinal| format!("a-{ordinal}")).collect::<BTreeSet<_>>(),
        };
        self.step_when(&update, &finding)
    }

    fn step_when(&self, update: &MirrorUpdate, finding: &Finding) -> RestartStep {
        let set: StatefulSet = serde_json::from_value(self.set.clone()).unwrap();
        let pods: Vec<Pod> =
            self.pods.iter().map(|pod| serde_json::from_value(pod.clone()).unwrap()).collect();
        restart_step(update, &set, &pods, finding)
    }

    fn renew(&mut self, ordinal: usize) {
        self.pods[ordinal]["metadata"]["labels"]["controller-revision-hash"] = "new".into();
    }

    fn break_down(&mut self, ordinal: usize) {
        self.pods[ordinal]["status"]["conditions"][0]["status"] = "False".into();
    }

    /// Restarts until nothing is left to do; the order.
    fn play(mut self) -> Vec<usize> {
        let mut order = Vec::new();
        while let RestartStep::Restart(restart) = self.step() {
            let ordinal: usize = restart.pod.strip_prefix("a-").unwrap().parse().unwrap();
            assert_eq!(restart.uid, format!("p{ordinal}"));
            self.renew(ordinal);
            order.push(ordinal);
        }
        assert_eq!(self.step(), RestartStep::Nothing);
        order
    }
}

fn not_ready(ordinal: usize) -> RestartStep {
    RestartStep::Hold(Hold::NotReady(format!("a-{ordinal}")))
}

#[test]
fn asyncs_come_first_and_the_primary_last() {
    assert_eq!(scene(1).play(), [3, 2, 0, 1]);
    assert_eq!(scene(2).play(), [3, 1, 0, 2]);
}

#[test]
fn the_next_waits_until_every_pod_is_ready() {
    let mut scene = scene(1);
    scene.renew(3);
    scene.break_down(3);
    assert_eq!(scene.step(), not_ready(3));
    scene.pods.remove(3);
    assert_eq!(scene.step(), not_ready(3));
}

#[test]
fn a_pod_that_ends_is_waited_for() {
    let mut scene = scene(1);
    scene.pods[2]["metadata"]["deletionTimestamp"] = "2026-11-20T10:00:00Z".into();
    assert_eq!(scene.step(), not_ready(2));
}

#[test]
fn what_a_broken_spec_has_left_is_replaced_first_and_the_primary_is_not() {
    let mut broken = scene(1);
    broken.break_down(0);
    assert_eq!(step_pod(&broken.step()), Some("a-0"));
    // Two of them: one would have to wait for the other.
    broken.break_down(2);
    assert_eq!(broken.step(), not_ready(2));
    let mut primary = scene(1);
    primary.break_down(1);
    assert_eq!(primary.step(), not_ready(1));
    // It is the last one: nothing is lost that was there.
    for ordinal in [0, 2, 3] {
        primary.renew(ordinal);
    }
    assert_eq!(step_pod(&primary.step()), Some("a-1"));
}

fn step_pod(step: &RestartStep) -> Option<&str> {
    match step {
        RestartStep::Restart(restart) => Some(&restart.pod),
        _ => None,
    }
}

#[test]
fn nobody_is_restarted_while_it_is_not_clear_who_is_primary() {
    let scene = scene(1);
    let update = MirrorUpdate {
        shard: 0,
        stateful_set: "a".to_owned(),
        uid: "s".to_owned(),
        selector: String::new(),
        members: vec![("a-0".to_owned(), MirrorRole::Backup), ("a-1".to_owned(), MirrorRole::Backup)],
    };
    for finding in [Finding::NotAsked, Finding::Silent, Finding::NoPrimary, Finding::TwoPrimaries] {
        assert_eq!(scene.step_when(&update, &finding), RestartStep::Hold(Hold::NotClear));
    }
    // Another pod of that name has answered.
    let finding = Finding::Primary { pod: "a-1".into(), uid: "before".into(), others: BTreeSet::new() };
    assert_eq!(scene.step_when(&update, &finding), RestartStep::Hold(Hold::NotClear));
}

#[test]
fn the_primary_stays_while_no_other_failover_member_answers() {
    let mut scene = scene(1);
    for ordinal in [0, 2, 3] {
        scene.renew(ordinal);
    }
    scene.others = vec![2, 3];
    assert_eq!(scene.step(), RestartStep::Hold(Hold::NoPartner("a-1".to_owned())));
    scene.others = vec![0];
    assert_eq!(step_pod(&scene.step()), Some("a-1"));
}

#[test]
fn what_is_not_the_hubs_to_restart_is_left_alone() {
    for (pointer, value) in [
        ("/metadata/uid", json!("another")),
        ("/metadata/generation", json!(3)),
        ("/metadata/annotations", json!({})),
        ("/spec/updateStrategy/type", json!("RollingUpdate")),
        ("/status/updateRevision", json!(null)),
    ] {
        let mut scene = scene(1);
        *scene.set.pointer_mut(pointer).unwrap() = value;
        assert_eq!(scene.step(), RestartStep::Nothing, "{pointer}");
    }
    let mut foreign = scene(1);
    foreign.pods[0]["metadata"]["ownerReferences"][0]["uid"] = "another".into();
    assert_eq!(foreign.step(), not_ready(0));
}
