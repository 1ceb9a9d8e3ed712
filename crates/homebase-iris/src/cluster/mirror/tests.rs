//! Tests of the mirror map. Must not test the label that is set from it.

use super::*;

#[test]
fn a_map_keeps_its_order_and_prints_as_written() {
    let map = MirrorMap::parse(" primary, backup,drasync ,rorasync,rwrasync").unwrap();
    assert_eq!(map.to_string(), "primary,backup,drasync,rorasync,rwrasync");
    assert_eq!(map.role(2), Some(MirrorRole::DrAsync));
    assert_eq!(map.role(5), None);
}

#[test]
fn a_mirror_without_a_backup_is_legal() {
    assert_eq!(MirrorMap::parse("primary,drasync").unwrap().roles().len(), 2);
    assert_eq!(MirrorMap::parse("primary").unwrap().roles().len(), 1);
}

#[test]
fn each_fault_has_its_own_error() {
    use ParseMirrorMapError as E;
    let cases = [
        ("", E::ReadRole(String::new())),
        ("primary,,backup", E::ReadRole(String::new())),
        ("primary,bakcup", E::ReadRole("bakcup".into())),
        ("Primary", E::ReadRole("Primary".into())),
        ("backup,primary", E::StartWithPrimary),
        ("drasync", E::StartWithPrimary),
        ("primary,primary", E::AddPrimary),
        ("primary,backup,backup", E::AddBackup),
    ];
    for (text, expected) in cases {
        assert_eq!(MirrorMap::parse(text), Err(expected), "{text}");
    }
}

#[test]
fn sixteen_members_are_the_limit() {
    let map = |asyncs: usize| format!("primary,backup{}", ",drasync".repeat(asyncs));
    assert!(MirrorMap::parse(&map(14)).is_ok());
    assert_eq!(MirrorMap::parse(&map(15)), Err(ParseMirrorMapError::CountMembers(17)));
}

#[test]
fn an_error_repeats_no_control_characters_and_no_long_text() {
    let Err(error) = MirrorMap::parse(&format!("pri\nmary{}", "x".repeat(500))) else { panic!("accepted") };
    assert!(!error.to_string().contains('\n'));
    assert!(error.to_string().len() < 200);
}
