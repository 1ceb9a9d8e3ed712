//! Which pods may go, and which never.

use std::collections::{BTreeMap, BTreeSet};

use homebase_api::iriscluster::MirrorRole;
use homebase_api::labels::Component;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use super::{Replacement, StuckSet, StuckStep, replace_step, stuck_step};
use crate::cluster::names::NodeSet;
use crate::cluster::observed::ObservedClaim;
use crate::cluster::plan::restart::{Hold, Restart, RestartStep};
use crate::cluster::primary::Finding;

/// A set that makes pods anew from its present template alone.
fn set(strategy: &str, order: &str) -> StatefulSet {
    serde_json::from_value(json!({
        "metadata": { "name": "iris-data", "uid": "set", "generation": 2 },
        "spec": {
            "replicas": 2, "podManagementPolicy": order, "updateStrategy": { "type": strategy, "rollingUpdate": { "partition": 0 } },
            "selector": {}, "template": {},
        },
        "status": { "replicas": 1, "observedGeneration": 2, "currentRevision": "old", "updateRevision": "new" },
    }))
    .unwrap()
}

fn pod(change: impl Fn(&mut Value)) -> Pod {
    let mut pod = json!({
        "metadata": {
            "name": "iris-data-0", "uid": "pod", "labels": { "controller-revision-hash": "old" },
            "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "StatefulSet", "name": "iris-data", "uid": "set", "controller": true,
            }],
        },
        "status": { "phase": "Pending" },
    });
    change(&mut pod);
    serde_json::from_value(pod).unwrap()
}

fn stuck(members: &[(&str, MirrorRole)]) -> StuckSet {
    StuckSet {
        set: NodeSet { component: Component::Data, shard: Some(0) },
        stateful_set: "iris-data".into(),
        uid: "set".into(),
        selector: String::new(),
        members: members.iter().map(|(name, role)| ((*name).to_owned(), *role)).collect(),
    }
}

fn goes(set: &StatefulSet, pod: Pod) -> bool {
    let wanted = Restart { pod: "iris-data-0".into(), uid: "pod".into() };
    stuck_step(&stuck(&[]), set, &[pod]) == StuckStep::Restart(wanted)
}

#[test]
fn a_pod_that_never_started_and_is_of_an_earlier_template_goes() {
    assert!(goes(&set("RollingUpdate", "OrderedReady"), pod(|_| {})));
}

#[test]
fn a_pod_that_would_come_back_as_it_was_stays() {
    let mut set = set("RollingUpdate", "OrderedReady");
    let goes_with = |set: &mut StatefulSet, partition: Option<i32>| {
        let strategy = set.spec.as_mut().unwrap().update_strategy.as_mut().unwrap();
        strategy.rolling_update.get_or_insert_default().partition = partition;
        goes(set, pod(|_| {}))
    };
    assert!(!goes_with(&mut set, None), "the set still makes it from the template before");
    assert!(!goes_with(&mut set, Some(1)), "somebody wants it to be of the template before");
    assert!(goes_with(&mut set, Some(0)));
    set.status.as_mut().unwrap().current_revision = Some("new".to_owned());
    assert!(goes_with(&mut set, None), "there is no template before");
}

#[test]
fn no_other_pod_does() {
    let waiting = set("RollingUpdate", "OrderedReady");
    assert!(!goes(&waiting, pod(|pod| pod["status"]["phase"] = "Running".into())), "it has run");
    assert!(!goes(&waiting, pod(|pod| pod["status"] = json!({}))), "nobody knows whether it has run");
    let prepares = |state: Value| {
        pod(|pod| {
            pod["status"]["initContainerStatuses"] = json!([{ "name": "restore", "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": state }]);
        })
    };
    assert!(!goes(&waiting, prepares(json!({ "running": {} }))), "it is being prepared");
    assert!(!goes(&waiting, prepares(json!({ "terminated": { "exitCode": 1 } }))), "it was being prepared");
    assert!(
        goes(&waiting, prepares(json!({ "waiting": { "reason": "ErrImagePull" } }))),
        "it cannot be prepared"
    );
    let label = "controller-revision-hash";
    assert!(
        !goes(&waiting, pod(|pod| pod["metadata"]["labels"][label] = "new".into())),
        "it is of the new one"
    );
    assert!(!goes(&waiting, pod(|pod| pod["metadata"]["labels"] = json!({}))), "its template is not known");
    let owner = |pod: &mut Value| pod["metadata"]["ownerReferences"][0]["uid"] = "other".into();
    assert!(!goes(&waiting, pod(owner)), "it is another set's");
    let ends = |pod: &mut Value| pod["metadata"]["deletionTimestamp"] = "2026-11-20T10:00:00Z".into();
    assert!(!goes(&waiting, pod(ends)), "it goes already");
}

