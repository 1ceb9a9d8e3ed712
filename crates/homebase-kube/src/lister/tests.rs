//! Lists of an apiserver that lies: one that drips, one that never ends and one that is too large. Each is read through
//! the watch that uses it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::{Stream, StreamExt as _, stream};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::StreamBody;
use hyper::body::Bytes;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::client::Body;
use kube::runtime::watcher::{Config, Event, Result};
use kube::{Api, Client, ResourceExt as _};
use tokio::time::Instant;

use super::MAX_LIST;
use crate::budget::{Budget, Ledger, Pool, Weight};
use crate::error::Category;
use crate::watch::watch_category;
use crate::watcher::watch_within;

type Chunks = stream::BoxStream<'static, Bytes>;

/// A watch of an apiserver that answers its requests, which are numbered, with these bodies.
fn watch(
    answer: impl Fn(usize, String) -> Chunks + Send + Sync + 'static,
    limit: usize,
) -> (impl Stream<Item = Result<Event<ConfigMap>>>, Arc<Pool>) {
    let (count, answer) = (Arc::new(AtomicUsize::new(0)), Arc::new(answer));
    let service = tower::service_fn(move |request: Request<Body>| {
        let body = answer(count.fetch_add(1, Ordering::Relaxed), request.uri().to_string());
        let body = StreamBody::new(body.map(|bytes| Ok::<_, std::io::Error>(Frame::data(bytes))).boxed());
        async move { Ok::<_, std::io::Error>(Response::new(body)) }
    });
    let pool = Pool::of_limit(None);
    let ledger = Ledger::new(Budget::new(limit, pool.clone()), Weight::WHOLE);
    let api = Api::all(Client::new(service, "default"));
    (watch_within(api, Config::default(), Arc::new(Mutex::new(ledger))), pool)
}

fn whole(text: impl Into<String>) -> Chunks {
    stream::iter([Bytes::from(text.into())]).boxed()
}

/// The first failure of a watch, and what came before.
async fn failure(watch: impl Stream<Item = Result<Event<ConfigMap>>>) -> (Category, String, usize) {
    let mut watch = std::pin::pin!(watch);
    let mut events = 0;
    loop {
        match watch.next().await.unwrap() {
            Ok(_) => events += 1,
            Err(error) => {
                return (watch_category(&error), homebase_core::Chain(&error).to_string(), events);
            }
        }
    }
}

const MIB: usize = 1024 * 1024;

#[tokio::test(start_paused = true)]
async fn a_list_that_drips_is_given_up() {
    let drip = |_, _| {
        stream::repeat(Bytes::from_static(b" "))
            .then(|byte| async move {
                tokio::time::sleep(Duration::from_secs(8)).await;
                byte
            })
            .boxed()
    };
    let start = Instant::now();
    let (category, message, _) = failure(watch(drip, MIB).0).await;
    assert_eq!(category, Category::ResponseTimeout, "{message}");
    assert_eq!(start.elapsed(), MAX_LIST);
}

#[tokio::test]
async fn a_page_of_many_empty_objects_ends_at_the_budget() {
    let many = |_, _| {
        let start = stream::iter([Bytes::from_static(br#"{"items":[{}"#)]);
        start.chain(stream::repeat(Bytes::from(",{}".repeat(1000)))).boxed()
    };
    let (watch, pool) = watch(many, MIB);
    let (category, message, events) = failure(watch).await;
    assert_eq!(category, Category::OverBudget, "{message}");
    assert!(message.contains("1 MiB") && message.contains("--memory-per-cluster"), "{message}");
    assert!(events < 1000, "{events}");
    assert_eq!(pool.used(), 0);
}

#[tokio::test]
async fn a_continue_token_that_comes_twice_ends_a_list() {
    let page = |_, _| whole(r#"{"items":[],"metadata":{"continue":"again","resourceVersion":"1"}}"#);
    let (category, message, _) = failure(watch(page, MIB).0).await;
    assert_eq!(category, Category::Malformed, "{message}");
}

#[tokio::test]
async fn pages_without_end_end_at_the_budget() {
    let page =
        |n, _| whole(format!(r#"{{"items":[],"metadata":{{"continue":"{n}","resourceVersion":"1"}}}}"#));
    let (category, message, _) = failure(watch(page, MIB).0).await;
    assert_eq!(category, Category::OverBudget, "{message}");
}

#[tokio::test(start_paused = true)]
async fn pages_are_followed_and_the_watch_begins_where_the_last_one_ends() {
    let answer = |n: usize, asked: String| match n {
        0 => {
            assert!(asked.contains("limit=500") && !asked.contains("continue"), "{asked}");
            whole(
                r#"{"items":[{"metadata":{"name":"a"}}],"metadata":{"continue":"on","resourceVersion":"1"}}"#,
            )
        }
        1 => {
            assert!(asked.contains("continue=on"), "{asked}");
            whole(r#"{"items":[{"metadata":{"name":"b"}}],"metadata":{"resourceVersion":"2"}}"#)
        }
        2 => {
            assert!(asked.contains("watch=true") && asked.contains("resourceVersion=2"), "{asked}");
            whole(
                "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"c\",\"resourceVersion\":\"3\"}}}\n\
                 {\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\
                 \"metadata\":{\"resourceVersion\":\"9\"}}}\n{\"type\":\"DEL",
            )
        }
        3 => {
            assert!(asked.contains("resourceVersion=9"), "{asked}");
            whole("{\"type\":\"ERROR\",\"object\":{\"code\":410,\"status\":\"Failure\"}}\n")
        }
        _ => stream::pending().boxed(),
    };
    let (watch, _) = watch(answer, MIB);
    let events: Vec<String> = watch
        .take(7)
        .map(|event| match event {
            Ok(Event::Apply(object)) => format!("apply {}", object.name_any()),
            Ok(Event::InitApply(object)) => format!("list {}", object.name_any()),
            Ok(event) => event.to_string(),
            Err(error) => watch_category(&error).as_str().to_owned(),
        })
        .collect()
        .await;
    assert_eq!(events, ["Init", "list a", "list b", "InitDone", "apply c", "Other", "Init"]);
}
