//! Which breaks make a watch list anew, and when. What kube's watcher does is not tested here.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::{Stream, StreamExt as _, stream};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::core::Status;
use kube::runtime::watcher::{self, Error, Event};

use super::{RELIST_INTERVAL, ROW, relisting};

type Item = watcher::Result<Event<ConfigMap>>;

fn answer(code: u16) -> Item {
    Err(Error::WatchError(Status { code, ..Status::default() }.boxed()))
}

/// A break as of a connection.
fn lost() -> Item {
    Err(Error::WatchFailed(kube::Error::Service("the connection is gone".into())))
}

/// A watch that brings `items` after waits and is silent then; and how often it was begun.
fn scripted(items: impl Fn(usize) -> Vec<(Duration, Item)>) -> (impl Stream<Item = Item>, Arc<AtomicUsize>) {
    let begun = Arc::new(AtomicUsize::new(0));
    let count = begun.clone();
    let watch = relisting(move || {
        let items = items(count.fetch_add(1, Ordering::Relaxed));
        let items = stream::iter(items).then(|(wait, item)| async move {
            tokio::time::sleep(wait).await;
            item
        });
        items.chain(stream::pending()).boxed()
    });
    (watch, begun)
}

/// How often a watch is begun within a time.
async fn begun_within(time: Duration, items: impl Fn(usize) -> Vec<(Duration, Item)>) -> usize {
    let (watch, begun) = scripted(items);
    let watch = watch.for_each(|_| async {});
    assert!(tokio::time::timeout(time, watch).await.is_err(), "the watch ended");
    begun.load(Ordering::Relaxed)
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_watch_that_broke_lists_anew_at_once() {
    let items = |n| if n == 0 { vec![(SECOND, lost())] } else { Vec::new() };
    assert_eq!(begun_within(2 * SECOND, items).await, 2);
}

#[tokio::test(start_paused = true)]
async fn one_that_goes_on_breaking_lists_once_in_an_interval() {
    let items = |_| (0..200).map(|_| (SECOND, lost())).collect();
    assert_eq!(begun_within(RELIST_INTERVAL * 7 / 2, items).await, 5);
}

#[tokio::test(start_paused = true)]
async fn one_that_broke_soon_after_a_listing_lists_once_more_although_it_is_well() {
    let items = |n| if n < 2 { vec![(SECOND, lost())] } else { Vec::new() };
    assert_eq!(begun_within(RELIST_INTERVAL, items).await, 2);
    assert_eq!(begun_within(RELIST_INTERVAL + 2 * SECOND, items).await, 3);
    assert_eq!(begun_within(RELIST_INTERVAL * 10, items).await, 3);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_makes_it_list_once() {
    for code in [403, 401, 404, 429] {
        let items = |_| (0..200).map(|_| (8 * SECOND, answer(code))).collect();
        assert_eq!(begun_within(RELIST_INTERVAL * 10, items).await, 2, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_is_throttled_lists_later_however_it_goes_on() {
    for then in [lost as fn() -> Item, || answer(403), || answer(429)] {
        for more in 0..2 {
            let items = |n| {
                let first = (n == 0).then(|| (SECOND, answer(429)));
                first.into_iter().chain((0..more).filter(|_| n == 0).map(|_| (SECOND, then()))).collect()
            };
            assert_eq!(begun_within(RELIST_INTERVAL * 9 / 10, items).await, 1);
            assert_eq!(begun_within(RELIST_INTERVAL + 2 * SECOND, items).await, 2);
            assert_eq!(begun_within(RELIST_INTERVAL * 10, items).await, 2);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_long_after_the_last_one_makes_it_list_again() {
    let items = |_| vec![(ROW + SECOND, answer(403))];
    assert_eq!(begun_within((ROW + SECOND) * 3 + SECOND, items).await, 4);
}
