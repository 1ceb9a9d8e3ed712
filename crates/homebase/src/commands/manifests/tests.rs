//! Files, documents and lines. What is in them is not judged here.

use super::{Manifests, set_namespace, split};
use serde_json::json;

const OBJECT: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";

fn read(text: &str) -> Manifests {
    let mut found = Manifests::default();
    found.add_text("f", text);
    found
}

/// Number and line of each document.
fn places(found: &Manifests) -> Vec<(usize, usize)> {
    found.documents.iter().map(|document| (document.place.document, document.place.line)).collect()
}

#[test]
fn documents_know_their_number_and_their_line() {
    let found = read(&format!("# a comment\n\n{OBJECT}---\n---\n# nothing\n--- # next\n\n{OBJECT}"));
    assert_eq!(found.unreadable, []);
    assert_eq!(places(&found), [(1, 3), (2, 11)]);
    assert_eq!(found.documents[1].place.to_string(), "f:11");
}

#[test]
fn a_separator_in_a_text_is_none() {
    let found = read("apiVersion: v1\nkind: ConfigMap\ndata:\n  a: |\n    ---\n    b\n");
    assert_eq!(found.documents[0].value["data"]["a"], "---\nb\n");
    assert_eq!(split("---\n---\n"), []);
}

#[test]
fn lists_are_their_items() {
    let found =
        read("apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: A}, {apiVersion: v1, kind: B}]\n");
    let kinds: Vec<_> = found.documents.iter().map(super::Document::kind).collect();
    assert_eq!(kinds, ["A", "B"]);
    assert_eq!(read(r#"{"apiVersion": "v1", "kind": "A"}"#).documents.len(), 1);
}

#[test]
fn what_cannot_be_read_is_told_with_its_line_and_without_its_text() {
    let found =
        read(&format!("{OBJECT}---\na: canary\nb: [canary\n---\n{OBJECT}---\nkind: A\n---\n- canary\n"));
    assert_eq!(found.documents.len(), 2);
    let unreadable: Vec<_> = found.unreadable.iter().map(|one| one.place.as_str()).collect();
    assert_eq!(unreadable.len(), 3, "{found:?}");
    let line: u64 = unreadable[0].strip_prefix("f:").unwrap().parse().unwrap();
    assert!((5..=8).contains(&line), "{unreadable:?}");
    assert_eq!(unreadable[1..], ["f:12", "f:14"]);
    assert!(!format!("{:?}", found.unreadable).contains("canary"), "{found:?}");
    assert_eq!(places(&found)[1].0, 3);
}

#[test]
fn values_are_read_as_kubectl_reads_them() {
    let found = read("apiVersion: v1\nkind: A\na: yes\nb: 0644\nc: 1.10\nd: '1.10'\ne: ~\n");
    let value = &found.documents[0].value;
    assert_eq!(value["a"], true);
    assert_eq!(value["b"], 0o644);
    assert_eq!(value["c"], 1.1);
    assert_eq!(value["d"], "1.10");
    assert!(value["e"].is_null());
    let whole = read("apiVersion: v1\nkind: A\na: 2.0\nb: 1e1\nc: 08\nd: '08'\ne: 1e300\n");
    let value = &whole.documents[0].value;
    assert_eq!((&value["a"], &value["b"], &value["c"]), (&json!(2), &json!(10), &json!(8)));
    assert_eq!((&value["d"], &value["e"]), (&json!("08"), &json!(1e300)));
}

#[test]
fn of_a_field_that_is_given_twice_the_last_counts_and_its_line_is_known() {
    let found = read(&format!("{OBJECT}---\napiVersion: v1\nkind: A\na: 1\na: 2\n"));
    assert_eq!(found.unreadable, []);
    assert_eq!(found.documents[0].repeated, None);
    assert_eq!((&found.documents[1].value["a"], found.documents[1].repeated), (&json!(2), Some(8)));
}

#[test]
fn comments_are_not_limited() {
    let comments = "  # a comment\n".repeat(1000);
    let found = read(&format!("{comments}apiVersion: v1\nkind: A\nspec:\n{comments}  a: 1\n{comments}"));
    assert_eq!(found.unreadable, []);
    assert_eq!(found.documents[0].value["spec"]["a"], 1);
}

#[test]
fn json_values_may_follow_one_another() {
    let one = "{\n\"apiVersion\": \"v1\",\n\"kind\": \"A\"\n}";
    assert_eq!(places(&read(&format!("{one}\n{one}{one}\n"))), [(1, 1), (2, 5), (3, 8)]);
    assert_eq!(read("{apiVersion: v1, kind: A}\n---\n{apiVersion: v1, kind: B}\n").documents.len(), 2);
}

#[test]
fn each_field_has_its_place() {
    let found = read(&format!("{OBJECT}---\napiVersion: v1\nkind: A\nspec:\n  b:\n  - c: 1\n  - c: 2\n"));
    let place = |path| found.documents[1].place_of(path);
    assert_eq!(["", "spec.b[1].c", "spec.b[1].d", "spec.b[9]"].map(place), ["f:5", "f:10", "f:10", "f:9"]);
    let list = read("apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: A\n  a: 1\n");
    assert_eq!(list.documents[0].place_of("a"), "f:6");
}

#[test]
fn many_documents_take_no_longer_one_by_one() {
    // Quadratic, these take minutes.
    let found = read(&format!("---\n{OBJECT}").repeat(20_000));
    assert_eq!((found.documents.len(), found.unreadable), (20_000, Vec::new()));
}

#[test]
fn a_namespace_is_given_to_those_without_one() {
    for (metadata, expected) in [
        (json!({"name": "a"}), "n"),
        (json!({"name": "a", "namespace": null}), "n"),
        (json!({"name": "a", "namespace": "b"}), "b"),
    ] {
        let mut value = json!({ "metadata": metadata });
        set_namespace(&mut value, "n");
        assert_eq!(value["metadata"]["namespace"], expected);
    }
}
