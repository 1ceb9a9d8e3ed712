//! The hub: what its tasks share, and their start and end. Its readiness depends on the home cluster only;
//! nothing here waits for a work cluster.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use homebase_core::{ClusterId, ClusterUid, ObjectKey};
use homebase_kube::budget::Pool;
use homebase_kube::client::ClientLimits;
use homebase_kube::destination::DestinationPolicy;
use homebase_kube::gate::WriteGate;
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use prometheus_client::registry::Registry as MetricRegistry;
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::brake::FleetBrake;
use crate::metrics::{ClusterCollector, Metrics};
use crate::publisher;
use crate::queue::{Priority, QueueObserver, WorkQueue};
use crate::reconcile::Workload;
use crate::registrar::{self, Rereads};
use crate::registration::{self, Convention, Insecure, Registration};
use crate::registry::{Cluster, Registry};
use crate::session::work::MAX_IN_FLIGHT;
use crate::store::Store;

/// Clusters that connect at the same time: a handshake costs about 2 ms of CPU, so this many keep one core
/// busy and no more wait for it.
const CONNECT_SLOTS: usize = 64;
/// How long a connect holds its slot: a healthy cluster needs less, and one that hangs must not hold up the
/// others.
const SLOT_HOLD: Duration = Duration::from_millis(250);

/// How often the loops of the hub come round when nothing happens …
pub(crate) const BEAT: Duration = Duration::from_secs(10);
/// … and how long one may not, before the hub counts as stuck: longer than any request to the home cluster takes.
const STUCK: Duration = Duration::from_secs(90);
/// How often to look whether an identity has been recorded: it happens once for each session and takes a write.
const RECORD_POLL: Duration = Duration::from_millis(20);
/// How long counted figures may lag behind in a `WorkCluster`: one write a second for each busy cluster at most.
const FIGURES_DELAY: Duration = Duration::from_secs(1);

/// Runs an operation that may open a connection; at most [`CONNECT_SLOTS`] begin at once, and one that hangs
/// gives its slot back long before it ends.
pub(crate) async fn within_slot<T>(slots: &Semaphore, operation: impl Future<Output = T>) -> T {
    let slot = slots.acquire().await;
    let mut operation = std::pin::pin!(operation);
    if let Ok(done) = tokio::time::timeout(SLOT_HOLD, &mut operation).await {
        return done;
    }
    drop(slot);
    operation.await
}

/// The settings of the hub.
#[derive(Clone, Debug)]
pub struct HubSettings {
    /// The namespace of registrations, in the home cluster.
    pub namespace: String,
    /// The name of this replica.
    pub instance: String,
    /// The field manager of this hub.
    pub field_manager: Arc<str>,
    /// Which addresses may be connected to.
    pub destinations: DestinationPolicy,
    /// The limits of each cluster's client, where its registration has none of its own.
    pub limits: ClientLimits,
    /// The forms in which registrations are accepted.
    pub conventions: Vec<Convention>,
    /// The share of the fleet, in percent, that must be lost at once for nothing to be deleted anywhere; 0 for never.
    pub fleet_brake: u8,
    /// The most series about single objects of one cluster in the metrics.
    pub max_object_series: usize,
    /// The memory that the objects of one cluster may take, in bytes.
    pub memory_per_cluster: usize,
    /// The hub's own limit of memory, in bytes.
    pub memory_limit: Option<usize>,
    /// Whether registrations may be insecure that ask for it.
    pub insecure: Insecure,
    /// Shut while the hub may not write to any cluster.
    pub gate: WriteGate,
}

/// What the tasks of the hub share.
pub struct Hub {
    pub(crate) settings: HubSettings,
    pub(crate) registry: Arc<Registry>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) workload: Arc<dyn Workload>,
    pub(crate) connect_slots: Arc<Semaphore>,
    pub(crate) brake: Arc<FleetBrake>,
    /// The memory for the objects of all clusters.
    pub(crate) memory: Arc<Pool>,
    /// Secrets that are to be read again, past the watch.
    pub(crate) rereads: Rereads,
    /// What each convention's Secrets register, in the order of the conventions.
    pub(crate) registrations: BTreeMap<Convention, Store<Vec<Registration>>>,
    pub(crate) work_clusters: Store<publisher::Published>,
    /// Notified when the `WorkCluster`s, and the identities pinned in them, have been listed.
    pub(crate) work_clusters_listed: Notify,
    publishing: Arc<WorkQueue<ClusterId>>,
    synced: AtomicBool,
    stopped: AtomicBool,
    /// When the loops of the hub came round last, in milliseconds since it began.
    beats: [AtomicU64; 2],
    begun: Instant,
}

/// The loops whose standstill is the hub's.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Loop {
    Registrar,
    Publisher,
}

struct Unobserved;

impl QueueObserver<ClusterId> for Unobserved {
    fn added(&self, _: &ClusterId) {}
    fn taken(&self, _: &ClusterId, _: Duration) {}
    fn retried(&self, _: &ClusterId) {}
    fn dropped(&self, _: &ClusterId) {}
}

