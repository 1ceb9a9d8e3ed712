//! Fingerprints tell contents apart and stay what they are from release to release.

use super::Fingerprint;

#[test]
fn the_mark_of_a_content_never_changes() {
    assert_eq!(Fingerprint::of_bytes("homebase").to_string(), "1f84fae642329e8598ad9dfec076fd23");
}

#[test]
fn different_contents_get_different_marks() {
    assert_ne!(Fingerprint::of(&["a", "b"]).unwrap(), Fingerprint::of(&["ab"]).unwrap());
    assert_eq!(Fingerprint::of(&["a", "b"]).unwrap(), Fingerprint::of(&["a", "b"]).unwrap());
}
