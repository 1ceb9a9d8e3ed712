//! The seam between a session and what it operates: a workload plugs its reconcilers in here. Nothing in this
//! file, or in the session, knows of IRIS.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use homebase_core::{Chain, ClusterId, ObjectKey, Retry};
use homebase_kube::claim::HubClaim;
use homebase_kube::event::Events;
use homebase_kube::permissions::Need;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Client;

use crate::brake::FleetBrake;
use crate::metrics::Metrics;
use crate::queue::Priority;
use crate::watching::Watching;

/// What the hub operates on every work cluster.
pub trait Workload: Send + Sync + 'static {
    /// The CRDs that each work cluster must serve.
    fn crds(&self) -> &'static [CustomResourceDefinition];
    /// The claim of this hub on each cluster, which its CRDs bear there; none when hubs may share a cluster.
    fn claim(&self) -> Option<&HubClaim> {
        None
    }
    /// The rights that the session and the reconcilers need on each work cluster.
    fn needs(&self) -> &'static [Need];
    /// The names of the controllers, in the order of `engage`.
    fn controllers(&self) -> &'static [&'static str];
    /// The reconcilers for one cluster, one for each controller.
    fn engage(&self, cluster: &Engagement) -> Vec<Arc<dyn Reconciler>>;
}

/// What a reconciler gets of the cluster that it works on.
#[derive(Clone)]
pub struct Engagement {
    /// The name of the cluster.
    pub cluster: ClusterId,
    /// The client of this cluster and of no other.
    pub client: Client,
    /// The field manager of this hub.
    pub manager: Arc<str>,
    /// Writes Events on this cluster.
    pub events: Events,
    /// Starts watches that feed stores.
    pub watching: Watching,
    /// Says when nothing may be deleted.
    pub brake: Arc<FleetBrake>,
    /// The figures of the hub.
    pub metrics: Arc<Metrics>,
}

/// Adds keys to the queue of one reconciler.
pub type Enqueue = Arc<dyn Fn(ObjectKey, Priority) + Send + Sync>;

/// Works on one kind of one cluster.
pub trait Reconciler: Send + Sync + 'static {
    /// The watches that the reconciler lives on. Each runs until it is dropped; one that ends is a fault.
    fn watches(self: Arc<Self>, enqueue: Enqueue) -> Vec<Watch>;
    /// Brings one object to what its spec says. Level-based: it gets no hint of what changed, and it is
    /// never called twice at once for the same key.
    fn reconcile<'a>(&'a self, key: &'a ObjectKey) -> BoxFuture<'a, Result<Outcome, ReconcileError>>;
    /// What there is to be counted, or nothing while the view of the cluster is not complete.
    fn tally(&self) -> Option<Tally>;
}

/// A watch that runs until it is dropped.
pub struct Watch {
    /// The kind that it watches, for people.
    pub kind: &'static str,
    /// The work.
    pub run: BoxFuture<'static, ()>,
}

/// What a successful reconcile asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing until something changes.
    Done,
    /// Another look after this time, because nothing will tell of what it waits for.
    After(Duration),
}

/// A reconcile that failed.
#[derive(Debug, thiserror::Error)]
#[error("reconcile")]
pub struct ReconcileError {
    /// A closed word for metrics and logs.
    pub category: &'static str,
    /// When another try makes sense.
    pub retry: Retry,
    /// Why.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

impl ReconcileError {
    /// All causes on one line.
    pub fn message(&self) -> String {
        Chain(self.source.as_ref()).to_string()
    }
}

impl From<homebase_kube::apply::WriteError> for ReconcileError {
    fn from(error: homebase_kube::apply::WriteError) -> Self {
        Self { category: error.category().as_str(), retry: error.retry(), source: Box::new(error) }
    }
}

/// The figures of one reconciler on one cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// The kind that is counted.
    pub kind: &'static str,
    /// How many objects there are.
    pub objects: usize,
    /// How many of them are ready.
    pub ready: usize,
    /// The figures of single objects, for kinds that have them.
    pub details: Vec<ObjectTally>,
}

/// The figures of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectTally {
    /// The object.
    pub key: ObjectKey,
    /// Whether it is ready.
    pub ready: bool,
    /// Whether part of it is known to be where it does not belong; none where nobody knows, or nothing is said of it.
    pub misplaced: Option<bool>,
    /// Pods by component: how many should be there, how many are ready.
    pub pods: Vec<(&'static str, i64, i64)>,
}
