//! What is done with a CRD that is there already.

use kube::ResourceExt as _;

use super::{
    APPLIED_FINGERPRINT, InstallCrdError, Verdict, annotations, fingerprint_of, judge, labels, refuse_removal,
};

#[test]
fn only_ours_and_only_older_ones_are_changed() {
    let wanted = homebase_api::remote_crds().remove(0);
    assert_eq!(judge(&wanted, None), Verdict::Apply);

    let mut same = wanted.clone();
    same.annotations_mut().insert(APPLIED_FINGERPRINT.to_owned(), fingerprint_of(&wanted).unwrap());
    assert_eq!(judge(&wanted, Some(&same)), Verdict::Keep);

    let mut changed = same.clone();
    changed.annotations_mut().insert(APPLIED_FINGERPRINT.to_owned(), "other".to_owned());
    assert_eq!(judge(&wanted, Some(&changed)), Verdict::Apply);

    let mut newer = same.clone();
    newer.annotations_mut().insert(annotations::CRD_VERSION.to_owned(), "999".to_owned());
    assert_eq!(judge(&wanted, Some(&newer)), Verdict::RemoteNewer);

    let mut foreign = same;
    foreign.labels_mut().remove(labels::MANAGED_BY);
    assert_eq!(judge(&wanted, Some(&foreign)), Verdict::Foreign);
}

#[test]
fn a_version_in_which_objects_are_stored_is_never_removed() {
    let wanted = homebase_api::remote_crds().remove(0);
    let mut found = wanted.clone();
    let mut status = found.status.take().unwrap_or_default();
    status.stored_versions = Some(vec!["v1alpha1".to_owned()]);
    found.status = Some(status.clone());
    assert!(refuse_removal(&wanted, Some(&found)).is_ok());
    assert!(refuse_removal(&wanted, None).is_ok());
    status.stored_versions = Some(vec!["v1alpha1".to_owned(), "v1alpha0".to_owned()]);
    found.status = Some(status);
    let refused = refuse_removal(&wanted, Some(&found)).unwrap_err();
    assert!(matches!(refused, InstallCrdError::RemoveStoredVersion { version, .. } if version == "v1alpha0"));
}
