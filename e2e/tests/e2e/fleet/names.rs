//! Names that no apiserver admits, from a cluster that lies: no request goes anywhere else, the cluster is told what is
//! wrong with it, and the rest of its objects is worked on. And names of servers that no name server resolves: they hold
//! up nobody else. It must not test what is admitted name by name.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use homebase_testkit::{ControlPlane, HubProcess, Interceptor, eventually};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, ListParams};
use serde_json::{Value, json};
use tokio::net::UdpSocket;

use super::pool::{apply_iris, fleet, lease, wait_deployment};
use crate::support::{CLUSTER_READY, Fleet, Metrics, SOON, kubeconfig};

const CLUSTER: &str = "liar";
const HOSTILE: &str = "../../../../../../c-victim/apis/apps/v1/namespaces/default/statefulsets/db";
/// Between two listings of what was refused, and some for the listing.
const LISTED_AGAIN: Duration = Duration::from_secs(75);

/// An `IrisCluster` as it is stored, but for its name.
fn hostile() -> Value {
    json!({
        "apiVersion": "intersystems.com/v1alpha1", "kind": "IrisCluster",
        "metadata": {
            "name": HOSTILE, "namespace": "default", "uid": "7a1d1b1e-1111-4222-8333-444455556666",
            "resourceVersion": "1", "generation": 1, "creationTimestamp": "2026-01-01T00:00:00Z",
        },
        "spec": {"topology": {"data": {"image": "iris:2025.1"}}},
    })
}

#[tokio::test]
async fn an_object_whose_name_leads_elsewhere_is_refused_and_told() {
    let fleet = fleet().await;
    let [plane] = lease().await;
    let lies = Arc::new(AtomicBool::new(true));
    let lying = lies.clone();
    let front = Interceptor::start(&plane, move |asked, answer| {
        if lying.load(Ordering::Relaxed)
            && asked.starts_with("GET /apis/intersystems.com/v1alpha1/irisclusters?")
            && let Some(items) = answer["items"].as_array_mut()
        {
            items.push(hostile());
        }
    });
    let front = front.await.unwrap();
    let text = front.kubeconfig(&plane, &kubeconfig(&plane).await);
    let registration = fleet.register_as(CLUSTER, &text).await;

    let (message, _) = fleet.wait_condition(CLUSTER, ("Synced", "False", "Syncing"), CLUSTER_READY).await;
    eprintln!("figure: {message}");
    eventually("the refused object is named", SOON, || async {
        let (message, _) = fleet.wait_condition(CLUSTER, ("Synced", "False", "Syncing"), SOON).await;
        let names = message.contains("IrisCluster (InadmissibleObject: ") && message.contains("c-victim");
        if names { Ok(()) } else { Err(message) }
    })
    .await
    .unwrap();
    let series = "homebase_member_cluster_objects_refused_total";
    let refused = Metrics::of(fleet.hub()).await.sum(series, &["member_cluster=\"liar\""]);
    assert!(refused > Some(0.0), "{refused:?}");

    // The kinds of which nothing was refused are worked on.
    apply_iris(&plane, "beside", "app", 1).await;
    wait_deployment(&plane, ("beside", "app"), 1).await;

    lies.store(false, Ordering::Relaxed);
    fleet.wait_condition(CLUSTER, ("Synced", "True", "Synced"), LISTED_AGAIN).await;
    let requests = front.requests();
    assert!(requests.len() > 10, "{requests:?}");
    for request in requests {
        assert!(!request.contains("..") && !request.contains("c-victim"), "{request}");
    }
    fleet.deregister(&registration).await;
}

/// Registrations by name: as many as would fill a pool of threads.
const NAMED: usize = 300;
/// How long the hub is watched while it tries them.
const WINDOW: Duration = Duration::from_secs(20);
/// The hub's own pages answer at once.
const LIVE: Duration = Duration::from_secs(1);
/// Two workers for each core of a large machine, and some: far from one for each name.
const MAX_THREADS: usize = 80;

fn threads(hub: &HubProcess) -> usize {
    std::fs::read_dir(format!("/proc/{}/task", hub.id())).unwrap().count()
}

async fn register_names(fleet: &Fleet) {
    let text = kubeconfig(&fleet.work[0]).await;
    let url = fleet.work[0].url();
    let all = (0..NAMED).map(|number| {
        let text = text.replace(&url, &format!("https://apiserver-{number}.example.com:6443"));
        async move { fleet.register_as(&format!("named-{number}"), text).await }
    });
    futures::future::join_all(all).await;
    let secrets: Api<Secret> = fleet.registrations().await;
    assert!(secrets.list(&ListParams::default()).await.unwrap().items.len() > NAMED);
}

#[tokio::test]
async fn a_silent_name_server_holds_up_neither_the_hub_nor_other_clusters() {
    // Nobody reads from it, so nobody answers.
    let silent =
        UdpSocket::bind("127.53.53.53:53").await.expect("a socket on port 53: run the tests as root");
    let builder = Fleet::builder("names").work(ControlPlane::builder("by-address").api_only());
    let builder = builder.resolv_conf("nameserver 127.53.53.53\n");
    let mut fleet = builder.start_planes().await;
    fleet.start_hub().await;
    fleet.register(&fleet.work[0]).await;
    fleet.wait_cluster_ready("by-address").await;
    register_names(&fleet).await;

    let (mut slowest, mut most, mut replicas) = (Duration::ZERO, 0, 0);
    let start = Instant::now();
    while start.elapsed() < WINDOW {
        let asked = Instant::now();
        let answer = fleet.hub().get("/livez").await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
        slowest = slowest.max(asked.elapsed());
        most = most.max(threads(fleet.hub()));
        replicas += 1;
        apply_iris(&fleet.work[0], "beside", "app", replicas).await;
        wait_deployment(&fleet.work[0], ("beside", "app"), replicas.into()).await;
    }
    eprintln!("figure: /livez {slowest:?} at most, {most} threads at most, {replicas} changes carried out");
    assert!(slowest < LIVE, "{slowest:?}");
    assert!(most < MAX_THREADS, "{most} threads");
    assert!(replicas > 5, "{replicas} changes");
    // They were tried, and it is said what is wrong with them.
    let failed = ("Reachable", "False", "DNSFailure");
    let (message, _) = fleet.wait_condition("named-0", failed, CLUSTER_READY).await;
    assert!(message.contains("no answer from the name servers within 3 s"), "{message}");
    drop(silent);
}
