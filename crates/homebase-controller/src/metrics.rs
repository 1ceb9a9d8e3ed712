//! The figures of the hub for Prometheus: controller-runtime's names for what it and Go controllers have in
//! common, `homebase_*` for the rest. No label ever holds an error text or a URL.

use std::sync::Arc;
use std::time::Duration;

use homebase_core::ObjectKey;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry as MetricRegistry, Unit};

use crate::queue::QueueObserver;

mod clusters;
mod mirrors;
mod process;
#[cfg(test)]
mod tests;

pub(crate) use clusters::ClusterCollector;
use mirrors::MirrorFigures;

/// Bounds of the time of a reconcile and of a wait in a queue, in seconds: from one that found nothing to do
/// to one that ran into its deadline.
const SECONDS: [f64; 15] =
    [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

type Seconds<L> = Family<L, Histogram, fn() -> Histogram>;

fn seconds<L: Clone + Eq + std::hash::Hash>() -> Seconds<L> {
    Family::new_with_constructor(|| Histogram::new(SECONDS))
}

/// A controller, in controller-runtime's words.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ControllerLabel {
    controller: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    controller: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct QueueLabels {
    name: &'static str,
    controller: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EventLabel {
    event: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RotationLabel {
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    code: String,
    method: String,
    host: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WriteLabels {
    verb: &'static str,
    kind: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BuildLabels {
    version: &'static str,
}

/// How a reconcile ended, in controller-runtime's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReconcileResult {
    /// Nothing is left to do.
    Success,
    /// Another look was asked for.
    RequeueAfter,
    /// It failed and will be tried again.
    Error,
    /// It failed and waits for a change.
    TerminalError,
    /// It panicked.
    Panic,
}

impl ReconcileResult {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::RequeueAfter => "requeue_after",
            Self::Error | Self::TerminalError | Self::Panic => "error",
        }
    }
}

/// What happens to registrations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegistrationEvent {
    /// A session began.
    Engaged,
    /// A session ended because its registration is gone.
    Disengaged,
    /// A registration cannot be used.
    Rejected,
    /// A session was started over because its kubeconfig changed.
    Replaced,
    /// A session ended by itself, which is a fault.
    Restarted,
}

impl RegistrationEvent {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Engaged => "engaged",
            Self::Disengaged => "disengaged",
            Self::Rejected => "rejected",
            Self::Replaced => "replaced",
            Self::Restarted => "restarted",
        }
    }
}

/// The figures of the whole hub. Those of single clusters are read from the registry at each scrape, so that
/// none can be left over.
pub struct Metrics {
    reconciles: Family<ResultLabels, Counter>,
    reconcile_errors: Family<ControllerLabel, Counter>,
    terminal_errors: Family<ControllerLabel, Counter>,
    panics: Family<ControllerLabel, Counter>,
    reconcile_time: Seconds<ControllerLabel>,
    max_concurrent: Family<ControllerLabel, Gauge>,
    active_workers: Family<ControllerLabel, Gauge>,
    queue_depth: Family<QueueLabels, Gauge>,
    queue_adds: Family<QueueLabels, Counter>,
    queue_retries: Family<QueueLabels, Counter>,
    queue_wait: Seconds<QueueLabels>,
    work_time: Seconds<QueueLabels>,
    requests: Family<RequestLabels, Counter>,
    registrations: Family<EventLabel, Counter>,
    rotations: Family<RotationLabel, Counter>,
    writes: Family<WriteLabels, Counter>,
    home_up: Gauge,
    leader: Family<NameLabel, Gauge>,
    /// Of the mirrors.
    pub(crate) mirrors: MirrorFigures,
}

impl Metrics {
    /// Makes the figures and registers them.
    pub fn register(registry: &mut MetricRegistry) -> Arc<Self> {
        let metrics = Self {
            reconciles: Family::default(),
            reconcile_errors: Family::default(),
            terminal_errors: Family::default(),
            panics: Family::default(),
            reconcile_time: seconds(),
            max_concurrent: Family::default(),
            active_workers: Family::default(),
            queue_depth: Family::default(),
            queue_adds: Family::default(),
            queue_retries: Family::default(),
            queue_wait: seconds(),
            work_time: seconds(),
            requests: Family::default(),
            registrations: Family::default(),
            rotations: Family::default(),
            writes: Family::default(),
            home_up: Gauge::default(),
            leader: Family::default(),
            mirrors: MirrorFigures::default(),
        };
        metrics.register_controller_runtime(registry);
        metrics.register_own(registry);
        process::register(registry);
        Arc::new(metrics)
    }

