//! The clusters that are registered now, and which cluster each of them really is. It runs nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use homebase_core::{ClusterId, ClusterUid};
use homebase_fleet::findings::Unusable;
use homebase_fleet::session::Session;
use homebase_kubeconfig::Validity;
use jiff::Timestamp;
use tokio::sync::Notify;

use crate::reconcile::{Reconciler, Tally};
use crate::signals::Signals;

#[cfg(test)]
mod tests;

/// The registration Secret of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretRef {
    /// Its name, in the hub's namespace.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// Its resource version.
    pub resource_version: String,
    /// When it was created: the older of two registrations wins.
    pub created: Timestamp,
}

impl SecretRef {
    /// The order in which registrations win.
    pub fn seniority(&self) -> (Timestamp, &str) {
        (self.created, &self.name)
    }
}

/// What is known of a registered cluster.
#[derive(Clone, Debug)]
pub enum View {
    /// Its registration cannot be used.
    Unusable(Unusable),
    /// Its registration says that it is not to be worked on; with the reason in words.
    Paused(String),
    /// Its session says so.
    Session(Box<Session>),
}

/// Counters of one cluster, for metrics.
#[derive(Debug, Default)]
pub struct ClusterCounters {
    /// Requests by the class of their answer: 1xx … 5xx, then those without an answer.
    pub requests: [AtomicU64; 6],
    /// Probes that were answered.
    pub probes_succeeded: AtomicU64,
    /// Probes that failed.
    pub probes_failed: AtomicU64,
    /// Objects that were refused because no Kubernetes apiserver can have stored them.
    pub objects_refused: Arc<AtomicU64>,
    /// Tasks that run for the cluster now.
    pub tasks: AtomicI64,
}

/// The place of a request without an answer in [`ClusterCounters::requests`].
pub const NO_ANSWER: usize = 5;

impl ClusterCounters {
    /// Notes a request.
    pub fn request(&self, status: Option<http::StatusCode>) {
        let class = status.map_or(NO_ANSWER, |status| usize::from(status.as_u16() / 100).clamp(1, 5) - 1);
        self.requests[class].fetch_add(1, Ordering::Relaxed);
    }
}

/// One registered cluster.
pub struct Cluster {
    /// Its name.
    pub id: ClusterId,
    /// Its registration.
    pub secret: SecretRef,
    /// Its counters.
    pub counters: ClusterCounters,
    /// What its requests tell its session.
    pub(crate) signals: Signals,
    view: RwLock<View>,
    working: RwLock<Option<Working>>,
    shown: RwLock<Shown>,
    /// The identity that the cluster must have, once it is known: what the hub remembers when the record is lost.
    pin: RwLock<Option<ClusterUid>>,
    /// Notified when the cluster's identity was taken over by an older registration.
    pub(crate) displaced: Notify,
    /// Notified when the session's client got other credentials.
    pub(crate) rotated: Notify,
}

/// What a registration says of itself; it may change while the session goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// Host and port of its apiserver, when the registration says it.
    pub server: Option<String>,
    /// The resource version of its Secret.
    pub resource_version: String,
    /// Why its newest kubeconfig is not used while an older one goes on working.
    pub rejected_rotation: Option<String>,
    /// Settings of the registration that cannot be carried out as they are, in words.
    pub faults: Vec<String>,
    /// The namespaces in which it is worked on, in words; none when that is everywhere.
    pub restricted_to: Option<String>,
    /// In which time its credentials can be used, as they say themselves.
    pub validity: Validity,
    /// Why its session goes on although its registration is missing; none when the registration is there.
    pub missing: Option<String>,
}

/// What runs for a cluster that is worked on.
#[derive(Clone)]
pub(crate) struct Working {
    pub(crate) reconcilers: Vec<Arc<dyn Reconciler>>,
    pub(crate) backlog: Arc<dyn Fn() -> (usize, f64) + Send + Sync>,
    pub(crate) watches: usize,
}

