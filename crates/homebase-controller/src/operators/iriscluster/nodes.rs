//! The zones of the nodes of one cluster, from one watch of their metadata that begins with the first IrisCluster. It
//! keeps nothing else of a node, and it holds up nothing: where nodes cannot be read, zones are unknown.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use homebase_api::labels::ZONE;
use homebase_core::Namespaces;
use homebase_iris::cluster::{NodeZones, Unread};
use homebase_kube::Category;
use homebase_kube::budget::Weight;
use homebase_kube::relist::watch_objects;
use homebase_kube::watch::{Listener, run_watch, watch_config};
use k8s_openapi::api::core::v1::Node;
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::Event;
use kube::{Api, ResourceExt as _};
use tokio::sync::Notify;

use crate::reconcile::{Engagement, Watch};
use crate::watching::{pause_of, until_ready};

#[cfg(test)]
mod tests;

/// How long anybody waits for the first listing: after that zones are unknown until it comes. A listing takes
/// milliseconds, so this is for clusters whose nodes cannot be listed at all.
const PATIENCE: Duration = Duration::from_secs(3);

/// The zone of a node that is there: not every node has one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Zone(Option<Arc<str>>);

/// What is known of the nodes.
#[derive(Debug, PartialEq, Eq)]
enum Known {
    /// Nobody has asked.
    Idle,
    /// The watch has begun.
    Pending,
    /// Nothing, and why.
    Unread(Unread),
    /// The zone of each.
    Zones(HashMap<String, Zone>),
}

struct Shared {
    known: Mutex<Known>,
    asked: Notify,
}

/// Whom news of nodes concerns.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Concerned {
    /// Everybody.
    All,
    /// What runs on these nodes.
    On(BTreeSet<String>),
}

/// The nodes of one cluster.
#[derive(Clone)]
pub(super) struct Nodes(Arc<Shared>);

impl Nodes {
    /// Nodes that nobody has asked for yet. They are in no namespace, so a registration for some does without.
    pub(super) fn new(namespaces: &Namespaces) -> Self {
        let known = match namespaces {
            Namespaces::All => Known::Idle,
            Namespaces::Only(_) => Known::Unread(Unread::Restricted),
        };
        Self(Arc::new(Shared { known: Mutex::new(known), asked: Notify::new() }))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to read them, unless that was done before.
    pub(super) fn start(&self) {
        let mut known = self.known();
        if *known == Known::Idle {
            *known = Known::Pending;
            self.0.asked.notify_one();
        }
    }

    /// The zones of some nodes; none while the first listing is under way, whose end wakes everybody.
    pub(super) fn zones_of<'a>(&self, names: impl Iterator<Item = &'a String>) -> Option<NodeZones> {
        self.start();
        match &*self.known() {
            Known::Idle | Known::Pending => None,
            Known::Unread(why) => Some(NodeZones::Unread(why.clone())),
            Known::Zones(zones) => {
                let zone =
                    |name: &String| Some((name.clone(), zones.get(name)?.0.as_deref().map(str::to_owned)));
                Some(NodeZones::Known(names.filter_map(zone).collect::<BTreeMap<_, _>>()))
            }
        }
    }

    /// The task that reads nodes once somebody asks; `wake` is called with whom news concerns.
    pub(super) fn watch(
        &self,
        engagement: &Engagement,
        wake: impl Fn(Concerned) + Clone + Send + Sync + 'static,
    ) -> Watch {
        let (client, reachable) = (engagement.client.clone(), engagement.watching.reachable.clone());
        let (nodes, refused) = (self.clone(), engagement.watching.board.refused.clone());
        let budget = engagement.watching.budget.clone();
        let run = async move {
            nodes.0.asked.notified().await;
            let mut feed = Feed::new(nodes.clone(), wake.clone());
            feed.refused = refused;
            let forbidden = feed.forbidden.clone();
            let pause = move |delay: Duration| {
                until_ready(pause_of(delay, forbidden.load(Ordering::Relaxed)), reachable.clone())
            };
            let api: Api<PartialObjectMeta<Node>> = Api::all(client);
            let stream = watch_objects(api, watch_config(), &budget, Weight::VIEW);
            // In a box: most clusters wait here only, and a future is as large as its largest state.
            let watch = Box::pin(run_watch(stream, feed, fastrand::f64, pause));
            tokio::join!(watch, nodes.end_patience(wake));
        };
        Watch { kind: "nodes", run: Box::pin(run) }
    }

    async fn end_patience(&self, wake: impl Fn(Concerned)) {
        tokio::time::sleep(PATIENCE).await;
        self.fail(Unread::Failed(Category::ResponseTimeout.as_str()), &wake);
    }