#[test]
fn sets_that_go_on_by_themselves_or_are_the_users_to_restart_keep_their_pods() {
    assert!(!goes(&set("OnDelete", "OrderedReady"), pod(|_| {})));
    assert!(!goes(&set("RollingUpdate", "Parallel"), pod(|_| {})));
    let mut unseen = set("RollingUpdate", "OrderedReady");
    unseen.metadata.generation = Some(3);
    assert!(!goes(&unseen, pod(|_| {})), "its controller has not seen the last change");
    let mut other = set("RollingUpdate", "OrderedReady");
    other.metadata.uid = Some("other".into());
    assert!(!goes(&other, pod(|_| {})), "it was made anew");
}

/// A set that was made anew with a volume more, and pods that were made without it.
struct Lacking {
    set: StatefulSet,
    pods: BTreeMap<usize, Value>,
}

fn lacking(replicas: usize) -> Lacking {
    let mut set = set("RollingUpdate", "Parallel");
    let spec = set.spec.as_mut().unwrap();
    spec.replicas = Some(i32::try_from(replicas).unwrap());
    spec.volume_claim_templates =
        Some(vec![serde_json::from_value(json!({ "metadata": { "name": "iris-data" } })).unwrap()]);
    let pod = |ordinal: usize| {
        let name = format!("iris-data-{ordinal}");
        let pod = pod(|pod| {
            pod["metadata"]["name"] = name.clone().into();
            pod["metadata"]["uid"] = format!("pod-{ordinal}").into();
            pod["spec"] = json!({ "containers": [], "volumes": [] });
            pod["status"] =
                json!({ "phase": "Running", "conditions": [{ "type": "Ready", "status": "True" }] });
        });
        (ordinal, serde_json::to_value(pod).unwrap())
    };
    Lacking { set, pods: (0..replicas).map(pod).collect() }
}

impl Lacking {
    fn pods(&self) -> Vec<Pod> {
        self.pods.values().map(|pod| serde_json::from_value(pod.clone()).unwrap()).collect()
    }

    fn step(&self) -> StuckStep {
        stuck_step(&stuck(&[]), &self.set, &self.pods())
    }

    /// The pod was made anew with its volume.
    fn renew(&mut self, ordinal: usize) {
        let pod = self.pods.get_mut(&ordinal).unwrap();
        pod["metadata"]["labels"]["controller-revision-hash"] = "new".into();
        let claim = format!("iris-data-iris-data-{ordinal}");
        pod["spec"]["volumes"] =
            json!([{ "name": "iris-data", "persistentVolumeClaim": { "claimName": claim } }]);
    }

    fn break_down(&mut self, ordinal: usize) {
        self.pods.get_mut(&ordinal).unwrap()["status"]["conditions"][0]["status"] = "False".into();
    }
}

fn replaced(ordinal: usize) -> StuckStep {
    StuckStep::Replace(Replacement {
        restart: Restart { pod: format!("iris-data-{ordinal}"), uid: format!("pod-{ordinal}") },
        claims: vec![format!("iris-data-iris-data-{ordinal}")],
    })
}

fn not_ready(ordinal: usize) -> StuckStep {
    StuckStep::Hold(Hold::NotReady(format!("iris-data-{ordinal}")))
}

#[test]
fn pods_that_were_made_before_their_set_had_all_claims_go_from_the_first_to_the_last() {
    let mut made_anew = lacking(2);
    assert_eq!(made_anew.step(), replaced(0));
    let first = made_anew.pods.get_mut(&0).unwrap();
    first["spec"]["volumes"] = json!([{ "name": "iris-data", "emptyDir": {} }]);
    assert_eq!(made_anew.step(), replaced(0), "that volume goes with it");
    made_anew.renew(0);
    assert_eq!(made_anew.step(), replaced(1));
    made_anew.renew(1);
    assert_eq!(made_anew.step(), StuckStep::Nothing);
    let mut by_hand = lacking(1);
    by_hand.set.spec.as_mut().unwrap().update_strategy.as_mut().unwrap().type_ = Some("OnDelete".to_owned());
    assert_eq!(by_hand.step(), StuckStep::Nothing, "the user restarts it");
}

#[test]
fn no_other_pod_goes_while_the_one_before_it_did_not_come_back() {
    let mut made_anew = lacking(3);
    // What a quota does to a pod that was evicted.
    let first = made_anew.pods.remove(&0).unwrap();
    assert_eq!(made_anew.step(), not_ready(0));
    made_anew.pods.insert(0, first);
    made_anew.renew(0);
    made_anew.break_down(0);
    assert_eq!(made_anew.step(), not_ready(0), "it is on its way");
    let mut ends = lacking(2);
    ends.pods.get_mut(&0).unwrap()["metadata"]["deletionTimestamp"] = "2026-11-20T10:00:00Z".into();
    assert_eq!(ends.step(), not_ready(0));
    let mut foreign = lacking(2);
    foreign.pods.get_mut(&0).unwrap()["metadata"]["ownerReferences"][0]["uid"] = "other".into();
    assert_eq!(foreign.step(), not_ready(0), "it is another set's");
    let mut last = lacking(2);
    last.break_down(1);
    assert_eq!(last.step(), not_ready(1));
    last.pods.remove(&1);
    let behind = Hold::Behind("iris-data-1".into(), "iris-data-0".into());
    assert_eq!(last.step(), StuckStep::Hold(behind), "nobody makes it before the other one goes");
}

