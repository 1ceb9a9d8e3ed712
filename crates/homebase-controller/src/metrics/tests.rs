//! The page that Prometheus reads: the names are there, and a cluster that is gone has no series.

use std::sync::Arc;
use std::time::Duration;

use homebase_core::{ClusterUid, ObjectKey};
use homebase_fleet::session::{Crds, Event, Session, Verdict};
use jiff::Timestamp;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry as MetricRegistry;

use super::clusters::choose;
use super::{ClusterCollector, Metrics, ReconcileResult};
use crate::brake::FleetBrake;
use crate::reconcile::ObjectTally;
use crate::registry::{Cluster, Registry, SecretRef, View};

fn running() -> Session {
    let now = Timestamp::UNIX_EPOCH;
    let (mut session, _) = Session::start(now);
    let uid = ClusterUid::new("uid");
    session.on(Event::Answered { uid, verdict: Verdict::Pinned, latency: Duration::ZERO }, now, 0.0);
    session.on(Event::Version("v1.36.3".to_owned()), now, 0.0);
    session.on(Event::CrdsChecked(Crds::UpToDate), now, 0.0);
    session
}

fn page(registry: &MetricRegistry) -> String {
    let mut page = String::new();
    encode(&mut page, registry).unwrap();
    page
}

#[test]
fn a_cluster_has_its_series_while_it_is_registered_and_none_afterwards() {
    let mut figures = MetricRegistry::default();
    let registry = Arc::new(Registry::default());
    let brake = Arc::new(FleetBrake::new(0, registry.clone()));
    figures.register_collector(Box::new(ClusterCollector {
        registry: registry.clone(),
        brake,
        max_object_series: 100,
    }));
    let secret = SecretRef {
        name: "boston".to_owned(),
        uid: "s".to_owned(),
        resource_version: "1".to_owned(),
        created: Timestamp::UNIX_EPOCH,
    };
    let cluster = Cluster::new("boston".parse().unwrap(), secret, None, View::Session(Box::new(running())));
    registry.insert(cluster.clone());
    cluster.counters.request(Some(http::StatusCode::OK));

    let with = page(&figures);
    for line in [
        "homebase_member_clusters{state=\"Syncing\"} 1",
        "homebase_member_cluster_up{member_cluster=\"boston\"} 1",
        "homebase_member_cluster_info{member_cluster=\"boston\",kubernetes_version=\"v1.36.3\"} 1",
        "homebase_member_cluster_requests_total{member_cluster=\"boston\",code_class=\"2xx\"} 1",
    ] {
        assert!(with.contains(line), "{line} is not in\n{with}");
    }
    let series = with.lines().filter(|line| line.contains("boston")).count();
    assert!(series <= 30, "{series} series for one cluster");

    registry.remove(&cluster);
    assert!(!page(&figures).contains("boston"));
}

#[test]
fn a_crowded_cluster_shows_the_first_objects_and_how_much_is_left_out() {
    let object = |number: usize| ObjectTally {
        key: ObjectKey::new("crowd", format!("iris-{number:04}")),
        ready: true,
        misplaced: Some(false),
        pods: vec![("data", 2, 2), ("compute", 1, 0)],
    };
    // 6 series each, in no order.
    let all: Vec<ObjectTally> = (0..1000).rev().map(object).collect();
    let chosen = choose(all.iter().collect(), 62);
    let names: Vec<&str> = chosen.objects.iter().map(|object| object.key.name.as_str()).collect();
    assert_eq!(names.len(), 10);
    assert_eq!((names[0], names[9], chosen.dropped), ("iris-0000", "iris-0009", 990 * 6));
    let chosen = choose(all.iter().collect(), 6000);
    assert_eq!((chosen.objects.len(), chosen.dropped), (1000, 0));
}

#[test]
fn the_names_of_controller_runtime_are_kept() {
    let mut figures = MetricRegistry::default();
    let metrics = Metrics::register(&mut figures);
    metrics.declare_controller("iriscluster", 4);
    metrics.leads(true);
    let active = metrics.begin_work("iriscluster");
    metrics.reconciled("iriscluster", ReconcileResult::Panic, Duration::from_millis(3));
    let page = page(&figures);
    drop(active);
    for line in [
        "controller_runtime_reconcile_total{controller=\"iriscluster\",result=\"error\"} 1",
        "controller_runtime_reconcile_panics_total{controller=\"iriscluster\"} 1",
        "controller_runtime_terminal_reconcile_errors_total{controller=\"iriscluster\"} 0",
        "controller_runtime_max_concurrent_reconciles{controller=\"iriscluster\"} 4",
        "controller_runtime_active_workers{controller=\"iriscluster\"} 1",
        "controller_runtime_reconcile_time_seconds_count{controller=\"iriscluster\"} 1",
        "workqueue_depth{name=\"iriscluster\",controller=\"iriscluster\"} 0",
        "leader_election_master_status{name=\"homebase\"} 1",
        "homebase_home_up 0",
        "homebase_build_info{version=",
        "process_resident_memory_bytes ",
        "process_cpu_seconds_total ",
    ] {
        assert!(page.contains(line), "{line} is not in\n{page}");
    }
}

#[tokio::test]
async fn a_task_counts_for_as_long_as_it_lives() {
    let mut figures = MetricRegistry::default();
    let _metrics = Metrics::register(&mut figures);
    let count = || {
        let page = page(&figures);
        let line = page.lines().find_map(|line| line.strip_prefix("homebase_runtime_tasks "));
        line.and_then(|number| number.parse::<u64>().ok()).unwrap()
    };
    let before = count();
    let task = tokio::spawn(std::future::pending::<()>());
    assert_eq!(count(), before + 1);
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    assert_eq!(count(), before);
}
