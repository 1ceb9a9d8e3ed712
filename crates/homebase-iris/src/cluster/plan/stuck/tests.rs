//! Which pods may go, and which never.

use homebase_api::labels::Component;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use super::{StuckSet, stuck_pod};
use crate::cluster::names::NodeSet;

fn set(strategy: &str, order: &str) -> StatefulSet {
    serde_json::from_value(json!({
        "metadata": { "name": "iris-data", "uid": "set", "generation": 2 },
        "spec": {
            "replicas": 2, "podManagementPolicy": order, "updateStrategy": { "type": strategy },
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

fn goes(set: &StatefulSet, pod: Pod) -> bool {
    let stuck = StuckSet {
        set: NodeSet::whole(Component::Data),
        stateful_set: "iris-data".into(),
        uid: "set".into(),
        selector: String::new(),
    };
    stuck_pod(&stuck, set, &[pod]).is_some_and(|restart| restart.pod == "iris-data-0" && restart.uid == "pod")
}

#[test]
fn a_pod_that_never_started_and_is_of_an_earlier_template_goes() {
    assert!(goes(&set("RollingUpdate", "OrderedReady"), pod(|_| {})));
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

#[test]
fn a_pod_that_was_made_before_its_set_had_all_claims_goes_when_the_others_are_ready() {
    let mut made_anew = set("RollingUpdate", "Parallel");
    made_anew.spec.as_mut().unwrap().volume_claim_templates =
        Some(vec![serde_json::from_value(json!({ "metadata": { "name": "iris-data" } })).unwrap()]);
    let ready = |volumes: Value| {
        move |pod: &mut Value| {
            pod["status"] =
                json!({ "phase": "Running", "conditions": [{ "type": "Ready", "status": "True" }] });
            pod["spec"] = json!({ "containers": [], "volumes": volumes });
        }
    };
    assert!(goes(&made_anew, pod(ready(json!([])))));
    assert!(
        goes(&made_anew, pod(ready(json!([{ "name": "iris-data", "emptyDir": {} }])))),
        "that goes with it"
    );
    let claim =
        json!([{ "name": "iris-data", "persistentVolumeClaim": { "claimName": "iris-data-iris-data-0" } }]);
    assert!(!goes(&made_anew, pod(ready(claim))), "it has them");
    let mut by_hand = made_anew.clone();
    by_hand.spec.as_mut().unwrap().update_strategy.as_mut().unwrap().type_ = Some("OnDelete".to_owned());
    assert!(!goes(&by_hand, pod(ready(json!([])))), "the user restarts it");
    assert!(!goes(&made_anew, pod(|pod| pod["status"]["phase"] = "Running".into())), "one is on its way");
}
