//! Watches that never end and never fail: an error is told to a listener and followed by backoff, for this
//! watch alone, so that one kind that cannot be watched holds up no other. It keeps no objects.

use std::fmt::Debug;
use std::future::Future;
use std::time::Duration;

use futures::{Stream, StreamExt as _};
use homebase_core::{Backoff, Chain};
use kube::runtime::watcher;

use crate::admit::refused_in;
use crate::error::{Category, categorize};

#[cfg(test)]
mod tests;

/// One watch request lasts at most this long: shorter than the idle timeouts of common load balancers
/// (240 s), so that a flow that was dropped silently is noticed.
pub const WATCH_TIMEOUT_SECONDS: u32 = 200;

/// Waits after failures of one watch. The cap is what a healed cluster may wait for its watch, so it is short.
const WATCH_BACKOFF: Backoff = Backoff { first: Duration::from_millis(500), cap: Duration::from_secs(8) };

/// What a watch tells of.
pub trait Listener<K>: Send {
    /// An event came in.
    fn event(&mut self, event: watcher::Event<K>);
    /// The watch failed and will try again; `message` holds all causes.
    fn failure(&mut self, category: Category, message: &str);
    /// So many objects were refused because no apiserver can have stored them; a failure follows.
    fn refused(&mut self, _objects: u64) {}
}

/// The configuration that all watches share.
pub fn watch_config() -> watcher::Config {
    watcher::Config::default().timeout(WATCH_TIMEOUT_SECONDS)
}

/// Feeds a watch stream to its listener for ever. After a failure it waits with backoff; `jitter` draws a
/// number from 0 to 1, and `pause` waits so long, or otherwise, so that a whole cluster's watches come back together
/// when its probe says that the cluster is back.
pub async fn run_watch<K, F>(
    stream: impl Stream<Item = watcher::Result<watcher::Event<K>>>,
    mut listener: impl Listener<K>,
    jitter: impl Fn() -> f64,
    pause: impl Fn(Duration) -> F,
) where
    K: Debug,
    F: Future<Output = ()>,
{
    let mut stream = std::pin::pin!(stream);
    let mut failures = 0;
    let mut expired = false;
    while let Some(item) = stream.next().await {
        match item {
            Ok(event) => {
                // `Init` comes before the listing is even asked for, so it is no sign of health.
                if !matches!(event, watcher::Event::Init) {
                    failures = 0;
                    expired = false;
                }
                listener.event(event);
            }
            Err(error) => {
                // An expired resourceVersion (410) is how the apiserver asks for a new list: no fault, unless
                // it does nothing else.
                if is_expired(&error) && !std::mem::replace(&mut expired, true) {
                    continue;
                }
                failures += 1;
                if let Some(refused) = refused_in(&error) {
                    listener.refused(refused.count);
                }
                listener.failure(watch_category(&error), &Chain(&error).to_string());
                pause(WATCH_BACKOFF.delay(failures, jitter())).await;
            }
        }
    }
}

/// HTTP 410.
const GONE: u16 = 410;

fn is_expired(error: &watcher::Error) -> bool {
    matches!(error, watcher::Error::WatchError(status) if status.code == GONE)
}

pub(crate) fn watch_category(error: &watcher::Error) -> Category {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => categorize(error),
        watcher::Error::WatchError(status) => categorize(&kube::Error::Api(status.clone())),
        watcher::Error::NoResourceVersion => Category::Malformed,
    }
}
