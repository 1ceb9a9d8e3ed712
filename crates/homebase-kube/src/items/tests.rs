//! Lists in any chunks, and what is none.

use serde_json::{Value, json};

use super::{MAX_ITEM, MalformedList, Shape, Splitter};

type Split = Result<(Vec<Value>, Option<String>), MalformedList>;

fn split(text: &[u8], chunk: usize) -> Split {
    let (mut splitter, mut items) = (Splitter::new(), Vec::new());
    for mut bytes in text.chunks(chunk) {
        while !bytes.is_empty() {
            let (taken, complete) = splitter.feed(bytes)?;
            if complete {
                let (item, shape) = splitter.item();
                assert_eq!(shape, Shape::of(item));
                items.push(serde_json::from_slice(item).unwrap());
            }
            bytes = &bytes[taken..];
        }
    }
    splitter.end().map(|meta| (items, meta.resource_version))
}

#[test]
fn items_are_the_same_however_the_bytes_come() {
    let items = vec![
        json!({"metadata": {"name": "a", "labels": {"x": "}]{[,:\\\""}}, "items": [{"metadata": 1}], "n": [1, 2]}),
        json!({}),
        json!({"text": "\\", "deep": [[[{"a": null}]]]}),
    ];
    let list = json!({
        "kind": "List", "apiVersion": "v1", "other": {"items": [{"no": 1}], "metadata": {"resourceVersion": "7"}},
        "metadata": {"resourceVersion": "5", "continue": "x"}, "items": items, "more": [1, {"items": []}],
    });
    for text in [list.to_string(), serde_json::to_string_pretty(&list).unwrap()] {
        for chunk in [1, 2, 3, 7, 64, 100_000] {
            assert_eq!(split(text.as_bytes(), chunk), Ok((items.clone(), Some("5".to_owned()))), "{chunk}");
        }
    }
}

#[test]
fn a_list_may_be_empty_and_must_not_be_absent() {
    for empty in [r#"{"items":[],"metadata":{}}"#, r#" {"metadata":{},"items":null} "#] {
        assert_eq!(split(empty.as_bytes(), 3), Ok((Vec::new(), None)));
    }
    for absent in [
        r#"{"metadata":{"resourceVersion":"5"}}"#,
        r#"{"items":{},"metadata":{}}"#,
        r#"{"items":7,"metadata":{}}"#,
        r#"{"items":[]}"#,
        r#"{"items":[1],"metadata":{}}"#,
        r#"{"items":["a"],"metadata":{}}"#,
        r#"{"items":[[]],"metadata":{}}"#,
        "[]",
        "1",
        "<html>",
        r#""text""#,
        "}",
    ] {
        assert_eq!(split(absent.as_bytes(), 3), Err(MalformedList::Shape), "{absent}");
    }
}

#[test]
fn what_ends_early_is_no_list() {
    let whole = r#"{"metadata":{"resourceVersion":"5"},"items":[{"a":"b"},{}]}"#;
    assert!(split(whole.as_bytes(), 5).is_ok());
    for end in 0..whole.len() {
        assert_eq!(split(&whole.as_bytes()[..end], 5), Err(MalformedList::Cut), "{end}");
    }
}

#[test]
fn an_endless_item_ends_at_its_bound() {
    let mut text = br#"{"items":[{"a":""#.to_vec();
    text.resize(MAX_ITEM + 100, b'x');
    assert_eq!(split(&text, 4096), Err(MalformedList::Item));
}
