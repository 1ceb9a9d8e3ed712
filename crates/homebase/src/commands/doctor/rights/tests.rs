//! Identities and CRDs are judged without a server.

use homebase_api::{annotations, labels, remote_crds};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, CustomResourceDefinitionStatus,
};
use kube::ResourceExt as _;
use serde_json::json;

use super::super::report::Outcome;
use super::{judge_crd, judge_identity};

#[test]
fn another_cluster_than_the_one_on_record_fails() {
    assert_eq!(judge_identity("a", None).result, Outcome::Pass);
    assert_eq!(judge_identity("a", Some("a")).result, Outcome::Pass);
    assert_eq!(judge_identity("a", Some("b")).result, Outcome::Fail);
}

fn served() -> CustomResourceDefinition {
    let mut crd = remote_crds().remove(0);
    let condition = |kind: &str| json!({"type": kind, "status": "True"});
    let status: CustomResourceDefinitionStatus =
        serde_json::from_value(json!({"conditions": [condition("Established"), condition("NamesAccepted")]}))
            .unwrap();
    crd.status = Some(status);
    crd
}

#[test]
fn a_crd_is_ours_served_and_of_any_version() {
    let wanted = remote_crds().remove(0);
    assert_eq!(judge_crd(&wanted, &served(), None), Ok(None));
    let mut claimed = served();
    claimed.annotations_mut().insert(annotations::HUB_ID.to_owned(), "theirs".to_owned());
    assert_eq!(judge_crd(&wanted, &claimed, Some("theirs")), Ok(None));
    let refused = judge_crd(&wanted, &claimed, Some("ours")).unwrap_err();
    assert!(refused.found.contains("another hub, theirs"), "{refused:?}");
    let mut newer = served();
    newer.annotations_mut().insert(annotations::CRD_VERSION.to_owned(), "999".to_owned());
    assert!(judge_crd(&wanted, &newer, None).unwrap().unwrap().contains("is newer"));
    let mut foreign = served();
    foreign.labels_mut().remove(labels::MANAGED_BY);
    assert!(judge_crd(&wanted, &foreign, None).unwrap_err().found.contains("not made by Homebase"));
    let mut waiting = served();
    waiting.status = None;
    assert!(judge_crd(&wanted, &waiting, None).unwrap_err().found.contains("Established is not true"));
}
