//! What is refused is what no apiserver stores, and a listing with a refused object never completes.

use futures::{FutureExt as _, StreamExt as _, stream};
use homebase_core::text::is_hidden;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::runtime::watcher::{self, Event};
use proptest::prelude::{Strategy as _, any, prop, proptest};

use super::{MAX_ANNOTATIONS, admit, admitting, refused_in};
use crate::error::Category;
use crate::watch::watch_category;

fn meta(change: impl FnOnce(&mut ObjectMeta)) -> ObjectMeta {
    let mut meta = ObjectMeta {
        name: Some("db-0.example".to_owned()),
        namespace: Some("default".to_owned()),
        uid: Some("7a1d1b1e-1111-4222-8333-444455556666".to_owned()),
        resource_version: Some("184467440737".to_owned()),
        labels: Some([("app.kubernetes.io/name".to_owned(), "IRIS_2025.1".to_owned())].into()),
        annotations: Some([("Example.com/Any_Thing".to_owned(), "a\nb\u{202e}".to_owned())].into()),
        ..ObjectMeta::default()
    };
    change(&mut meta);
    meta
}

fn label(key: &str, value: &str) -> ObjectMeta {
    meta(|meta| meta.labels = Some([(key.to_owned(), value.to_owned())].into()))
}

fn owner(name: &str) -> ObjectMeta {
    let owner = OwnerReference {
        api_version: "a/v1".to_owned(),
        kind: "A".to_owned(),
        name: name.to_owned(),
        uid: "u".to_owned(),
        ..OwnerReference::default()
    };
    meta(|meta| meta.owner_references = Some(vec![owner]))
}

#[test]
fn what_an_apiserver_stores_is_admitted() {
    let all = [
        meta(|_| {}),
        meta(|meta| meta.namespace = None),
        meta(|meta| meta.name = Some("a".repeat(253))),
        meta(|meta| meta.uid = Some("12345".to_owned())),
        label("a", ""),
        label("A_b.c-9", &"x".repeat(63)),
        // An apiserver takes any text here.
        owner("../../x"),
        meta(|meta| {
            meta.annotations = Some([("a".to_owned(), "x".repeat(MAX_ANNOTATIONS - 1))].into());
        }),
    ];
    for meta in all {
        assert_eq!(admit(&meta), Ok(()));
    }
}

#[test]
fn what_no_apiserver_stores_is_refused() {
    let name = |name: &str| meta(|meta| meta.name = Some(name.to_owned()));
    let namespace = |name: &str| meta(|meta| meta.namespace = Some(name.to_owned()));
    let uid = |uid: &str| meta(|meta| meta.uid = Some(uid.to_owned()));
    let version = |version: &str| meta(|meta| meta.resource_version = Some(version.to_owned()));
    let annotation =
        |key: &str, value: String| meta(|meta| meta.annotations = Some([(key.to_owned(), value)].into()));
    let long = "a".repeat(254);
    let names =
        ["", ".", "..", "../x", "a/b", "a%2fb", "A", "a?x=y", "a#b", "a\\b", "a\nb", "a b", "ä", &long];
    let all = names
        .map(name)
        .into_iter()
        .chain(["", "a.b", "..", "A", "a/b", &"a".repeat(64)].map(namespace))
        .chain(["", "u/../v", "u\r\n", &"a".repeat(65)].map(uid))
        .chain(["", "1&watch=true", "1 2", &"1".repeat(129)].map(version))
        .chain(["", "/a", "a/", "a/b/c", "A.com/b", "a b", "-a", &"a".repeat(64)].map(|key| label(key, "")))
        .chain(["-", "a b", "a\nb", "a/b", &"a".repeat(64)].map(|value| label("a", value)))
        .chain([annotation("a b", String::new()), annotation("a", "x".repeat(MAX_ANNOTATIONS)), owner("")])
        .chain([meta(|meta| meta.name = None), meta(|meta| meta.uid = None)]);
    for meta in all {
        assert!(admit(&meta).is_err(), "{meta:?}");
    }
}

#[test]
fn the_words_are_short_and_printable() {
    let hostile = format!("a\u{1b}[31m\n\u{202e}{}", "x".repeat(100_000));
    let words = admit(&meta(|meta| meta.name = Some(hostile))).unwrap_err().to_string();
    assert!(words.len() < 400 && !words.chars().any(is_hidden), "{words:?}");
}

proptest! {
    #[test]
    fn an_admitted_name_is_one_segment_of_a_path(name in prop::collection::vec(any::<char>(), 0..8)
        .prop_map(|chars| chars.into_iter().collect::<String>()))
    {
        if admit(&meta(|meta| meta.name = Some(name.clone()))).is_ok() {
            assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte)));
            assert!(!name.split('.').any(str::is_empty));
        }
    }
}

type Item = watcher::Result<Event<ConfigMap>>;

fn object(name: &str) -> ConfigMap {
    ConfigMap { metadata: meta(|meta| meta.name = Some(name.to_owned())), ..ConfigMap::default() }
}

/// What comes of a watch in a few words.
fn sifted(items: Vec<Item>) -> Vec<String> {
    let words = admitting(stream::iter(items)).map(|item| match item {
        Ok(Event::Init) => "begin".to_owned(),
        Ok(Event::InitDone) => "end".to_owned(),
        Ok(Event::InitApply(object) | Event::Apply(object)) => object.metadata.name.unwrap(),
        Ok(Event::Delete(object)) => format!("no {}", object.metadata.name.unwrap()),
        Err(error) => {
            assert_eq!(watch_category(&error), Category::Inadmissible);
            format!("{} refused", refused_in(&error).unwrap().count)
        }
    });
    words.collect().now_or_never().unwrap()
}

#[test]
fn a_listing_with_a_refused_object_never_completes_and_the_next_one_may() {
    let items = vec![
        Ok(Event::Init),
        Ok(Event::InitApply(object("a"))),
        Ok(Event::InitApply(object("../b"))),
        Ok(Event::InitApply(object("c/d"))),
        Ok(Event::InitApply(object("e"))),
        Ok(Event::InitDone),
        Ok(Event::Apply(object("f"))),
        Ok(Event::Init),
        Ok(Event::InitDone),
    ];
    assert_eq!(sifted(items), ["begin", "a", "e", "2 refused", "f", "begin", "end"]);
}

#[test]
fn a_refused_event_is_a_failure_and_changes_nothing() {
    let items =
        vec![Ok(Event::Apply(object(".."))), Ok(Event::Delete(object("x/y"))), Ok(Event::Apply(object("a")))];
    assert_eq!(sifted(items), ["1 refused", "1 refused", "a"]);
}
