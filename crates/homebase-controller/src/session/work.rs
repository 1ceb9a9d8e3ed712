//! The watches and workers of one engaged cluster. It begins and ends with `Work`: nothing that it starts
//! outlives it, and nothing of it is shared with another cluster.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use homebase_core::{ClusterId, Namespaces, Retry};
use homebase_fleet::session::Circuit;
use homebase_kube::budget::Budget;
use kube::Client;
use tokio::sync::{Notify, watch};
use tokio::task::{Id, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::hub::Hub;
use crate::metrics::{ReconcileResult, WorkKey};
use crate::queue::WorkQueue;
use crate::reconcile::{Engagement, Enqueue, Outcome, Reconciler};
use crate::registry::{Cluster, Working};
use crate::watching::{SyncBoard, Watching};

#[cfg(test)]
mod tests;

/// Reconciles that one cluster may run at the same time: enough to hide the latency of a far cluster, few
/// enough that a hub of a thousand clusters stays small.
pub(crate) const MAX_IN_FLIGHT: usize = 4;
/// The longest that one reconcile may take, all its requests together: it releases a worker whose apiserver
/// answers each request just in time.
const RECONCILE_TIMEOUT: Duration = Duration::from_secs(30);
/// How soon to try again what waits for a change of its object. The change may be of something that nobody
/// tells of, such as a policy of the cluster, so not never.
const TERMINAL_RETRY: Duration = Duration::from_secs(300);
/// How long a session that ends waits for reconciles that run: they are in the middle of a set of writes.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// How the watches tell their session that something may be wrong.
#[derive(Default)]
pub(crate) struct Doubts {
    pub(crate) doubt: Arc<Notify>,
    pub(crate) unserved: Arc<Notify>,
}

/// What runs for one engaged cluster.
pub(crate) struct Work {
    tasks: JoinSet<()>,
    names: HashMap<Id, String>,
    queue: Arc<WorkQueue<WorkKey>>,
    board: Arc<SyncBoard>,
    reachable: watch::Sender<bool>,
    /// Reconciles that may run at the same time now.
    workers: watch::Sender<usize>,
    cancel: CancellationToken,
    cluster: Arc<Cluster>,
}

impl Work {
    /// Starts watches and workers on a cluster.
    pub(crate) fn start(
        hub: &Arc<Hub>,
        cluster: &Arc<Cluster>,
        client: Client,
        namespaces: &Arc<Namespaces>,
        doubts: &Doubts,
    ) -> Self {
        let (reachable, is_reachable) = watch::channel(true);
        let (workers, may_run) = watch::channel(MAX_IN_FLIGHT);
        let refused = cluster.counters.objects_refused.clone();
        let board = Arc::new(SyncBoard::counting(refused));
        let watching = Watching {
            namespaces: namespaces.clone(),
            board: board.clone(),
            reachable: is_reachable,
            doubt: doubts.doubt.clone(),
            unserved: doubts.unserved.clone(),
            budget: Budget::new(hub.settings.memory_per_cluster, hub.memory.clone()),
        };
        let engagement = Engagement {
            cluster: cluster.id.clone(),
            events: homebase_kube::event::Events::new(client.clone(), &hub.settings.instance),
            client,
            manager: hub.settings.field_manager.clone(),
            watching,
            brake: hub.brake.clone(),
            metrics: hub.metrics.clone(),
        };
        let controllers = hub.workload.controllers();
        let reconcilers = hub.workload.engage(&engagement);
        let queue =
            Arc::new(WorkQueue::new(hub.metrics.clone() as Arc<dyn crate::queue::QueueObserver<WorkKey>>));
        let mut work = Self {
            tasks: JoinSet::new(),
            names: HashMap::new(),
            queue: queue.clone(),
            board,
            reachable,
            workers,
            cancel: CancellationToken::new(),
            cluster: cluster.clone(),
        };
        for (index, (reconciler, &controller)) in reconcilers.iter().zip(controllers).enumerate() {
            let queue = queue.clone();
            let enqueue: Enqueue =
                Arc::new(move |object, priority| queue.add(&WorkKey { index, controller, object }, priority));
            for watch in reconciler.clone().watches(enqueue) {
                work.spawn(format!("the watch of {}", watch.kind), watch.run);
            }
        }
        let dispatcher = Dispatcher {
            queue: queue.clone(),
            reconcilers: reconcilers.clone(),
            hub: hub.clone(),
            cluster: cluster.id.clone(),
            workers: may_run,
        };
        work.spawn("the dispatcher".to_owned(), dispatcher.run(work.cancel.clone()));
        let backlog = move || {
            let (depth, oldest) = queue.backlog();
            (depth, oldest.map_or(0.0, |since| since.elapsed().as_secs_f64()))
        };
        let watches = work.board.watches();
        cluster.set_working(Some(Working { reconcilers, backlog: Arc::new(backlog), watches }));
        work
    }

    fn spawn(&mut self, name: String, task: impl Future<Output = ()> + Send + 'static) {
        let counted = CountedTask::new(self.cluster.clone());
        let task = async move {
            task.await;
            drop(counted);
        };
        let handle = self.tasks.spawn(task.instrument(tracing::Span::current()));
        self.names.insert(handle.id(), name);
    }

    /// Lets workers begin new work, all or one, or holds it back; lets broken watches try again at once.
    pub(crate) fn set_flow(&self, circuit: Circuit) {
        let workers = match circuit {
            Circuit::Closed => MAX_IN_FLIGHT,
            Circuit::HalfOpen => 1,
            Circuit::Open => 0,
        };
        self.workers.send_replace(workers);
        if workers > 0 {
            self.queue.resume();
        } else {
            self.queue.hold();
        }
        self.reachable.send_replace(workers > 0);
    }

    /// Lets broken watches try again at once: the cluster answers again.
    pub(crate) fn wake_watches(&self) {
        self.reachable.send_replace(true);
    }

    /// Where the listings stand.
    pub(crate) fn board(&self) -> &Arc<SyncBoard> {
        &self.board
    }

    /// Waits until a task ends, which none should, and says which and why.
    pub(crate) async fn ended(&mut self) -> String {
        match self.tasks.join_next_with_id().await {
            Some(Ok((id, ()))) => format!("{} ended", self.name(id)),
            Some(Err(error)) => format!("{} panicked", self.name(error.id())),
            None => "everything ended".to_owned(),
        }
    }

    fn name(&self, id: Id) -> &str {
        self.names.get(&id).map_or("a task", String::as_str)
    }

    /// Ends everything at once, in the middle of whatever it does: for a cluster that must not be written to.
    pub(crate) async fn abort(mut self) {
        self.cluster.set_working(None);
        self.tasks.shutdown().await;
    }

    /// Ends everything, lets reconciles finish that run, and waits until all has ended.
    pub(crate) async fn stop(mut self) {
        self.cluster.set_working(None);
        self.cancel.cancel();
        let dispatcher_ends = async {
            while let Some(ended) = self.tasks.join_next_with_id().await {
                let id = ended.map_or_else(|error| error.id(), |(id, ())| id);
                if self.names.get(&id).is_some_and(|name| name == "the dispatcher") {
                    break;
                }
            }
        };
        if tokio::time::timeout(DRAIN_TIMEOUT * 2, dispatcher_ends).await.is_err() {
            tracing::warn!("reconciles that did not end in time are dropped");
        }
        self.tasks.shutdown().await;
    }
}

/// Counts a task of a cluster for as long as it lives.
pub(crate) struct CountedTask(Arc<Cluster>);

impl CountedTask {
    pub(crate) fn new(cluster: Arc<Cluster>) -> Self {
        cluster.counters.tasks.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Self(cluster)
    }
}

impl Drop for CountedTask {
    fn drop(&mut self) {
        self.0.counters.tasks.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
    }
}

/// Takes keys from the queue and works on a few at a time.
struct Dispatcher {
    queue: Arc<WorkQueue<WorkKey>>,
    reconcilers: Vec<Arc<dyn Reconciler>>,
    hub: Arc<Hub>,
    cluster: ClusterId,
    workers: watch::Receiver<usize>,
}

impl Dispatcher {
    async fn run(self, cancel: CancellationToken) {
        let mut running = FuturesUnordered::new();
        let mut more = self.workers.clone();
        loop {
            let limit = *more.borrow_and_update();
            tokio::select! {
                () = cancel.cancelled() => break,
                Ok(()) = more.changed() => {}
                Some(()) = running.next(), if !running.is_empty() => {}
                key = self.queue.take(), if running.len() < limit => running.push(self.work_on(key)),
            }
        }
        let drained = async { while running.next().await.is_some() {} };
        // What is dropped here has sent whole objects only, and the next session continues it.
        drop(tokio::time::timeout(DRAIN_TIMEOUT, drained).await);
    }

    async fn work_on(&self, key: WorkKey) {
        let span = tracing::info_span!("reconcile", cluster = %self.cluster, controller = key.controller, object = %key.object);
        let Some(reconciler) = self.reconcilers.get(key.index) else { return };
        let active = self.hub.metrics.begin_work(key.controller);
        let started = Instant::now();
        let attempt = tokio::time::timeout(RECONCILE_TIMEOUT, reconciler.reconcile(&key.object));
        let attempt = AssertUnwindSafe(attempt).catch_unwind().instrument(span.clone()).await;
        drop(active);
        let result = span.in_scope(|| self.settle(&key, attempt));
        self.hub.metrics.reconciled(key.controller, result, started.elapsed());
        self.hub.publish_soon(&self.cluster);
    }

    fn settle(&self, key: &WorkKey, attempt: Attempt) -> ReconcileResult {
        match attempt {
            Ok(Ok(Ok(Outcome::Done))) => {
                self.queue.done(key);
                ReconcileResult::Success
            }
            Ok(Ok(Ok(Outcome::After(delay)))) => {
                self.queue.done(key);
                self.queue.add_after(key.clone(), delay);
                ReconcileResult::RequeueAfter
            }
            Ok(Ok(Err(error))) => {
                tracing::warn!(category = error.category, error = error.message(), "reconcile failed");
                match error.retry {
                    Retry::Backoff => {
                        self.queue.failed(key, fastrand::f64());
                        ReconcileResult::Error
                    }
                    Retry::AfterChange | Retry::Never => {
                        self.queue.done(key);
                        self.queue.add_after(key.clone(), TERMINAL_RETRY);
                        ReconcileResult::TerminalError
                    }
                }
            }
            Ok(Err(_)) => {
                tracing::warn!(
                    seconds = RECONCILE_TIMEOUT.as_secs(),
                    "reconcile took too long and was dropped"
                );
                self.queue.failed(key, fastrand::f64());
                ReconcileResult::Error
            }
            // What it panicked with may be text of a work cluster; the panic hook has logged it with its place.
            Err(_) => {
                tracing::error!("reconcile panicked");
                self.queue.failed(key, fastrand::f64());
                ReconcileResult::Panic
            }
        }
    }
}

type Attempt = Result<
    Result<Result<Outcome, crate::reconcile::ReconcileError>, tokio::time::error::Elapsed>,
    Box<dyn std::any::Any + Send>,
>;
