//! What is done with a CRD that is there already.

use kube::ResourceExt as _;

use super::{APPLIED_FINGERPRINT, Verdict, annotations, fingerprint_of, judge, labels};

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
