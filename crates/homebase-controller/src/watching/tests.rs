//! What the board says of watches of one kind in several namespaces, and how long a watch that failed waits.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt as _;
use homebase_core::Namespaces;
use homebase_kube::error::Category;
use homebase_kube::watch::Listener;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt as _;
use kube::runtime::watcher::{self, Event};
use tokio::sync::watch;
use tokio::time::Instant;

use super::{FORBIDDEN_PAUSE, Feed, Grant, MAX_NAMED, Place, Progress, SyncBoard, Watching, until_ready};
use crate::store::{Change, Store};

const BACKOFF: Duration = Duration::from_secs(8);

#[tokio::test(start_paused = true)]
async fn a_watch_of_a_cluster_that_answers_waits_for_its_backoff() {
    let (_cluster, reachable) = watch::channel(true);
    let start = Instant::now();
    until_ready(BACKOFF, reachable).await;
    assert_eq!(start.elapsed(), BACKOFF);
}

#[tokio::test(start_paused = true)]
async fn a_watch_goes_on_as_soon_as_the_cluster_answers_again_and_not_before() {
    for was_reachable in [true, false] {
        let (cluster, reachable) = watch::channel(was_reachable);
        let start = Instant::now();
        let waiting = tokio::spawn(until_ready(BACKOFF, reachable));
        tokio::time::advance(Duration::from_secs(1)).await;
        cluster.send_replace(false);
        tokio::time::advance(BACKOFF * 2).await;
        assert!(!waiting.is_finished());
        cluster.send_replace(true);
        waiting.await.unwrap();
        assert_eq!(start.elapsed(), Duration::from_secs(1) + BACKOFF * 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_answered_again_ends_the_wait() {
    let (cluster, reachable) = watch::channel(true);
    let start = Instant::now();
    let waiting = tokio::spawn(until_ready(BACKOFF, reachable));
    tokio::time::advance(Duration::from_secs(1)).await;
    cluster.send_replace(true);
    waiting.await.unwrap();
    assert_eq!(start.elapsed(), Duration::from_secs(1));
}

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

#[tokio::test(start_paused = true)]
async fn a_recovery_of_before_spares_no_later_wait() {
    let (cluster, reachable) = watch::channel(true);
    cluster.send_replace(true);
    let start = Instant::now();
    until_ready(BACKOFF, reachable).await;
    assert_eq!(start.elapsed(), BACKOFF);
}

type OnChange = Box<dyn FnMut(Vec<Change<String>>) + Send>;

/// A watch of all namespaces that counts the calls of its `on_change`.
fn feed(grant: Grant) -> (Feed<ConfigMap, String, OnChange>, Arc<Mutex<usize>>) {
    let (cluster, reachable) = watch::channel(true);
    // Nobody says that the cluster is gone.
    std::mem::forget(cluster);
    let watching = Watching {
        namespaces: Arc::new(Namespaces::All),
        board: Arc::default(),
        reachable,
        doubt: Arc::default(),
        unserved: Arc::default(),
        budget: homebase_kube::budget::Budget::unlimited(),
    };
    let calls: Arc<Mutex<usize>> = Arc::default();
    let counted = calls.clone();
    let on_change: OnChange = Box::new(move |_| *counted.lock().unwrap() += 1);
    let (store, view) = (Store::default(), ConfigMap::name_any as fn(&ConfigMap) -> String);
    let place = place("ConfigMap", None);
    let forbidden = Arc::default();
    (Feed { watching, place, store, view, on_change, grant, forbidden, failing: false }, calls)
}

#[test]
fn what_may_not_be_listed_holds_nothing_up_where_work_goes_on_without_it() {
    let (mut feed, calls) = feed(Grant::Optional);
    feed.event(Event::Init);
    for _ in 0..5 {
        feed.failure(Category::Forbidden, "no");
    }
    assert_eq!((feed.watching.board.missing(), *calls.lock().unwrap()), (None, 1), "told once");
    assert!(feed.store.is_settled_in("any") && !feed.store.is_readable_in("any") && !feed.store.is_synced());
    // Granted.
    feed.event(Event::Init);
    assert!(!feed.store.is_readable_in("any"), "not listed yet");
    feed.event(Event::InitDone);
    assert!(feed.store.is_readable_in("any"));
    assert_eq!(*calls.lock().unwrap(), 2);
    // Taken away again: what was known is not known any more.
    feed.event(Event::Init);
    feed.failure(Category::Forbidden, "no");
    assert!(!feed.store.is_readable_in("any"));
    assert_eq!(*calls.lock().unwrap(), 3);
}

#[test]
fn another_failure_of_it_and_a_right_that_is_required_are_told() {
    for (grant, category) in
        [(Grant::Optional, Category::ServerError), (Grant::Required, Category::Forbidden)]
    {
        let (mut feed, calls) = feed(grant);
        feed.event(Event::Init);
        feed.failure(category, "no");
        assert!(
            feed.watching.board.missing().is_some_and(|words| words.contains("ConfigMap")),
            "{category:?}"
        );
        assert!(!feed.store.is_settled_in("any"));
        assert_eq!(*calls.lock().unwrap(), 0);
    }
}

/// How long a watch pauses that fails so.
async fn pause_after(grant: Grant, code: u16) -> Duration {
    let (feed, _) = feed(grant);
    let (start, tries) = (Instant::now(), Arc::new(Mutex::new(Vec::new())));
    let noted = tries.clone();
    let stream = futures::stream::repeat_with(move || {
        noted.lock().unwrap().push(start.elapsed());
        let status = kube::core::Status { code, ..kube::core::Status::failure("no", "no") };
        Err(watcher::Error::InitialListFailed(kube::Error::Api(Box::new(status))))
    });
    let watching = feed.watching.clone();
    let run = watching.run("ConfigMap", stream.take(2).chain(futures::stream::pending()), feed).run;
    drop(tokio::time::timeout(FORBIDDEN_PAUSE * 2, run).await);
    let tries = tries.lock().unwrap();
    tries[1].saturating_sub(tries[0])
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_listed_and_is_not_needed_is_not_asked_for_all_the_time() {
    assert!(pause_after(Grant::Optional, 403).await >= FORBIDDEN_PAUSE);
    assert!(pause_after(Grant::Optional, 500).await < FORBIDDEN_PAUSE);
    assert!(pause_after(Grant::Required, 403).await < FORBIDDEN_PAUSE);
}

#[tokio::test(start_paused = true)]
async fn a_refused_object_is_told_until_a_listing_holds_none_and_takes_nothing_away() {
    let object = |name: &str| {
        let mut object = ConfigMap::default();
        (object.metadata.name, object.metadata.namespace) = (Some(name.to_owned()), Some("ns".to_owned()));
        object
    };
    let (mut feed, _) = feed(Grant::Required);
    for event in [Event::Init, Event::InitApply(object("kept")), Event::InitDone] {
        feed.event(event);
    }
    // The next listing has an object that is refused, and therefore no end.
    feed.event(Event::Init);
    feed.refused(3);
    feed.failure(Category::Inadmissible, "metadata.name is not a name");
    feed.event(Event::Apply(object("new")));
    tokio::time::advance(Duration::from_secs(3600)).await;
    let words = feed.watching.board.missing();
    assert_eq!(words.as_deref(), Some("ConfigMap (InadmissibleObject: metadata.name is not a name)"));
    assert_eq!(feed.watching.board.refused.load(std::sync::atomic::Ordering::Relaxed), 3);
    let known = feed.store.in_namespace("ns", |_| true);
    assert_eq!(known.len(), 2, "{known:?}");
    feed.event(Event::Init);
    feed.event(Event::InitDone);
    assert_eq!(feed.watching.board.missing(), None);
}

#[tokio::test(start_paused = true)]
async fn a_cluster_over_its_budget_is_forgotten_and_nothing_is_concluded_from_absence() {
    let (mut feed, _) = feed(Grant::Required);
    let mut object = ConfigMap::default();
    (object.metadata.name, object.metadata.namespace) = (Some("a".to_owned()), Some("ns".to_owned()));
    for event in [Event::Init, Event::InitApply(object.clone()), Event::InitDone, Event::Init] {
        feed.event(event);
    }
    feed.failure(Category::OverBudget, "too much");
    assert_eq!(feed.store.keys(), []);
    assert!(!feed.store.is_synced() && !feed.store.is_synced_in("ns") && !feed.store.is_settled_in("ns"));
    assert!(feed.forbidden.load(std::sync::atomic::Ordering::Relaxed), "it waits for long");
    tokio::time::advance(Duration::from_secs(3600)).await;
    feed.watching.board.answered(true);
    assert_eq!(feed.watching.board.missing().as_deref(), Some("ConfigMap (MemoryBudget: too much)"));
    for event in [Event::Init, Event::InitApply(object), Event::InitDone] {
        feed.event(event);
    }
    assert!(feed.store.is_synced());
    assert_eq!(feed.watching.board.missing(), None);
}
