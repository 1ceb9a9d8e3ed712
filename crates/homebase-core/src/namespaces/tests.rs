//! Lists as people write them.

use super::{NamespaceList, NamespaceName, Namespaces, said};

fn names(list: &NamespaceList) -> Vec<&str> {
    list.names.iter().map(NamespaceName::as_str).collect()
}

#[test]
fn names_are_separated_by_commas_with_spaces_or_without() {
    let list = NamespaceList::read(" b,a , b,\tc-1\n");
    assert_eq!((names(&list), list.invalid.clone()), (vec!["a", "b", "c-1"], vec![]));
}

#[test]
fn what_is_no_name_is_told_by_its_place_and_the_others_are_read() {
    let list = NamespaceList::read("a,B,,*,-a,a-,a.b,a b,b");
    assert_eq!((names(&list), list.invalid.clone()), (vec!["a", "b"], vec![2, 3, 4, 5, 6, 7, 8]));
    let long = "a".repeat(63);
    assert_eq!(NamespaceList::read(&long).names.len(), 1);
    assert_eq!(NamespaceList::read(&format!("{long}a")).invalid, [1]);
    for nothing in ["", " ", "*"] {
        let list = NamespaceList::read(nothing);
        assert!(list.names.is_empty() && list.invalid == [1], "{nothing:?}");
    }
    assert_eq!(NamespaceList::read("ä").invalid, [1]);
}

#[test]
fn many_are_counted() {
    let all: Vec<NamespaceName> = (0..12).map(|n| format!("n-{n:02}").parse().unwrap()).collect();
    assert_eq!(said(&all[..1]), "namespace n-00");
    assert_eq!(said(&all[..2]), "namespaces n-00, n-01");
    assert!(said(&all).ends_with("n-09 and 2 more"), "{}", said(&all));
    let only = Namespaces::Only(all.iter().take(1).cloned().collect());
    assert_eq!(
        (only.to_string(), Namespaces::All.to_string()),
        ("namespace n-00".to_owned(), "all namespaces".to_owned())
    );
}
