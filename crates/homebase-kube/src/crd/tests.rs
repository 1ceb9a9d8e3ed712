//! What is done with a CRD that is there already, and what becomes of its versions.

use homebase_api::{annotations, labels};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, CustomResourceDefinitionStatus,
};
use kube::client::Body;
use kube::{Client, ResourceExt as _};
use serde_json::json;
use tower::{BoxError, service_fn};

use super::judge::{is_of_homebase, remaining_versions};
use super::{
    APPLIED_FINGERPRINT, CrdPolicy, InstallCrdError, Progress, Verdict, fingerprint_of, judge, migrate,
    restrict, retired_versions, unknown_versions, with_versions,
};
use crate::claim::HubClaim;

fn wanted() -> CustomResourceDefinition {
    homebase_api::remote_crds().remove(0)
}

/// A CRD as this hub has left it.
fn applied() -> CustomResourceDefinition {
    let mut crd = wanted();
    crd.annotations_mut().insert(APPLIED_FINGERPRINT.to_owned(), fingerprint_of(&wanted()).unwrap());
    crd.annotations_mut().insert(annotations::HUB_ID.to_owned(), "ours".to_owned());
    crd
}

fn annotated(mut crd: CustomResourceDefinition, key: &str, value: &str) -> CustomResourceDefinition {
    crd.annotations_mut().insert(key.to_owned(), value.to_owned());
    crd
}

fn claim() -> HubClaim {
    HubClaim { id: "ours".to_owned(), take_over: vec!["old".to_owned()] }
}

fn judged(found: &CustomResourceDefinition) -> Verdict {
    judge(&wanted(), Some(found), Some(&claim()))
}

#[test]
fn only_ours_and_only_older_ones_are_changed() {
    assert_eq!(judge(&wanted(), None, Some(&claim())), Verdict::Apply);
    assert_eq!(judged(&applied()), Verdict::Keep);
    assert_eq!(judged(&annotated(applied(), APPLIED_FINGERPRINT, "other")), Verdict::Apply);
    let newer = annotated(applied(), annotations::CRD_VERSION, "999");
    assert_eq!(judged(&newer), Verdict::RemoteNewer { claim: false });
    let mut foreign = applied();
    foreign.labels_mut().remove(labels::MANAGED_BY);
    foreign.annotations_mut().remove(annotations::HUB_ID);
    assert_eq!(judged(&foreign), Verdict::Foreign);
}

#[test]
fn a_newer_crd_is_left_alone_only_while_it_serves_what_the_hub_works_with() {
    let newer = || annotated(applied(), annotations::CRD_VERSION, "999");
    let too_old = Verdict::HubTooOld("v1alpha1".to_owned());
    let mut unserved = newer();
    unserved.spec.versions[0].served = false;
    assert_eq!(judged(&unserved), too_old);
    let mut gone = newer();
    "v1".clone_into(&mut gone.spec.versions[0].name);
    assert_eq!(judged(&gone), too_old);
    let mut besides = newer();
    besides.spec.versions.insert(0, gone.spec.versions.remove(0));
    assert_eq!(judged(&besides), Verdict::RemoteNewer { claim: false });
    for policy in [CrdPolicy::Install, CrdPolicy::Adopt, CrdPolicy::Never] {
        let refused = restrict(too_old.clone(), policy, "a", true).unwrap_err();
        assert_eq!(refused.category(), None);
        assert!(refused.to_string().starts_with("upgrade the hub: version v1alpha1 of CRD a"), "{refused}");
    }
}

#[test]
fn a_label_alone_does_not_make_a_crd_one_of_homebase() {
    assert!(is_of_homebase(&wanted()));
    assert!(is_of_homebase(&annotated(wanted(), annotations::CRD_VERSION, "0")));
    assert!(!is_of_homebase(&annotated(wanted(), annotations::CRD_VERSION, "theirs")));
    let mut labelled = wanted();
    labelled.metadata.annotations = None;
    assert_eq!(
        labelled.labels().get(labels::MANAGED_BY).map(String::as_str),
        Some(labels::MANAGED_BY_HOMEBASE)
    );
    assert!(!is_of_homebase(&labelled));
}

