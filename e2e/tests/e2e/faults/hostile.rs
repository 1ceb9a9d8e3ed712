//! Lists that would take all of the hub's memory: the cluster is degraded in words, the hub stays within the budget, a
//! neighbour is worked on, and the memory comes back. It must not test what a list may hold field by field.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use homebase_testkit::{ControlPlane, Interceptor, OwnAnswer, eventually};

use crate::fleet::pool::{apply_iris, wait_deployment};
use crate::support::{CLUSTER_READY, Fleet, SOON, kubeconfig};

const BUDGET_MIB: u64 = 32;
/// What a cluster takes besides its objects: connections, buffers of TLS, the allocator's slack, in a debug build.
const SLACK_KIB: u64 = 48 * 1024;
/// How long each attack goes on after the cluster was given up.
const WINDOW: Duration = Duration::from_secs(15);
/// A cluster that was over its budget is listed again within this time, and some for the list.
const LISTED_AGAIN: Duration = Duration::from_secs(120);
/// After an attack, memory is back.
const BACK: Duration = Duration::from_secs(60);

const NONE: u8 = 0;
const EMPTY_OBJECTS: u8 = 1;
const ENDLESS: u8 = 2;

fn page(items: impl Iterator<Item = String> + Send + 'static, meta: &str) -> OwnAnswer {
    let start = std::iter::once(br#"{"apiVersion":"v1","kind":"List","items":["#.to_vec());
    let items =
        items.enumerate().map(|(n, item)| if n == 0 { item } else { format!(",{item}") }.into_bytes());
    let end = std::iter::once(format!(r#"],"metadata":{meta}}}"#).into_bytes());
    Box::new(start.chain(items).chain(end))
}

fn iris_cluster(number: usize) -> String {
    format!(
        r#"{{"apiVersion":"intersystems.com/v1alpha1","kind":"IrisCluster","metadata":{{"name":"c-{number}",
        "namespace":"default","uid":"7a1d1b1e-1111-4222-8333-{number:012}","resourceVersion":"1","generation":1,
        "creationTimestamp":"2026-01-01T00:00:00Z"}},"spec":{{"topology":{{"data":{{"image":"iris:2025.1"}}}}}}}}"#
    )
}

/// The answer of one attack to a request.
fn attack(kind: u8, asked: &str, tokens: &AtomicUsize) -> Option<OwnAnswer> {
    if asked.contains("watch=true") {
        return None;
    }
    let last = r#"{"resourceVersion":"1"}"#;
    let is_clusters = asked.starts_with("GET /apis/intersystems.com/v1alpha1/irisclusters?");
    match kind {
        EMPTY_OBJECTS if asked.starts_with("GET /api/v1/pods?") => {
            // In pieces of a thousand.
            let thousand = vec!["{}"; 1000].join(",");
            Some(page(std::iter::repeat_n(thousand, 10_000), last))
        }
        ENDLESS if is_clusters => {
            let token = tokens.fetch_add(1, Ordering::Relaxed);
            let items = (0..500).map(move |number| iris_cluster(token * 500 + number));
            Some(page(items, &format!(r#"{{"resourceVersion":"1","continue":"t-{token}"}}"#)))
        }
        _ => None,
    }
}

#[tokio::test]
async fn a_list_takes_no_more_memory_than_the_budget_of_its_cluster() {
    let builder = Fleet::builder("hostile").work(ControlPlane::builder("neighbour").api_only());
    let builder = builder.work(ControlPlane::builder("behind").api_only());
    let builder = builder.hub_arg(format!("--memory-per-cluster={BUDGET_MIB}"));
    let mut fleet = builder.start_planes().await;
    fleet.start_hub().await;
    fleet.register(&fleet.work[0]).await;
    fleet.wait_cluster_ready("neighbour").await;

    let (kind, tokens) = (Arc::new(AtomicU8::new(NONE)), AtomicUsize::new(0));
    let now = kind.clone();
    let front = Interceptor::answering(&fleet.work[1], move |asked| {
        attack(now.load(Ordering::Relaxed), asked, &tokens)
    });
    let front = front.await.unwrap();
    let text = front.kubeconfig(&fleet.work[1], &kubeconfig(&fleet.work[1]).await);

    let mut replicas = 0;
    for (name, attack) in [("empty", EMPTY_OBJECTS), ("endless", ENDLESS)] {
        let before = fleet.hub().resident_kib();
        kind.store(attack, Ordering::Relaxed);
        let registration = fleet.register_as(name, text.clone()).await;
        eventually("the budget is named", CLUSTER_READY, || async {
            let (message, _) = fleet.wait_condition(name, ("Synced", "False", "Syncing"), SOON).await;
            let names = message.contains("(MemoryBudget: ") && message.contains("32 MiB");
            if names { Ok(()) } else { Err(message) }
        })
        .await
        .unwrap();
        let (mut peak, start) = (0, Instant::now());
        while start.elapsed() < WINDOW {
            replicas = replicas % 9 + 1;
            apply_iris(&fleet.work[0], "beside", "app", replicas).await;
            wait_deployment(&fleet.work[0], ("beside", "app"), replicas.into()).await;
            peak = peak.max(fleet.hub().resident_kib());
        }
        eprintln!("figure: {name}: {before} KiB before, {peak} KiB at most");
        assert!(peak <= before + BUDGET_MIB * 1024 + SLACK_KIB, "{name}: {peak} KiB after {before} KiB");

        kind.store(NONE, Ordering::Relaxed);
        fleet.wait_condition(name, ("Synced", "True", "Synced"), LISTED_AGAIN).await;
        eventually("the memory is back", BACK, || async {
            let after = fleet.hub().resident_kib();
            if after * 10 <= before * 12 { Ok(after) } else { Err(format!("{after} KiB after {before} KiB")) }
        })
        .await
        .unwrap();
        fleet.deregister(&registration).await;
    }
}
