//! A watch outlives its errors.

use std::sync::{Arc, Mutex};

use futures::stream;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::core::Status;
use kube::runtime::watcher::{Error, Event};

use super::{Listener, run_watch};
use crate::error::Category;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Listener<ConfigMap> for Log {
    fn event(&mut self, event: Event<ConfigMap>) {
        self.0.lock().unwrap().push(event.to_string());
    }
    fn failure(&mut self, category: Category, _: &str) {
        self.0.lock().unwrap().push(category.as_str().to_owned());
    }
}

fn answer(code: u16) -> Error {
    Error::WatchError(Status { code, ..Status::default() }.boxed())
}

/// What kube's watcher really yields when the listing fails: the start of a listing before each failure.
#[tokio::test(start_paused = true)]
async fn a_listing_that_keeps_failing_is_asked_for_less_and_less_often() {
    let items = (0..20).map(|n| if n % 2 == 0 { Ok(Event::Init) } else { Err(answer(403)) });
    let started = tokio::time::Instant::now();
    run_watch(stream::iter(items), Log::default(), || 1.0, tokio::time::sleep).await;
    assert!(started.elapsed() > std::time::Duration::from_secs(40), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_apiserver_that_only_says_expired_is_not_asked_without_a_wait() {
    let items = (0..20).map(|n| if n % 2 == 0 { Ok(Event::Init) } else { Err(answer(410)) });
    let started = tokio::time::Instant::now();
    run_watch(stream::iter(items), Log::default(), || 1.0, tokio::time::sleep).await;
    assert!(started.elapsed() > std::time::Duration::from_secs(30), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn errors_are_told_and_survived_and_an_expired_version_is_none() {
    let items =
        vec![Ok(Event::Init), Err(answer(403)), Err(answer(410)), Err(answer(503)), Ok(Event::InitDone)];
    let log = Log::default();
    run_watch(stream::iter(items), log.clone(), || 1.0, tokio::time::sleep).await;
    assert_eq!(*log.0.lock().unwrap(), ["Init", "Forbidden", "ServerError", "InitDone"]);
}