#[test]
fn what_another_hub_claims_is_its_own_until_it_is_taken_over() {
    let of = |hub: &str| annotated(applied(), annotations::HUB_ID, hub);
    assert_eq!(judged(&of("theirs")), Verdict::OtherHub("theirs".to_owned()));
    assert_eq!(judged(&of("old")), Verdict::Apply);
    // From a version that made no claims.
    let mut unclaimed = applied();
    unclaimed.annotations_mut().remove(annotations::HUB_ID);
    assert_eq!(judged(&unclaimed), Verdict::Apply);
    // A CRD that is newer, or that somebody has unlabelled, is as much a claim.
    let newer = |hub: &str| annotated(of(hub), annotations::CRD_VERSION, "999");
    assert_eq!(judged(&newer("theirs")), Verdict::OtherHub("theirs".to_owned()));
    assert_eq!(judged(&newer("old")), Verdict::RemoteNewer { claim: true });
    let mut unlabelled = of("theirs");
    unlabelled.labels_mut().remove(labels::MANAGED_BY);
    assert_eq!(judged(&unlabelled), Verdict::OtherHub("theirs".to_owned()));
    // At home nobody claims any.
    assert_eq!(judge(&wanted(), Some(&of("theirs")), None), Verdict::Keep);
}

#[test]
fn what_a_cluster_says_of_another_hub_is_shown_in_part() {
    let long = format!("a\u{7}b{}", "x".repeat(1000));
    let Verdict::OtherHub(shown) = judged(&annotated(applied(), annotations::HUB_ID, &long)) else {
        panic!()
    };
    assert!(shown.starts_with("abx") && shown.len() == 128, "{shown}");
}

#[test]
fn no_policy_writes_where_another_hub_does_and_never_writes_nowhere() {
    let restrict = |policy: CrdPolicy, verdict: &Verdict, is_there: bool| {
        restrict(verdict.clone(), policy, "a", is_there).map_err(|error| error.to_string())
    };
    let other = Verdict::OtherHub("home/ns".to_owned());
    for policy in [CrdPolicy::Install, CrdPolicy::Adopt, CrdPolicy::Never] {
        let refused = restrict(policy, &other, true).unwrap_err();
        assert!(refused.contains("--take-over home/ns"), "{refused}");
        assert_eq!(restrict(policy, &Verdict::Keep, true), Ok(Verdict::Keep));
    }
    assert_eq!(restrict(CrdPolicy::Adopt, &Verdict::Foreign, true), Ok(Verdict::Foreign));
    assert!(restrict(CrdPolicy::Install, &Verdict::Foreign, true).unwrap_err().contains(labels::MANAGED_BY));
    for verdict in [Verdict::Apply, Verdict::Foreign] {
        assert_eq!(restrict(CrdPolicy::Never, &verdict, true), Ok(Verdict::Keep));
    }
    let newer = restrict(CrdPolicy::Never, &Verdict::RemoteNewer { claim: true }, true);
    assert_eq!(newer, Ok(Verdict::RemoteNewer { claim: false }));
    assert!(restrict(CrdPolicy::Never, &Verdict::Apply, false).unwrap_err().contains("deploy/crds"));
}

/// The CRD as found on a cluster, with an older version besides and these on record.
fn found(stored: &[&str]) -> CustomResourceDefinition {
    let mut found = wanted();
    let mut older = found.spec.versions[0].clone();
    "v1alpha0".clone_into(&mut older.name);
    found.spec.versions[0].storage = false;
    found.spec.versions.push(older);
    let stored_versions = Some(stored.iter().map(|&version| version.to_owned()).collect());
    found.status =
        Some(CustomResourceDefinitionStatus { stored_versions, ..CustomResourceDefinitionStatus::default() });
    found
}

