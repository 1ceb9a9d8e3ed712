//! The ConfigMaps of users that `spec.configSource` names: one narrow watch for each that is named, and none
//! for any other, so that a cluster full of ConfigMaps costs nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures::StreamExt as _;
use futures::future::{AbortHandle, Abortable};
use futures::stream::FuturesUnordered;
use homebase_core::ObjectKey;
use homebase_iris::cluster::ConfigTexts;
use homebase_kube::budget::{Budget, Weight};
use homebase_kube::relist::watch_objects;
use homebase_kube::watch::{Listener, run_watch, watch_config};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::runtime::watcher::Event;
use kube::{Api, Client};
use tokio::sync::{mpsc, watch};

use crate::reconcile::{Engagement, Watch};
use crate::watching::{Watching, until_ready};

#[cfg(test)]
mod tests;

/// What is known of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// Nobody has listed it yet.
    Unknown,
    /// It does not exist.
    Missing,
    /// It holds this.
    Found(ConfigTexts),
}

#[derive(Default)]
struct Inner {
    known: BTreeMap<ObjectKey, Source>,
    watches: BTreeMap<ObjectKey, AbortHandle>,
}

/// The sources of one cluster.
#[derive(Clone)]
pub(super) struct Sources {
    inner: Arc<Mutex<Inner>>,
    requests: mpsc::UnboundedSender<(ObjectKey, futures::future::AbortRegistration)>,
}

pub(super) type Requests = mpsc::UnboundedReceiver<(ObjectKey, futures::future::AbortRegistration)>;

impl Sources {
    /// Sources of which none is watched yet, and the requests that `run` serves. The channel is unbounded
    /// because it holds one entry for each named source at most.
    pub(super) fn new() -> (Self, Requests) {
        let (requests, served) = mpsc::unbounded_channel();
        (Self { inner: Arc::default(), requests }, served)
    }

    /// What is known of a source. The first question starts its watch, which wakes the one who asked.
    pub(super) fn get(&self, key: &ObjectKey) -> Source {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = inner.known.get(key) {
            return known.clone();
        }
        let (handle, registration) = AbortHandle::new_pair();
        inner.known.insert(key.clone(), Source::Unknown);
        inner.watches.insert(key.clone(), handle);
        // An error means that the session is ending, and nobody will read the answer.
        drop(self.requests.send((key.clone(), registration)));
        Source::Unknown
    }

    /// Ends the watches of sources that nobody names any more.
    pub(super) fn retain(&self, named: &BTreeSet<ObjectKey>) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.known.retain(|key, _| named.contains(key));
        inner.watches.retain(|key, handle| {
            let keep = named.contains(key);
            if !keep {
                handle.abort();
            }
            keep
        });
    }

    /// The task that runs the watches; `wake` is called with a source that changed.
    pub(super) fn watch(
        &self,
        engagement: &Engagement,
        requests: Requests,
        wake: impl Fn(&ObjectKey) + Clone + Send + Sync + 'static,
    ) -> Watch {
        let Watching { reachable, board, budget, .. } = engagement.watching.clone();
        let (client, refused) = (engagement.client.clone(), board.refused.clone());
        Watch {
            kind: "config sources",
            run: Box::pin(self.clone().run((client, budget), reachable, refused, requests, wake)),
        }
    }

    async fn run(
        self,
        (client, budget): (Client, Arc<Budget>),
        reachable: watch::Receiver<bool>,
        refused: Arc<AtomicU64>,
        mut requests: Requests,
        wake: impl Fn(&ObjectKey) + Clone + Send + Sync + 'static,
    ) {
        let mut running = FuturesUnordered::new();
        loop {
            tokio::select! {
                request = requests.recv() => {
                    let Some((key, registration)) = request else { return };
                    let objects: Api<ConfigMap> = Api::namespaced(client.clone(), &key.namespace);
                    let config = watch_config().fields(&format!("metadata.name={}", key.name));
                    let refused = refused.clone();
                    let feed = Feed { sources: self.clone(), key, seen: None, wake: wake.clone(), refused };
                    let reachable = reachable.clone();
                    let pause = move |delay| until_ready(delay, reachable.clone());
                    let stream = watch_objects(objects, config, &budget, Weight::WHOLE);
                    let watch = run_watch(stream, feed, fastrand::f64, pause);
                    running.push(Abortable::new(watch, registration));
                }
                Some(_) = running.next(), if !running.is_empty() => {}
            }
        }
    }

    fn set(&self, key: &ObjectKey, source: Source) -> bool {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        match inner.known.get_mut(key) {
            Some(known) if *known != source => {
                *known = source;
                true
            }
            _ => false,
        }
    }
}

struct Feed<W> {
    sources: Sources,
    key: ObjectKey,
    /// What the listing that runs has brought.
    seen: Option<Source>,
    wake: W,
    /// Counts objects that no apiserver can have stored.
    refused: Arc<AtomicU64>,
}

impl<W: Fn(&ObjectKey) + Send> Listener<ConfigMap> for Feed<W> {
    fn event(&mut self, event: Event<ConfigMap>) {
        let next = match event {
            Event::Init => {
                self.seen = None;
                None
            }
            Event::InitApply(object) => {
                self.seen = Some(Source::Found(ConfigTexts::from(&object)));
                None
            }
            Event::InitDone => Some(self.seen.take().unwrap_or(Source::Missing)),
            Event::Apply(object) => Some(Source::Found(ConfigTexts::from(&object))),
            Event::Delete(_) => Some(Source::Missing),
        };
        if let Some(next) = next
            && self.sources.set(&self.key, next)
        {
            (self.wake)(&self.key);
        }
    }

    fn refused(&mut self, objects: u64) {
        self.refused.fetch_add(objects, Ordering::Relaxed);
    }

    fn failure(&mut self, category: homebase_kube::Category, message: &str) {
        tracing::warn!(configmap = %self.key, category = category.as_str(), error = message, "config source not watched");
    }
}
