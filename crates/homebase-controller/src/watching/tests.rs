//! What the board says of watches of one kind in several namespaces.

use super::{MAX_NAMED, Place, Progress, SyncBoard};

fn place(kind: &'static str, namespace: Option<&str>) -> Place {
    Place { kind, namespace: namespace.map(|name| name.parse().unwrap()) }
}

fn listed(progress: &mut Progress) {
    progress.listed = true;
}

#[test]
fn each_namespace_counts_for_itself() {
    let board = SyncBoard::default();
    for namespace in ["a", "b"] {
        board.update(&place("Service", Some(namespace)), |_| {});
    }
    assert_eq!(board.watches(), 2);
    board.update(&place("Service", Some("a")), listed);
    assert_eq!(board.missing().as_deref(), Some("Service in b"));
    board.update(&place("Service", Some("b")), listed);
    assert_eq!(board.missing(), None);
    board.update(&place("Pod", None), |_| {});
    assert_eq!(board.missing().as_deref(), Some("Pod"));
}

#[test]
fn hundreds_of_watches_are_told_in_a_few_words() {
    let board = SyncBoard::default();
    for number in 0..MAX_NAMED + 5 {
        board.update(&place("Service", Some(&format!("n-{number:03}"))), |_| {});
    }
    let words = board.missing().unwrap();
    assert!(words.starts_with("Service in n-000, ") && words.ends_with(", and 5 more"), "{words}");
}