#[test]
fn a_pod_that_is_not_ready_does_not_stand_in_its_own_way() {
    let mut made_anew = lacking(2);
    made_anew.break_down(0);
    assert_eq!(made_anew.step(), replaced(0));
    let members =
        [("iris-data-0".to_owned(), MirrorRole::Backup), ("iris-data-1".to_owned(), MirrorRole::Backup)];
    let finding = |primary: &str, uid: &str| Finding::Primary {
        pod: primary.into(),
        uid: uid.into(),
        others: BTreeSet::new(),
    };
    let of_mirror = |finding: Finding| {
        let StuckStep::Replace(replacement) = made_anew.step() else { panic!("{:?}", made_anew.step()) };
        let claims = BTreeMap::from([("iris-data-iris-data-0".to_owned(), ObservedClaim::default())]);
        let stuck = StuckSet { members: members.to_vec(), ..stuck(&[]) };
        replace_step(&stuck, replacement, &made_anew.pods(), Some(&claims), &finding)
    };
    assert_eq!(of_mirror(finding("iris-data-1", "pod-1")), first_goes());
    let alone = RestartStep::Hold(Hold::NoPartner("iris-data-0".into()));
    assert_eq!(of_mirror(finding("iris-data-0", "pod-0")), alone, "nobody else takes over");
    made_anew.break_down(1);
    assert_eq!(made_anew.step(), not_ready(1));
}

fn next_step(members: &[(&str, MirrorRole)], claims: Option<&[&str]>, finding: &Finding) -> RestartStep {
    let made_anew = lacking(2);
    let stuck = stuck(members);
    let StuckStep::Replace(replacement) = made_anew.step() else { panic!("{:?}", made_anew.step()) };
    let claims = claims.map(|names| {
        let claim = |name: &&str| ((*name).to_owned(), ObservedClaim::default());
        names.iter().map(claim).collect::<BTreeMap<_, _>>()
    });
    replace_step(&stuck, replacement, &made_anew.pods(), claims.as_ref(), finding)
}

const CLAIMS: Option<&[&str]> = Some(&["iris-data-iris-data-0"]);

fn first_goes() -> RestartStep {
    RestartStep::Restart(Restart { pod: "iris-data-0".into(), uid: "pod-0".into() })
}

#[test]
fn a_pod_goes_only_when_its_claims_wait_for_the_next_one() {
    let hold = |hold| RestartStep::Hold(hold);
    let silent = Finding::NotAsked;
    assert_eq!(next_step(&[], CLAIMS, &silent), first_goes());
    let of_another = Some(["iris-data-iris-data-1"].as_slice());
    let missing = Hold::NoClaim("iris-data-iris-data-0".into());
    assert_eq!(next_step(&[], of_another, &silent), hold(missing));
    assert_eq!(next_step(&[], None, &silent), hold(Hold::ClaimsUnknown));
}

#[test]
fn a_mirror_that_has_answered_is_asked_whether_it_can_do_without_the_pod() {
    let members = [("iris-data-0", MirrorRole::Backup), ("iris-data-1", MirrorRole::Backup)];
    let step = |finding: &Finding| next_step(&members, CLAIMS, finding);
    let primary = |pod: &str, uid: &str, others: &[&str]| Finding::Primary {
        pod: pod.into(),
        uid: uid.into(),
        others: others.iter().map(|pod| (*pod).to_owned()).collect::<BTreeSet<_>>(),
    };
    let hold = |hold| RestartStep::Hold(hold);
    assert_eq!(step(&primary("iris-data-1", "pod-1", &[])), first_goes());
    assert_eq!(step(&primary("iris-data-0", "pod-0", &["iris-data-1"])), first_goes());
    let alone = Hold::NoPartner("iris-data-0".into());
    assert_eq!(step(&primary("iris-data-0", "pod-0", &[])), hold(alone));
    assert_eq!(step(&primary("iris-data-0", "before", &["iris-data-1"])), hold(Hold::NotClear));
    assert_eq!(step(&Finding::Silent), hold(Hold::NotClear));
    assert_eq!(step(&Finding::TwoPrimaries), hold(Hold::NotClear));
    assert_eq!(step(&Finding::Forbidden), hold(Hold::NotGranted));
}
