//! The fault matrix: every way in which a network, an apiserver or credentials fail, on real control planes behind
//! gateways, several at a time. Each has a reason of its own within its bound, work that was asked for meanwhile is
//! done within a bound after it is over, nothing is made anew, and a healthy neighbour, measured all the time in the
//! same run, does not notice.

use std::time::Duration;

use homebase_testkit::{Behaviour, ControlPlane};

use super::black_hole::assert_like;
use super::latency::{Series, Stopwatch};
use crate::support::{Fleet, FleetBuilder, Metrics, condition, create_namespace, is};

mod credentials;
mod lane;
mod table;

use lane::{Lane, space};
use table::Table;

/// The bound for whatever answers, refuses or fails at once.
pub(super) const TOLD: Duration = Duration::from_secs(15);
/// The bound for whatever is silent.
pub(super) const BLACK_HOLE: Duration = Duration::from_secs(60);
/// The bound for a cluster that is well again.
pub(super) const HEALED: Duration = Duration::from_secs(30);

/// Samples of the neighbour before the first fault.
const BASELINE: usize = 60;
/// Between two samples: a machine that does nothing else but make resources would measure itself.
const PACE: Duration = Duration::from_millis(200);
/// The cluster that nothing happens to.
const NEIGHBOUR: &str = "unharmed";
/// The cluster of which only the credentials fail.
const CREDENTIALS: &str = "guarded";

/// A fault of the network or the server.
struct Fault {
    name: &'static str,
    behaviour: Behaviour,
    /// The reason of `Reachable=False`.
    reason: &'static str,
    bound: Duration,
}

const fn fault(name: &'static str, behaviour: Behaviour, reason: &'static str, bound: Duration) -> Fault {
    Fault { name, behaviour, reason, bound }
}

/// What the clusters suffer, each one thing after the other and all clusters at the same time.
const LANES: [(&str, &[Fault]); 4] = [
    (
        "north",
        &[
            fault("syn-dropped", Behaviour::DropSyns, "ConnectTimeout", BLACK_HOLE),
            fault("wrong-authority", Behaviour::OtherAuthority, "TLSFailure", TOLD),
            fault("refused", Behaviour::Refuse, "ConnectionRefused", TOLD),
        ],
    ),
    (
        "east",
        &[
            fault("html", Behaviour::Html, "ServerError", TOLD),
            fault("tcp-silent", Behaviour::Silence, "ConnectTimeout", BLACK_HOLE),
            fault("wrong-name", Behaviour::OtherName, "TLSFailure", TOLD),
        ],
    ),
    (
        "south",
        &[
            fault("tls-hang", Behaviour::TlsHang, "ConnectTimeout", BLACK_HOLE),
            fault("error-500", Behaviour::InternalError, "ServerError", TOLD),
            fault("truncated", Behaviour::Truncated, "ServerError", TOLD),
        ],
    ),
    (
        "west",
        &[
            fault("error-503", Behaviour::Unavailable, "ServerError", TOLD),
            fault("no-answer", Behaviour::AnswerNothing, "ResponseTimeout", BLACK_HOLE),
        ],
    ),
];

#[tokio::test]
async fn every_fault_has_its_reason_heals_and_harms_nobody_else() {
    let names = LANES.iter().map(|(name, _)| *name).chain([CREDENTIALS, NEIGHBOUR]);
    let planes = names.map(|name| ControlPlane::builder(name).api_only());
    let fleet = planes.fold(Fleet::builder("matrix"), FleetBuilder::work).start().await;
    let plane = |name: &str| fleet.work.iter().find(|plane| plane.name() == name).unwrap();

    let mut lanes = Vec::new();
    for (name, faults) in LANES {
        lanes.push((Lane::engage(&fleet, plane(name)).await, faults));
    }
    let neighbour = plane(NEIGHBOUR);
    fleet.register(neighbour).await;
    for name in LANES.iter().map(|(name, _)| *name).chain([NEIGHBOUR]) {
        fleet.wait_cluster_ready(name).await;
    }
    create_namespace(neighbour, &space(neighbour)).await;
    let stopwatch = Stopwatch::new(neighbour, &space(neighbour), "latency").await;
    let baseline = Series::default();
    sample(&stopwatch, &baseline, async |count| count < BASELINE).await;

    let (table, meanwhile) = (Table::default(), Series::default());
    let faults = async {
        let suffering = lanes.iter_mut().map(|(lane, faults)| lane.suffer_all(faults, &table));
        futures::join!(
            futures::future::join_all(suffering),
            credentials::fail_in_turn(&fleet, plane(CREDENTIALS), neighbour, &table)
        );
    };
    let mut faults = std::pin::pin!(faults);
    let mut is_over = false;
    tokio::select! {
        () = &mut faults => is_over = true,
        // It ends by a failed assertion only.
        () = sample(&stopwatch, &meanwhile, async |_| true) => {}
    }
    assert!(is_over);

    eprintln!("{table}");
    eprintln!("figure: neighbour before: {baseline}; while others fail: {meanwhile}");
    let found = fleet.work_cluster(NEIGHBOUR).await.unwrap();
    is(&condition(&found, "Ready").unwrap(), "True", "AllChecksPassed").unwrap();
    assert_like(&meanwhile, &baseline);
    assert_never_lost(&fleet).await;
    fleet.assert_invariants().await;
}

/// Takes samples at an even pace for as long as `goes_on` says so of their count.
async fn sample(stopwatch: &Stopwatch, series: &Series, goes_on: impl AsyncFn(usize) -> bool) {
    let mut pace = tokio::time::interval(PACE);
    pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut count = 0;
    while goes_on(count).await {
        pace.tick().await;
        series.add(stopwatch.measure().await);
        count += 1;
    }
}

/// No probe of the neighbour has failed in the whole run.
async fn assert_never_lost(fleet: &Fleet) {
    let metrics = Metrics::of(fleet.hub()).await;
    let labels = [&*format!("member_cluster=\"{NEIGHBOUR}\""), "result=\"failure\""];
    let failed = metrics.sum("homebase_member_cluster_probe_total", &labels);
    assert!(failed.is_none_or(|failed| failed < 1.0), "{failed:?} probes of the neighbour have failed");
}