#[test]
fn a_version_is_retired_when_objects_may_be_in_it_and_the_hub_has_it_no_more() {
    let retired = |stored: &[&str]| retired_versions(&wanted(), &found(stored));
    assert_eq!(retired(&["v1alpha0"]), ["v1alpha0"]);
    assert_eq!(retired(&["v1alpha0", "v1alpha1"]), ["v1alpha0"]);
    // It is in the CRD, and nothing is stored in it.
    assert_eq!(retired(&["v1alpha1"]), Vec::<String>::new());
    assert_eq!(retired_versions(&wanted(), &wanted()), Vec::<String>::new());
    // What is served still, and was stored in once, stays.
    let mut both = wanted();
    both.spec.versions.extend(found(&[]).spec.versions.pop());
    assert_eq!(retired_versions(&both, &found(&["v1alpha0", "v1alpha1"])), Vec::<String>::new());

    let found = found(&["v1alpha0", "v1alpha1"]);
    assert_eq!(remaining_versions(&found, &["v1alpha0".to_owned()]), ["v1alpha1"]);
    assert_eq!(remaining_versions(&found, &[]), ["v1alpha0", "v1alpha1"]);
}

#[test]
fn a_version_that_is_kept_besides_is_not_stored_in_and_served_for_the_time_being_at_most() {
    let found = found(&["v1alpha0"]);
    let kept = unknown_versions(&wanted(), &found);
    assert_eq!(kept, ["v1alpha0"]);
    for while_served in [true, false] {
        let both = with_versions(&wanted(), &found, &kept, while_served);
        let versions = both.spec.versions.iter();
        let versions: Vec<_> =
            versions.map(|version| (version.name.as_str(), version.served, version.storage)).collect();
        assert_eq!(versions, [("v1alpha1", true, true), ("v1alpha0", while_served, false)]);
    }
    let mut unserved = found.clone();
    unserved.spec.versions[1].served = false;
    assert!(!with_versions(&wanted(), &unserved, &kept, true).spec.versions[1].served);
    assert_eq!(with_versions(&wanted(), &found, &[], true), wanted());
    assert_eq!(unknown_versions(&wanted(), &wanted()), Vec::<String>::new());
}

#[test]
fn a_refused_migration_names_version_and_fix() {
    let source = Box::new(super::MigrateObjectsError::FindStorage);
    let name = wanted().name_any();
    let error = InstallCrdError::RemoveStoredVersion { name, version: "v1alpha0".to_owned(), source };
    for words in ["stored in version v1alpha0", "deploy/rbac/work-cluster.yaml", "status.storedVersions"] {
        assert!(error.to_string().contains(words), "{error}");
    }
    // Else a cluster that serves the kinds would pass for one that needs nothing.
    assert_eq!(error.category(), None);
}

/// Else a long list, at one request a second, would pass for an installation that hangs.
#[tokio::test(start_paused = true)]
async fn each_page_that_is_searched_for_names_of_versions_is_progress() {
    let answer = async |request: http::Request<Body>| -> Result<http::Response<Body>, BoxError> {
        let is_last = request.uri().query().is_some_and(|query| query.contains("continue=more"));
        let entry = json!({"apiVersion": format!("{}/v1alpha0", wanted().spec.group), "operation": "Update"});
        let page = json!({
            "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList",
            "metadata": if is_last { json!({}) } else { json!({"continue": "more"}) },
            "items": [{
                "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata",
                "metadata": {"name": "app", "uid": "u", "managedFields": if is_last { json!([entry]) } else { json!([]) }},
            }],
        });
        Ok(http::Response::new(Body::from(page.to_string().into_bytes())))
    };
    let client = Client::new(service_fn(answer), "ns");
    let (progress, gone) = (Progress::default(), ["v1alpha0".to_owned(), "v0".to_owned()]);
    let named = migrate::find_named(&client, &wanted(), &gone, &progress).await.unwrap();
    assert_eq!((named, progress.steps()), (vec!["v1alpha0".to_owned()], 2));
}
