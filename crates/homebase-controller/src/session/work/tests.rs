//! The dispatcher with reconcilers that misbehave: each is its own trouble only.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use homebase_core::ObjectKey;
use homebase_kube::client::ClientLimits;
use homebase_kube::destination::DestinationPolicy;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use prometheus_client::registry::Registry as MetricRegistry;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Dispatcher, MAX_IN_FLIGHT, RECONCILE_TIMEOUT};
use crate::hub::{Hub, HubSettings};
use crate::metrics::{Metrics, WorkKey};
use crate::queue::{Priority, WorkQueue};
use crate::reconcile::{Engagement, Enqueue, Outcome, ReconcileError, Reconciler, Tally, Watch, Workload};

struct NoWorkload;

impl Workload for NoWorkload {
    fn crds(&self) -> &'static [CustomResourceDefinition] {
        &[]
    }
    fn needs(&self) -> &'static [homebase_kube::permissions::Need] {
        &[]
    }
    fn controllers(&self) -> &'static [&'static str] {
        &["test"]
    }
    fn engage(&self, _: &Engagement) -> Vec<Arc<dyn Reconciler>> {
        Vec::new()
    }
}

/// Panics for `panic`, hangs for `hang`, takes a second for everything else.
#[derive(Default)]
struct Misbehaving {
    calls: Mutex<BTreeMap<String, usize>>,
    running: AtomicUsize,
    most: AtomicUsize,
}

impl Reconciler for Misbehaving {
    fn watches(self: Arc<Self>, _: Enqueue) -> Vec<Watch> {
        Vec::new()
    }
    fn reconcile<'a>(&'a self, key: &'a ObjectKey) -> BoxFuture<'a, Result<Outcome, ReconcileError>> {
        Box::pin(async move {
            *self.calls.lock().unwrap().entry(key.name.clone()).or_default() += 1;
            match key.name.as_str() {
                "panic" => panic!("on purpose"),
                "hang" => std::future::pending().await,
                _ => {
                    let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
                    self.most.fetch_max(running, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    self.running.fetch_sub(1, Ordering::SeqCst);
                    Ok(Outcome::Done)
                }
            }
        })
    }
    fn tally(&self) -> Option<Tally> {
        None
    }
}

struct Setting {
    queue: Arc<WorkQueue<WorkKey>>,
    reconciler: Arc<Misbehaving>,
    workers: watch::Sender<usize>,
    cancel: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

fn start() -> Setting {
    let mut figures = MetricRegistry::default();
    let metrics = Metrics::register(&mut figures);
    let settings = HubSettings {
        namespace: "homebase-system".to_owned(),
        instance: "test".to_owned(),
        field_manager: "test".into(),
        destinations: DestinationPolicy::default(),
        limits: ClientLimits { max_in_flight: 1, requests_per_second: 1 },
        conventions: Vec::new(),
        fleet_brake: 0,
        max_object_series: 100,
        memory_per_cluster: homebase_kube::budget::DEFAULT_MEMORY_PER_CLUSTER,
        memory_limit: None,
        insecure: crate::registration::Insecure::Refused,
        gate: homebase_kube::gate::WriteGate::open(),
    };
    let hub = Hub::new(settings, Arc::new(NoWorkload), metrics.clone(), &mut figures);
    let queue = Arc::new(WorkQueue::new(metrics as Arc<dyn crate::queue::QueueObserver<WorkKey>>));
    let reconciler = Arc::new(Misbehaving::default());
    let (workers, may_run) = watch::channel(MAX_IN_FLIGHT);
    let dispatcher = Dispatcher {
        queue: queue.clone(),
        reconcilers: vec![reconciler.clone()],
        hub,
        cluster: "boston".parse().unwrap(),
        workers: may_run,
    };
    let cancel = CancellationToken::new();
    let task = tokio::spawn(dispatcher.run(cancel.clone()));
    Setting { queue, reconciler, workers, cancel, task }
}

impl Setting {
    fn add(&self, name: &str) {
        let key = WorkKey { index: 0, controller: "test", object: ObjectKey::new("ns", name) };
        self.queue.add(&key, Priority::Live);
    }

    fn calls(&self, name: &str) -> usize {
        self.reconciler.calls.lock().unwrap().get(name).copied().unwrap_or_default()
    }

    async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let waiting = async {
            while !holds(self) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(600), waiting).await.unwrap_or_else(|_| panic!("{what}"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_survived_and_tried_again_while_others_go_on() {
    let setting = start();
    setting.add("panic");
    setting.add("well");
    setting.until("others go on", |setting| setting.calls("well") == 1).await;
    setting.until("it is tried again", |setting| setting.calls("panic") >= 3).await;
    assert_eq!(setting.calls("well"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_reconcile_that_hangs_gives_its_place_back() {
    let setting = start();
    let started = tokio::time::Instant::now();
    for _ in 0..MAX_IN_FLIGHT {
        setting.add("hang");
    }
    setting.until("it is dropped and tried again", |setting| setting.calls("hang") == 2).await;
    assert!(started.elapsed() >= RECONCILE_TIMEOUT && started.elapsed() < RECONCILE_TIMEOUT * 2);
}

#[tokio::test(start_paused = true)]
async fn no_more_than_the_budget_run_at_the_same_time() {
    let setting = start();
    for n in 0..MAX_IN_FLIGHT * 5 {
        setting.add(&format!("object-{n}"));
    }
    let last = format!("object-{}", MAX_IN_FLIGHT * 5 - 1);
    setting.until("all are done", |setting| setting.calls(&last) == 1).await;
    assert_eq!(setting.reconciler.most.load(Ordering::SeqCst), MAX_IN_FLIGHT);
}

#[tokio::test(start_paused = true)]
async fn the_end_lets_what_runs_finish_and_does_not_wait_for_what_hangs() {
    let setting = start();
    setting.add("well");
    setting.add("hang");
    setting.until("both run", |setting| setting.calls("well") + setting.calls("hang") == 2).await;
    setting.cancel.cancel();
    tokio::time::timeout(super::DRAIN_TIMEOUT * 2, setting.task).await.unwrap().unwrap();
    assert_eq!(setting.reconciler.running.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn a_trial_lets_one_reconcile_run_at_a_time_and_its_end_lets_all() {
    let setting = start();
    setting.workers.send_replace(1);
    for name in ["a", "b", "c"] {
        setting.add(name);
    }
    setting.until("all ran", |setting| ["a", "b", "c"].iter().all(|name| setting.calls(name) == 1)).await;
    assert_eq!(setting.reconciler.most.load(Ordering::SeqCst), 1);
    // Nothing changes in the queue when the trial ends.
    setting.add("hang");
    setting.until("it runs", |setting| setting.calls("hang") == 1).await;
    setting.add("d");
    setting.workers.send_replace(MAX_IN_FLIGHT);
    let started = tokio::time::Instant::now();
    setting.until("the next runs", |setting| setting.calls("d") == 1).await;
    assert!(started.elapsed() < RECONCILE_TIMEOUT / 2);
}
