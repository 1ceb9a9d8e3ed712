//! Starts the watches of one cluster and keeps account of which have listed what there is. A watch that
//! fails is told here; it stops no other.

use std::collections::BTreeMap;
use std::fmt::{self, Debug};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::Stream;
use homebase_core::{NamespaceName, Namespaces};
use homebase_kube::budget::{Budget, Weight};
use homebase_kube::error::Category;
use homebase_kube::relist::watch_objects;
use homebase_kube::watch::{Listener, run_watch, watch_config};
use kube::core::NamespaceResourceScope;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::reconcile::Watch;
use crate::store::{Change, EVERYWHERE, Store};

#[cfg(test)]
mod tests;

/// A watch that failed this long ago and has not failed since is taken to be well again: kube's watcher does
/// not tell of a watch that was resumed.
const FAILURE_MEMORY: Duration = Duration::from_secs(30);
/// Failures in a row after which a watch counts as broken: apiservers end watches now and then.
const FAILURES_UNTIL_BROKEN: u32 = 3;
/// Between two tries of what is not allowed: somebody may be allowing it, and nothing depends on it.
pub(crate) const FORBIDDEN_PAUSE: Duration = Duration::from_secs(60);
/// As many watches as are named in words, which end up in a condition; the rest is counted.
const MAX_NAMED: usize = 12;

/// What one watch is of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    kind: &'static str,
    /// None for all namespaces.
    namespace: Option<NamespaceName>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} in {namespace}", self.kind),
            None => f.write_str(self.kind),
        }
    }
}

#[derive(Default)]
struct Progress {
    listed: bool,
    failures: u32,
    last_failure: Option<(Instant, Category)>,
    /// The hub may not watch it, and goes on without it.
    waived: bool,
    /// Why what is known is not complete until the next listing is, in words.
    incomplete: Option<(Category, String)>,
}

/// Which watches of a cluster have listed what there is, and which fail.
#[derive(Default)]
pub struct SyncBoard {
    progress: Mutex<BTreeMap<Place, Progress>>,
    /// Notified when something changed.
    pub changed: Notify,
    /// Objects that were refused since the cluster was registered.
    pub(crate) refused: Arc<AtomicU64>,
}

impl SyncBoard {
    /// A board that counts refused objects where they are counted for good.
    pub(crate) fn counting(refused: Arc<AtomicU64>) -> Self {
        Self { refused, ..Self::default() }
    }

    fn update(&self, place: &Place, change: impl FnOnce(&mut Progress)) {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        change(progress.entry(place.clone()).or_default());
        drop(progress);
        self.changed.notify_one();
    }

    /// Takes note that the cluster answers. `again` says that it did not before: what failed meanwhile is
    /// forgotten, for nothing tells of a watch that was resumed, and one that was not will fail anew.
    pub fn answered(&self, again: bool) {
        let mut all = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        let failed: Vec<_> = all.values_mut().filter(|progress| progress.last_failure.is_some()).collect();
        if failed.is_empty() {
            return;
        }
        if again {
            for progress in failed {
                (progress.failures, progress.last_failure) = (0, None);
            }
        }
        drop(all);
        // Failures grow old by themselves too, so have somebody look.
        self.changed.notify_one();
    }

    /// In words, which watches are not in sync; none when all are.
    pub fn missing(&self) -> Option<String> {
        let progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        let mut missing: Vec<String> =
            progress.iter().filter_map(|(place, progress)| progress.describe(place)).collect();
        if missing.len() > MAX_NAMED {
            let more = missing.split_off(MAX_NAMED).len();
            missing.push(format!("and {more} more"));
        }
        (!missing.is_empty()).then(|| missing.join(", "))
    }