    /// Takes note that nodes cannot be read. What was read before stays, for nodes do not move; but a right that was
    /// withdrawn is told.
    fn fail(&self, why: Unread, wake: &impl Fn(Concerned)) {
        let mut known = self.known();
        let is_news = match &*known {
            Known::Pending => true,
            // Not each other word for a failure that goes on.
            Known::Unread(before) => why == Unread::Forbidden && *before != why,
            Known::Zones(_) => why == Unread::Forbidden,
            Known::Idle => false,
        };
        if is_news {
            *known = Known::Unread(why);
            drop(known);
            wake(Concerned::All);
        }
    }

    /// Takes a whole listing.
    fn replace(&self, listed: HashMap<String, Zone>) -> Option<Concerned> {
        let mut known = self.known();
        let concerned = match &*known {
            Known::Zones(before) => {
                let names = before.keys().chain(listed.keys());
                let changed = names.filter(|name| before.get(*name) != listed.get(*name));
                Concerned::On(changed.cloned().collect())
            }
            _ => Concerned::All,
        };
        *known = Known::Zones(listed);
        (concerned != Concerned::On(BTreeSet::new())).then_some(concerned)
    }

    /// Takes news of one node: its zone, or none when it is gone.
    fn change(&self, name: String, zone: Option<Zone>) -> Option<Concerned> {
        let mut known = self.known();
        let Known::Zones(zones) = &mut *known else { return None };
        let is_news = zones.get(&name) != zone.as_ref();
        match zone {
            Some(zone) => drop(zones.insert(name.clone(), zone)),
            None => drop(zones.remove(&name)),
        }
        is_news.then(|| Concerned::On(BTreeSet::from([name])))
    }
}

struct Feed<W> {
    nodes: Nodes,
    /// What the listing that runs has brought.
    seen: Option<HashMap<String, Zone>>,
    wake: W,
    /// Whether the last try was refused.
    forbidden: Arc<AtomicBool>,
    /// Whether nothing has failed since the last listing.
    listed: bool,
    /// Counts objects that no apiserver can have stored.
    refused: Arc<AtomicU64>,
}

impl<W: Fn(Concerned)> Feed<W> {
    fn new(nodes: Nodes, wake: W) -> Self {
        Self { nodes, seen: None, wake, forbidden: Arc::default(), listed: false, refused: Arc::default() }
    }

    /// The zone of a node; those of one zone share its name.
    fn zone_of(&self, node: &PartialObjectMeta<Node>) -> Zone {
        let Some(zone) = node.labels().get(ZONE).filter(|zone| !zone.is_empty()) else { return Zone(None) };
        let is_it = |known: &&Arc<str>| known.as_ref() == zone;
        let shared =
            |zones: &HashMap<_, Zone>| zones.values().filter_map(|zone| zone.0.as_ref()).find(is_it).cloned();
        let known = match &self.seen {
            Some(seen) => shared(seen),
            None => match &*self.nodes.known() {
                Known::Zones(zones) => shared(zones),
                _ => None,
            },
        };
        Zone(Some(known.unwrap_or_else(|| Arc::from(zone.as_str()))))
    }
}

impl<W: Fn(Concerned) + Send> Listener<PartialObjectMeta<Node>> for Feed<W> {
    fn event(&mut self, event: Event<PartialObjectMeta<Node>>) {
        let concerned = match event {
            Event::Init => {
                self.seen = Some(HashMap::new());
                None
            }
            Event::InitApply(node) => {
                let zone = self.zone_of(&node);
                self.seen.get_or_insert_default().insert(node.name_any(), zone);
                None
            }
            Event::InitDone => {
                self.forbidden.store(false, Ordering::Relaxed);
                self.listed = true;
                self.nodes.replace(self.seen.take().unwrap_or_default())
            }
            Event::Apply(node) => {
                let zone = self.zone_of(&node);
                self.nodes.change(node.name_any(), Some(zone))
            }
            Event::Delete(node) => self.nodes.change(node.name_any(), None),
        };
        if let Some(concerned) = concerned {
            (self.wake)(concerned);
        }
    }

    fn refused(&mut self, objects: u64) {
        self.refused.fetch_add(objects, Ordering::Relaxed);
    }

    fn failure(&mut self, category: Category, message: &str) {
        tracing::debug!(category = category.as_str(), error = message, "nodes not watched");
        self.forbidden.store(category == Category::Forbidden, Ordering::Relaxed);
        // Who may list but not watch has what was listed just now, and the next listing brings it up to date.
        if std::mem::take(&mut self.listed) && category == Category::Forbidden {
            return;
        }
        let why = match category {
            Category::Forbidden => Unread::Forbidden,
            other => Unread::Failed(other.as_str()),
        };
        self.nodes.fail(why, &self.wake);
    }
}
