//! Reads XML just well enough to know that a document is well-formed. It must know no vocabulary.

/// The elements of a document with their attributes, in their order; panics where it is not well-formed.
pub(super) fn elements(text: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut rest =
        text.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>").expect("a declaration").trim();
    let (mut open, mut all) = (Vec::new(), Vec::new());
    while let Some(start) = rest.find('<') {
        check_text(&rest[..start]);
        assert!(start == 0 || !open.is_empty() || rest[..start].trim().is_empty(), "text outside: {rest}");
        let end = start + rest[start..].find('>').expect("a tag ends");
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "the tags of {text}");
            continue;
        }
        let (tag, is_empty) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        all.push((name.to_owned(), read_attributes(attributes)));
        if !is_empty {
            open.push(name.to_owned());
        }
    }
    assert!(open.is_empty() && rest.trim().is_empty(), "not closed: {open:?}, {rest}");
    all
}

fn read_attributes(mut text: &str) -> Vec<(String, String)> {
    let mut all = Vec::new();
    while !text.trim().is_empty() {
        let (name, rest) = text.trim_start().split_once("=\"").expect("an attribute");
        let (value, rest) = rest.split_once('"').expect("a quote at the end");
        all.push((name.to_owned(), check_text(value)));
        text = rest;
    }
    all
}

/// The text without its entities; a bare `&` is none.
fn check_text(text: &str) -> String {
    let mut read = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        let (entity, after) = after.split_once(';').expect("an entity ends");
        let known = [("amp", "&"), ("lt", "<"), ("gt", ">"), ("quot", "\""), ("apos", "'")];
        let (_, meaning) = known.iter().find(|(name, _)| *name == entity).expect("a known entity");
        read.push_str(before);
        read.push_str(meaning);
        rest = after;
    }
    read + rest
}
