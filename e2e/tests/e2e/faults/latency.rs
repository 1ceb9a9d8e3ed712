//! Measures how soon the hub answers a new resource with its first write. It must not judge.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use homebase_api::Iris;
use homebase_testkit::ControlPlane;
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Api, PostParams, WatchEvent, WatchParams};
use serde_json::json;

/// Beyond this a sample is a failure of its own.
const BOUND: Duration = Duration::from_secs(30);
/// The same for the apiserver, which rounds to seconds.
const BOUND_SECONDS: u32 = 30;

/// Makes one `Iris` without pods after the other on a cluster.
pub(super) struct Stopwatch {
    namespace: String,
    prefix: &'static str,
    irises: Api<Iris>,
    deployments: Api<Deployment>,
    next: AtomicUsize,
}

impl Stopwatch {
    /// A stopwatch for a namespace that is there. The prefix tells its resources from those of others.
    pub(super) async fn new(plane: &ControlPlane, namespace: &str, prefix: &'static str) -> Self {
        let client = plane.client().await.unwrap();
        Self {
            namespace: namespace.to_owned(),
            prefix,
            irises: Api::namespaced(client.clone(), namespace),
            deployments: Api::namespaced(client, namespace),
            next: AtomicUsize::new(0),
        }
    }

    /// The time from the request that makes an `Iris` until its Deployment is seen.
    pub(super) async fn measure(&self) -> Duration {
        let name = format!("{}-{}", self.prefix, self.next.fetch_add(1, Ordering::Relaxed));
        let only = WatchParams::default().fields(&format!("metadata.name={name}")).timeout(BOUND_SECONDS);
        let mut seen = self.deployments.watch(&only, "0").await.unwrap().boxed();
        let start = Instant::now();
        self.create(&name).await;
        loop {
            let event = tokio::time::timeout(BOUND, seen.next()).await;
            let event = event.unwrap_or_else(|_| panic!("no Deployment {name} within {BOUND:?}"));
            match event.unwrap_or_else(|| panic!("no Deployment {name} before the watch ended")).unwrap() {
                WatchEvent::Added(_) => return start.elapsed(),
                WatchEvent::Bookmark(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Makes an `Iris` and waits for nothing.
    pub(super) async fn create(&self, name: &str) {
        let iris: Iris = serde_json::from_value(json!({
            "apiVersion": "test.myardyas.club/v1alpha1", "kind": "Iris",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {"deploymentName": name, "replicas": 0},
        }))
        .unwrap();
        self.irises.create(&PostParams::default(), &iris).await.unwrap();
    }

    /// Many of them, one after the other.
    pub(super) async fn series(&self, count: usize) -> Series {
        let series = Series::default();
        for _ in 0..count {
            series.add(self.measure().await);
        }
        series
    }
}

/// Samples of one kind.
#[derive(Default)]
pub(super) struct Series(Mutex<Vec<Duration>>);

impl Series {
    pub(super) fn add(&self, sample: Duration) {
        self.0.lock().unwrap().push(sample);
    }

    /// The value that a share of the samples, in percent, does not exceed.
    pub(super) fn percentile(&self, percent: usize) -> Duration {
        let mut sorted = self.0.lock().unwrap().clone();
        sorted.sort_unstable();
        sorted[(sorted.len() * percent).div_ceil(100) - 1]
    }
}

impl std::fmt::Display for Series {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let count = self.0.lock().unwrap().len();
        let (p50, p99) = (self.percentile(50), self.percentile(99));
        write!(f, "p50 {p50:?}, p99 {p99:?} of {count}")
    }
}