    fn register_controller_runtime(&self, registry: &mut MetricRegistry) {
        let reconciles = registry.sub_registry_with_prefix("controller_runtime");
        reconciles.register("reconcile", "Reconciles by controller and result", self.reconciles.clone());
        reconciles.register("reconcile_errors", "Reconciles that failed", self.reconcile_errors.clone());
        reconciles.register(
            "terminal_reconcile_errors",
            "Reconciles that failed and wait for a change of the object",
            self.terminal_errors.clone(),
        );
        reconciles.register("reconcile_panics", "Reconciles that panicked", self.panics.clone());
        reconciles.register_with_unit(
            "reconcile_time",
            "Time of a reconcile",
            Unit::Seconds,
            self.reconcile_time.clone(),
        );
        reconciles.register(
            "max_concurrent_reconciles",
            "Reconciles that each engaged cluster may run at the same time",
            self.max_concurrent.clone(),
        );
        reconciles.register("active_workers", "Reconciles that run now", self.active_workers.clone());

        let queue = registry.sub_registry_with_prefix("workqueue");
        queue.register("depth", "Keys that wait, over all clusters", self.queue_depth.clone());
        queue.register("adds", "Keys that came into a queue", self.queue_adds.clone());
        queue.register("retries", "Keys that came back after a failure", self.queue_retries.clone());
        queue.register_with_unit(
            "queue_duration",
            "Wait of a key in its queue",
            Unit::Seconds,
            self.queue_wait.clone(),
        );
        queue.register_with_unit(
            "work_duration",
            "Time that a key was worked on",
            Unit::Seconds,
            self.work_time.clone(),
        );

        registry.register(
            "rest_client_requests",
            "Requests to the home cluster's apiserver; code is `<error>` when there was no answer. Requests to work \
             clusters are homebase_member_cluster_requests",
            self.requests.clone(),
        );
        self.register_leader(registry);
    }

    fn register_own(&self, registry: &mut MetricRegistry) {
        let own = registry.sub_registry_with_prefix("homebase");
        own.register("registration_events", "What happened to registrations", self.registrations.clone());
        own.register(
            "credential_rotations",
            "New kubeconfigs by what became of them",
            self.rotations.clone(),
        );
        own.register(
            "writes",
            "Writes to work clusters that were answered with success",
            self.writes.clone(),
        );
        self.register_home(own);
        self.mirrors.register(own);
        let build = Family::<BuildLabels, Gauge>::default();
        build.get_or_create(&BuildLabels { version: env!("CARGO_PKG_VERSION") }).set(1);
        own.register("build_info", "Version of the hub", build);
    }

    /// Says how many reconciles each cluster may run at once, and makes the series of a controller appear at zero.
    pub(crate) fn declare_controller(&self, controller: &'static str, max_concurrent: usize) {
        let label = ControllerLabel { controller };
        self.max_concurrent.get_or_create(&label).set(i64::try_from(max_concurrent).unwrap_or(i64::MAX));
        drop(self.active_workers.get_or_create(&label));
        drop(self.reconcile_errors.get_or_create(&label));
        drop(self.terminal_errors.get_or_create(&label));
        drop(self.panics.get_or_create(&label));
        for result in ["success", "requeue_after", "error"] {
            drop(self.reconciles.get_or_create(&ResultLabels { controller, result }));
        }
        drop(self.queue_depth.get_or_create(&QueueLabels { name: controller, controller }));
    }

    /// Counts a reconcile that begins; the guard counts it as ended.
    pub(crate) fn begin_work(self: &Arc<Self>, controller: &'static str) -> ActiveWork {
        self.active_workers.get_or_create(&ControllerLabel { controller }).inc();
        ActiveWork { metrics: self.clone(), controller }
    }