    /// How many watches there are.
    pub fn watches(&self) -> usize {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl Progress {
    fn describe(&self, place: &Place) -> Option<String> {
        if self.waived {
            return None;
        }
        if let Some((category, why)) = &self.incomplete {
            return Some(format!("{place} ({}: {why})", category.as_str()));
        }
        let failing = self.last_failure.filter(|(since, _)| since.elapsed() < FAILURE_MEMORY);
        match failing {
            Some((_, category)) if !self.listed || self.failures >= FAILURES_UNTIL_BROKEN => {
                Some(format!("{place} ({})", category.as_str()))
            }
            _ if !self.listed => Some(place.to_string()),
            _ => None,
        }
    }
}

/// What can be watched here: any kind of object in a namespace.
pub trait Watched:
    Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned + Send + 'static
{
}

impl<K> Watched for K where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned
        + Send
        + 'static
{
}

/// Starts watches on one cluster.
#[derive(Clone)]
pub struct Watching {
    /// Where objects are watched, and nowhere else.
    pub(crate) namespaces: Arc<Namespaces>,
    pub(crate) board: Arc<SyncBoard>,
    pub(crate) reachable: watch::Receiver<bool>,
    /// Notified when a watch fails in a way that makes one doubt the cluster.
    pub(crate) doubt: Arc<Notify>,
    /// Notified when the cluster does not serve a kind, as when somebody deletes its CRD.
    pub(crate) unserved: Arc<Notify>,
    /// The memory for what is watched.
    pub(crate) budget: Arc<Budget>,
}

impl Watching {
    /// Watches of objects that feed a store: one of all namespaces, or one for each of those that the cluster is restricted
    /// to. With `PartialObjectMeta` for the kind they ask for metadata only. Without a right that is optional `on_change` is
    /// called once with no changes, and the store is settled without being readable.
    pub fn objects<K, V>(
        &self,
        client: &Client,
        subject: Subject<'_>,
        store: &Store<V>,
        view: fn(&K) -> V,
        on_change: impl FnMut(Vec<Change<V>>) + Clone + Send + 'static,
    ) -> Vec<Watch>
    where
        K: Watched,
        V: Clone + PartialEq + Send + Sync + 'static,
    {
        let Subject { kind, selector, grant, weight } = subject;
        // Before any of them runs: the store is in sync when the last of them has listed.
        store.expect(self.namespaces.names().map(NamespaceName::as_str));
        let watch = |namespace: Option<&NamespaceName>| {
            let api = match namespace {
                Some(namespace) => Api::<K>::namespaced(client.clone(), namespace.as_str()),
                None => Api::<K>::all(client.clone()),
            };
            let place = Place { kind, namespace: namespace.cloned() };
            self.board.update(&place, |_| {});
            let feed = Feed {
                watching: self.clone(),
                place,
                store: store.clone(),
                view,
                on_change: on_change.clone(),
                grant,
                forbidden: Arc::default(),
                failing: false,
            };
            self.run(kind, watch_objects(api, config(selector), &self.budget, weight), feed)
        };
        match self.namespaces.as_ref() {
            Namespaces::All => vec![watch(None)],
            Namespaces::Only(names) => names.iter().map(|name| watch(Some(name))).collect(),
        }
    }

    fn run<K, V>(
        &self,
        kind: &'static str,
        stream: impl Stream<Item = watcher::Result<Event<K>>> + Send + 'static,
        feed: Feed<K, V, impl FnMut(Vec<Change<V>>) + Send + 'static>,
    ) -> Watch
    where
        K: Resource<DynamicType = ()> + std::fmt::Debug + Send + 'static,
        V: Clone + PartialEq + Send + Sync + 'static,
    {
        let reachable = self.reachable.clone();
        let forbidden = feed.forbidden.clone();
        let pause =
            move |delay| until_ready(pause_of(delay, forbidden.load(Ordering::Relaxed)), reachable.clone());
        Watch { kind, run: Box::pin(run_watch(stream, feed, fastrand::f64, pause)) }
    }
}

/// What is watched.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    kind: &'static str,
    selector: Option<&'a str>,
    grant: Grant,
    weight: Weight,
}

impl<'a> Subject<'a> {
    /// All objects of a kind, which is named here for people.
    pub fn of(kind: &'static str) -> Self {
        Self { kind, selector: None, grant: Grant::Required, weight: Weight::VIEW }
    }

    /// Those that a label selector selects.
    #[must_use]
    pub fn selected_by(self, selector: &'a str) -> Self {
        Self { selector: Some(selector), ..self }
    }

    /// The same of a kind of which more is kept than a view.
    #[must_use]
    pub fn weighing(self, weight: Weight) -> Self {
        Self { weight, ..self }
    }

    /// The same for what work goes on without where the hub lacks the right to list it.
    #[must_use]
    pub fn if_granted(self) -> Self {
        Self { grant: Grant::Optional, ..self }
    }
}

/// Whether work goes on without the right to watch something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Grant {
    /// It does not.
    Required,
    /// It does.
    Optional,
}