impl Hub {
    /// A hub that runs nothing yet. Its figures are registered in `registry`.
    pub fn new(
        settings: HubSettings,
        workload: Arc<dyn Workload>,
        metrics: Arc<Metrics>,
        figures: &mut MetricRegistry,
    ) -> Arc<Self> {
        let registry = Arc::new(Registry::default());
        let brake = Arc::new(FleetBrake::new(settings.fleet_brake, registry.clone()));
        figures.register_collector(Box::new(ClusterCollector {
            registry: registry.clone(),
            brake: brake.clone(),
            max_object_series: settings.max_object_series,
        }));
        for controller in workload.controllers() {
            metrics.declare_controller(controller, MAX_IN_FLIGHT);
        }
        let registrations =
            settings.conventions.iter().map(|convention| (*convention, Store::default())).collect();
        let memory = Pool::of_limit(settings.memory_limit);
        Arc::new(Self {
            settings,
            memory,
            registry,
            metrics,
            workload,
            connect_slots: Arc::new(Semaphore::new(CONNECT_SLOTS)),
            brake,
            rereads: Rereads::default(),
            registrations,
            work_clusters: Store::default(),
            work_clusters_listed: Notify::new(),
            publishing: Arc::new(WorkQueue::new(Arc::new(Unobserved))),
            synced: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            beats: Default::default(),
            begun: Instant::now(),
        })
    }

    /// The clusters that a Secret registers under a convention.
    pub(crate) fn read(&self, convention: Convention, secret: &Secret) -> Vec<Registration> {
        registration::read_among(self.registrations.keys(), convention, secret, self.settings.insecure)
    }

    /// Asks for the `WorkCluster` of that name to be brought up to date.
    pub(crate) fn publish(&self, id: &ClusterId) {
        self.publishing.add(id, Priority::Live);
    }

    /// The same, for figures that may change many times a second while resources come up.
    pub(crate) fn publish_soon(&self, id: &ClusterId) {
        self.publishing.add_after(id.clone(), FIGURES_DELAY);
    }

    /// Waits until the identity of a cluster stands in its `WorkCluster`.
    pub(crate) async fn until_recorded(&self, cluster: &Cluster, identity: Option<&ClusterUid>) {
        let key = ObjectKey::new(&self.settings.namespace, cluster.id.as_str());
        let is_recorded = || {
            let status = self.work_clusters.get(&key).and_then(|published| published.status);
            let secret = status.as_ref().and_then(|status| status.observed_secret.as_ref());
            let recorded = status.as_ref().and_then(|status| status.identity.as_ref());
            secret.is_some_and(|secret| secret.uid == cluster.secret.uid)
                && recorded.map(|identity| identity.uid.as_str()) == identity.map(ClusterUid::as_str)
        };
        while !is_recorded() {
            tokio::time::sleep(RECORD_POLL).await;
        }
    }

    pub(crate) fn publishing(&self) -> &Arc<WorkQueue<ClusterId>> {
        &self.publishing
    }

    pub(crate) fn set_synced(&self) {
        self.synced.store(true, Ordering::Release);
    }

    /// Whether the registrations have been listed: from then on the hub does its work.
    pub fn is_synced(&self) -> bool {
        self.synced.load(Ordering::Acquire)
    }

    /// Says that a loop came round.
    pub(crate) fn beat(&self, which: Loop) {
        let now = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.beats[which as usize].store(now, Ordering::Relaxed);
    }

    /// Whether the tasks of the hub run and make progress.
    pub fn is_running(&self) -> bool {
        let is_stuck = |beat: &AtomicU64| {
            self.begun.elapsed().saturating_sub(Duration::from_millis(beat.load(Ordering::Relaxed))) > STUCK
        };
        !self.stopped.load(Ordering::Acquire) && !self.beats.iter().any(is_stuck)
    }
}

/// A task of the hub ended that should run for ever.
#[derive(Debug, thiserror::Error)]
pub enum RunHubError {
    /// It panicked.
    #[error("a task of the hub panicked")]
    RunTask(#[source] tokio::task::JoinError),
    /// It returned.
    #[error("a task of the hub ended")]
    KeepRunning,
}

/// Runs the hub until it is cancelled; returns when every session has ended.
pub async fn run(hub: Arc<Hub>, home: Client, cancel: CancellationToken) -> Result<(), RunHubError> {
    let mut tasks = JoinSet::new();
    tasks.spawn(publisher::run(hub.clone(), home.clone(), cancel.clone()));
    tasks.spawn(registrar::run(hub.clone(), home, cancel.clone()));
    let mut outcome = Ok(());
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            outcome = Err(RunHubError::RunTask(error));
        } else if !cancel.is_cancelled() {
            outcome = Err(RunHubError::KeepRunning);
        }
        // One of them alone is of no use: let the process end, and its supervisor start it anew.
        cancel.cancel();
    }
    hub.stopped.store(true, Ordering::Release);
    outcome
}