impl Cluster {
    /// A cluster that was registered just now.
    pub fn new(id: ClusterId, secret: SecretRef, server: Option<String>, view: View) -> Arc<Self> {
        let resource_version = secret.resource_version.clone();
        Arc::new(Self {
            id,
            secret,
            shown: RwLock::new(Shown { server, resource_version, ..Shown::default() }),
            counters: ClusterCounters::default(),
            signals: Signals::default(),
            view: RwLock::new(view),
            working: RwLock::new(None),
            pin: RwLock::new(None),
            displaced: Notify::new(),
            rotated: Notify::new(),
        })
    }

    /// What is known of it now.
    pub fn view(&self) -> View {
        self.view.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What its registration says of itself now.
    pub fn shown(&self) -> Shown {
        self.shown.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// True when that was a change.
    pub(crate) fn show(&self, change: impl FnOnce(&mut Shown)) -> bool {
        let mut shown = self.shown.write().unwrap_or_else(PoisonError::into_inner);
        let before = shown.clone();
        change(&mut shown);
        *shown != before
    }

    pub(crate) fn set_view(&self, view: View) {
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = view;
    }

    /// The identity that the cluster must have; none before the first contact.
    pub(crate) fn pin(&self) -> Option<ClusterUid> {
        self.pin.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_pin(&self, pin: ClusterUid) {
        *self.pin.write().unwrap_or_else(PoisonError::into_inner) = Some(pin);
    }

    pub(crate) fn set_working(&self, working: Option<Working>) {
        *self.working.write().unwrap_or_else(PoisonError::into_inner) = working;
    }

    pub(crate) fn working(&self) -> Option<Working> {
        self.working.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The figures of each kind; empty while nothing is known for sure.
    pub fn tallies(&self) -> Vec<Tally> {
        let working = self.working();
        working
            .iter()
            .flat_map(|working| &working.reconcilers)
            .filter_map(|reconciler| reconciler.tally())
            .collect()
    }
}

/// Whether a cluster is free to be worked on under a registration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is.
    Granted,
    /// An older registration has it.
    HeldBy(ClusterId),
}

/// All registered clusters.
#[derive(Default)]
pub struct Registry {
    clusters: DashMap<ClusterId, Arc<Cluster>>,
    identities: DashMap<ClusterUid, Arc<Cluster>>,
}

impl Registry {
    /// The cluster of that name.
    pub fn get(&self, id: &ClusterId) -> Option<Arc<Cluster>> {
        self.clusters.get(id).map(|entry| entry.value().clone())
    }

    /// How many clusters have a session: neither paused nor unusable ones.
    pub fn sessions(&self) -> usize {
        self.clusters.iter().filter(|entry| matches!(entry.value().view(), View::Session(_))).count()
    }

    /// All clusters in the order of their names.
    pub fn all(&self) -> Vec<Arc<Cluster>> {
        let mut all: Vec<_> = self.clusters.iter().map(|entry| entry.value().clone()).collect();
        all.sort_by(|a, b| a.id.cmp(&b.id));
        all
    }

    pub(crate) fn insert(&self, cluster: Arc<Cluster>) {
        self.clusters.insert(cluster.id.clone(), cluster);
    }

    /// Removes a cluster, unless another registration took its name meanwhile.
    pub(crate) fn remove(&self, cluster: &Arc<Cluster>) {
        self.clusters.remove_if(&cluster.id, |_, current| Arc::ptr_eq(current, cluster));
        self.release(cluster);
    }

    /// Claims a real cluster for a registration. The older registration wins; a younger one that had it is
    /// told to let go.
    pub(crate) fn claim(&self, uid: &ClusterUid, cluster: &Arc<Cluster>) -> Claim {
        match self.identities.entry(uid.clone()) {
            Entry::Vacant(vacant) => {
                vacant.insert(cluster.clone());
                Claim::Granted
            }
            Entry::Occupied(mut occupied) => {
                let holder = occupied.get().clone();
                if Arc::ptr_eq(&holder, cluster) {
                    return Claim::Granted;
                }
                if holder.secret.seniority() <= cluster.secret.seniority() {
                    return Claim::HeldBy(holder.id.clone());
                }
                occupied.insert(cluster.clone());
                holder.displaced.notify_one();
                Claim::Granted
            }
        }
    }

    /// Gives back what a registration had claimed.
    pub(crate) fn release(&self, cluster: &Arc<Cluster>) {
        self.identities.retain(|_, holder| !Arc::ptr_eq(holder, cluster));
    }
}