    /// Counts a reconcile that ended.
    pub(crate) fn reconciled(&self, controller: &'static str, result: ReconcileResult, took: Duration) {
        let label = ControllerLabel { controller };
        self.reconciles.get_or_create(&ResultLabels { controller, result: result.as_str() }).inc();
        match result {
            ReconcileResult::Success | ReconcileResult::RequeueAfter => {}
            ReconcileResult::Error => drop(self.reconcile_errors.get_or_create(&label).inc()),
            ReconcileResult::TerminalError => {
                self.reconcile_errors.get_or_create(&label).inc();
                self.terminal_errors.get_or_create(&label).inc();
            }
            ReconcileResult::Panic => {
                self.reconcile_errors.get_or_create(&label).inc();
                self.panics.get_or_create(&label).inc();
            }
        }
        self.reconcile_time.get_or_create(&label).observe(took.as_secs_f64());
        self.work_time
            .get_or_create(&QueueLabels { name: controller, controller })
            .observe(took.as_secs_f64());
    }

    /// Counts what happened to a registration.
    pub(crate) fn registration(&self, event: RegistrationEvent) {
        self.registrations.get_or_create(&EventLabel { event: event.as_str() }).inc();
    }

    /// Counts a new kubeconfig of a session that runs.
    pub(crate) fn rotation(&self, accepted: bool) {
        let result = if accepted { "accepted" } else { "rejected" };
        self.rotations.get_or_create(&RotationLabel { result }).inc();
    }

    /// Counts a request to the home cluster.
    pub fn home_request(&self, host: &str, method: &http::Method, status: Option<http::StatusCode>) {
        let code = status.map_or_else(|| "<error>".to_owned(), |status| status.as_u16().to_string());
        self.requests
            .get_or_create(&RequestLabels { code, method: method.to_string(), host: host.to_owned() })
            .inc();
    }

    fn register_leader(&self, registry: &mut MetricRegistry) {
        registry.register(
            "leader_election_master_status",
            "1 where this hub works, 0 where it stands by because another one works in its namespace",
            self.leader.clone(),
        );
    }

    fn register_home(&self, own: &mut MetricRegistry) {
        own.register(
            "home_up",
            "1 where the home cluster answered the last request about the hub's Lease, 0 where it refused it or did not",
            self.home_up.clone(),
        );
    }

    /// The metrics of a hub that has not begun, as it waits for its home cluster or stands by.
    pub fn of_home(&self) -> MetricRegistry {
        let mut registry = MetricRegistry::default();
        self.register_leader(&mut registry);
        self.register_home(registry.sub_registry_with_prefix("homebase"));
        registry
    }

    /// Says whether the home cluster answers.
    pub(crate) fn home_up(&self, is_up: bool) {
        self.home_up.set(i64::from(is_up));
    }

    /// Says whether this hub is the one that works.
    pub(crate) fn leads(&self, leads: bool) {
        self.leader.get_or_create(&NameLabel { name: "homebase" }).set(i64::from(leads));
    }

    /// Counts a write to a work cluster that went through. `kind` is one of the hub's own requests, so the set
    /// of labels is closed.
    pub(crate) fn write(&self, verb: &'static str, kind: &str) {
        self.writes.get_or_create(&WriteLabels { verb, kind: kind.to_owned() }).inc();
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NameLabel {
    name: &'static str,
}

/// A reconcile that runs now.
pub(crate) struct ActiveWork {
    metrics: Arc<Metrics>,
    controller: &'static str,
}

impl Drop for ActiveWork {
    fn drop(&mut self) {
        self.metrics.active_workers.get_or_create(&ControllerLabel { controller: self.controller }).dec();
    }
}

/// The key of a session's queue: which controller, which object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct WorkKey {
    pub(crate) index: usize,
    pub(crate) controller: &'static str,
    pub(crate) object: ObjectKey,
}

impl QueueObserver<WorkKey> for Metrics {
    fn added(&self, key: &WorkKey) {
        let labels = QueueLabels { name: key.controller, controller: key.controller };
        self.queue_adds.get_or_create(&labels).inc();
        self.queue_depth.get_or_create(&labels).inc();
    }

    fn taken(&self, key: &WorkKey, waited: Duration) {
        let labels = QueueLabels { name: key.controller, controller: key.controller };
        self.queue_depth.get_or_create(&labels).dec();
        self.queue_wait.get_or_create(&labels).observe(waited.as_secs_f64());
    }

    fn retried(&self, key: &WorkKey) {
        self.queue_retries
            .get_or_create(&QueueLabels { name: key.controller, controller: key.controller })
            .inc();
    }

    fn dropped(&self, key: &WorkKey) {
        self.queue_depth
            .get_or_create(&QueueLabels { name: key.controller, controller: key.controller })
            .dec();
    }
}