/// How long what failed waits, by its backoff and whether it was forbidden and nothing depends on it.
pub(crate) fn pause_of(backoff: Duration, forbidden: bool) -> Duration {
    if forbidden { backoff.max(FORBIDDEN_PAUSE) } else { backoff }
}

/// Waits as long as a failed watch has to: until the cluster answers again, or for the backoff where it has never ceased
/// to.
pub(crate) async fn until_ready(delay: Duration, mut reachable: watch::Receiver<bool>) {
    reachable.mark_unchanged();
    tokio::select! {
        () = tokio::time::sleep(delay) => {}
        // Whatever failed, it failed of what is over now. An error means that the session is gone, and this watch will
        // be dropped with it.
        _ = reachable.changed() => {}
    }
    drop(reachable.wait_for(|reachable| *reachable).await);
}

fn config(selector: Option<&str>) -> watcher::Config {
    let config = watch_config();
    match selector {
        Some(selector) => config.labels(selector),
        None => config,
    }
}

struct Feed<K, V, F> {
    watching: Watching,
    place: Place,
    store: Store<V>,
    view: fn(&K) -> V,
    on_change: F,
    grant: Grant,
    /// Whether there is no hurry to try again: work goes on without it, or its objects need too much memory.
    forbidden: Arc<AtomicBool>,
    failing: bool,
}

impl<K, V, F> Feed<K, V, F>
where
    V: Clone + PartialEq,
    F: FnMut(Vec<Change<V>>),
{
    /// Goes on without what the hub has no right to list.
    fn waive(&mut self) {
        self.watching.board.update(&self.place, |progress| progress.waived = true);
        let namespace = self.place.namespace.as_ref().map_or(EVERYWHERE, NamespaceName::as_str);
        if self.store.refuse(namespace) {
            (self.on_change)(Vec::new());
        }
    }
}

impl<K, V, F> Listener<K> for Feed<K, V, F>
where
    K: Resource<DynamicType = ()> + Send,
    V: Clone + PartialEq + Send + Sync,
    F: FnMut(Vec<Change<V>>) + Send,
{
    fn event(&mut self, event: Event<K>) {
        let listed = matches!(event, Event::InitDone);
        // kube's watcher says `Init` before it asks for the listing, so it is no sign of health.
        if !matches!(event, Event::Init) && std::mem::take(&mut self.failing) {
            self.watching.board.update(&self.place, |progress| progress.failures = 0);
        }
        let changes = match &self.place.namespace {
            Some(namespace) => self.store.on_in(namespace.as_str(), event, self.view),
            None => self.store.on(event, self.view),
        };
        if listed {
            self.watching.board.update(&self.place, |progress| {
                *progress = Progress { listed: true, ..Progress::default() };
            });
        }
        // Called for a complete listing even when nothing changed: it may be what somebody waited for.
        if listed || !changes.is_empty() {
            (self.on_change)(changes);
        }
    }

    fn refused(&mut self, objects: u64) {
        self.watching.board.refused.fetch_add(objects, Ordering::Relaxed);
    }

    fn failure(&mut self, category: Category, message: &str) {
        self.failing = true;
        tracing::debug!(watch = %self.place, category = category.as_str(), error = message, "watch failed");
        self.watching.board.update(&self.place, |progress| {
            progress.failures = progress.failures.saturating_add(1);
            progress.last_failure = Some((Instant::now(), category));
            if matches!(category, Category::Inadmissible | Category::OverBudget) {
                progress.incomplete = Some((category, message.to_owned()));
            }
            if category == Category::OverBudget {
                progress.listed = false;
            }
        });
        let is_waived = category == Category::Forbidden && self.grant == Grant::Optional;
        self.forbidden.store(is_waived || category == Category::OverBudget, Ordering::Relaxed);
        match category {
            Category::Forbidden if is_waived => self.waive(),
            Category::OverBudget => {
                let namespace = self.place.namespace.as_ref().map_or(EVERYWHERE, NamespaceName::as_str);
                self.store.forget(namespace);
            }
            Category::NotFound => self.watching.unserved.notify_one(),
            Category::Forbidden | Category::Throttled | Category::Inadmissible => {}
            _ => self.watching.doubt.notify_one(),
        }
    }
}
