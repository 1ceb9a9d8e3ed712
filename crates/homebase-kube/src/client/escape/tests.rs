//! The body of an apply means the same and has no character that YAML refuses; other bodies stay as they are.

use serde_json::{Value, json};

use super::*;

fn sent(kind: &str, body: &[u8]) -> Vec<u8> {
    let request =
        Request::builder().header(header::CONTENT_TYPE, kind).body(Body::from(body.to_vec())).unwrap();
    let body = escaped(request).unwrap().into_body();
    body.collect_bytes().now_or_never().unwrap().unwrap().to_vec()
}

#[test]
fn an_apply_means_the_same_without_what_yaml_refuses() {
    let value = json!({"a\u{85}": "x\u{7F}y\u{9B}\u{2028}\u{FEFF}", "plain": "ä€\u{1F600}\n\t\"\\"});
    let body = sent(APPLY, value.to_string().as_bytes());
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), value);
    let text = String::from_utf8(body).unwrap();
    assert!(text.contains(r"x\u007fy\u009b") && text.contains("ä€\u{1F600}"), "{text}");
    assert!(!text.chars().any(|c| matches!(c, '\u{7F}'..='\u{9F}' | '\u{2028}' | '\u{FEFF}')), "{text:?}");
}

#[test]
fn other_bodies_stay_and_what_is_no_text_is_refused() {
    for body in ["{\"a\":\"\u{7F}\"}".as_bytes(), b"\xFF"] {
        assert_eq!(sent("application/merge-patch+json", body), body);
    }
    let request =
        Request::builder().header(header::CONTENT_TYPE, APPLY).body(Body::from(vec![0xFF])).unwrap();
    assert_eq!(escaped(request).unwrap_err(), RefuseBody);
}
