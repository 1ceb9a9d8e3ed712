//! A watch that lists anew after it broke, because what it resumes from may be of a past that is no more: an etcd that
//! was put back to a backup has a lower revision than the watch has seen, and the apiserver tells such a watch nothing
//! until the revision has caught up. It keeps no objects, and it waits for nothing by itself but that.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::{Stream, StreamExt as _, stream};
use kube::runtime::watcher;
use kube::{Api, Resource};
use tokio::time::Instant;

use crate::admit::admitting;
use crate::budget::{Budget, Ledger, Weight};
use crate::error::Category;
use crate::watch::watch_category;
use crate::watcher::watch_within;

#[cfg(test)]
mod tests;

/// At most this often a watch that breaks again and again lists anew: a listing costs an apiserver far more than a
/// watch that is resumed.
const RELIST_INTERVAL: Duration = Duration::from_secs(30);

/// A failure this long after the last one is the first of a row: the watch was well in between, for retries are
/// seconds apart.
const ROW: Duration = Duration::from_secs(60);

/// A watch of objects for `run_watch`, without those that no apiserver can have stored. What the listener keeps of them
/// is charged to the budget; on a failure of the category `OverBudget` the listener has to forget all of it.
pub fn watch_objects<K>(
    api: Api<K>,
    config: watcher::Config,
    budget: &Arc<Budget>,
    weight: Weight,
) -> impl Stream<Item = watcher::Result<watcher::Event<K>>> + Send + use<K>
where
    K: Resource + Clone + Debug + serde::de::DeserializeOwned + Send + 'static,
{
    // It outlives a watch that is begun again, as what the listener keeps does.
    let ledger = Arc::new(Mutex::new(Ledger::new(budget.clone(), weight)));
    relisting(move || admitting(watch_within(api.clone(), config.clone(), ledger.clone())).boxed())
}

/// The same for a watch that `begin` makes as often as is needed.
fn relisting<K, S>(begin: impl Fn() -> S) -> impl Stream<Item = watcher::Result<watcher::Event<K>>>
where
    S: Stream<Item = watcher::Result<watcher::Event<K>>> + Unpin,
{
    let breaks = Breaks { listed: Instant::now(), failed: None, due: None };
    stream::unfold((begin(), begin, breaks), |(mut watch, begin, mut breaks)| async move {
        let item = loop {
            tokio::select! {
                item = watch.next() => break item?,
                () = sleep_until(breaks.due) => watch = begin_anew(&begin, &mut breaks),
            }
        };
        if let Err(error) = &item
            && breaks.failed(watch_category(error))
        {
            watch = begin_anew(&begin, &mut breaks);
        }
        Some((item, (watch, begin, breaks)))
    })
}

fn begin_anew<S>(begin: &impl Fn() -> S, breaks: &mut Breaks) -> S {
    (breaks.listed, breaks.due) = (Instant::now(), None);
    begin()
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

/// What is known of the breaks of one watch.
struct Breaks {
    /// When the last listing was begun.
    listed: Instant,
    /// When the watch failed last.
    failed: Option<Instant>,
    /// When a listing is to begin although the watch may be well by then.
    due: Option<Instant>,
}

impl Breaks {
    /// Takes note of a failure, and says whether a listing is to be the next thing.
    fn failed(&mut self, category: Category) -> bool {
        let now = Instant::now();
        let is_first = self.failed.replace(now).is_none_or(|before| now - before > ROW);
        match category {
            // The apiserver is there, and a listing is the last that it wants to be asked for now. It was away before,
            // perhaps, and this is the first that is heard of it.
            Category::Throttled => {
                if is_first {
                    self.due = Some(now + RELIST_INTERVAL);
                }
                false
            }
            // A right that was withdrawn and is granted again shows itself in a listing, and in nothing else.
            _ if is_first => true,
            // It is there and refuses: a view that was complete stays so, and one that was not is listed anyway.
            Category::Unauthorized
            | Category::Forbidden
            | Category::NotFound
            | Category::Conflict
            | Category::Invalid => false,
            _ if now - self.listed >= RELIST_INTERVAL => true,
            _ => {
                self.due = Some(self.listed + RELIST_INTERVAL);
                false
            }
        }
    }
}
