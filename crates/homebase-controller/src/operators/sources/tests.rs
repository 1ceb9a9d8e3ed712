//! How often the sources of a cluster that is lost are asked for.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use homebase_core::ObjectKey;
use homebase_kube::budget::Budget;
use homebase_kube::client::{ClientLimits, build_client};
use homebase_kube::destination::DestinationPolicy;
use homebase_kube::observe::Observer;
use http::{Method, StatusCode};
use kube::{Client, Config};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::Sources;

/// Counts requests.
#[derive(Default)]
struct Asked(AtomicUsize);

impl Observer for Asked {
    fn request(&self, _: &Method, _: &str, _: Option<StatusCode>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
    fn watch_started(&self, _: &str) {}
    fn watch_activity(&self, _: &str) {}
    fn watch_ended(&self, _: &str) {}
}

impl Asked {
    async fn until(&self, number: usize) {
        let waiting = async {
            while self.0.load(Ordering::SeqCst) < number {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), waiting).await.unwrap();
    }
}

/// The client of a cluster where nobody listens.
async fn lost(asked: &Arc<Asked>) -> Client {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let config = Config::new(format!("https://{address}").parse().unwrap());
    let limits = ClientLimits { max_in_flight: 16, requests_per_second: 100 };
    build_client(&config, DestinationPolicy { allow_loopback: true }, limits, asked.clone()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn sources_of_a_lost_cluster_are_asked_for_when_it_answers_again_and_not_before() {
    let asked = Arc::new(Asked::default());
    let (cluster, reachable) = watch::channel(false);
    let (sources, requests) = Sources::new();
    let client = lost(&asked).await;
    let running = tokio::spawn(sources.clone().run(
        (client, Budget::unlimited()),
        reachable,
        Arc::default(),
        requests,
        |_| {},
    ));
    for name in ["a", "b"] {
        sources.get(&ObjectKey::new("ns", name));
    }
    asked.until(2).await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(asked.0.load(Ordering::SeqCst), 2);
    cluster.send_replace(true);
    asked.until(4).await;
    running.abort();
}
