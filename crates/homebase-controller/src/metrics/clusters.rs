//! The figures of single clusters, read from the registry at each scrape: a cluster that is gone has none.

#![expect(clippy::cast_precision_loss, reason = "Prometheus has no numbers but f64")]

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use homebase_fleet::session::{Session, State};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

use crate::brake::FleetBrake;
use crate::reconcile::ObjectTally;
use crate::registry::{Cluster, Registry, View};

type Labels = Vec<(&'static str, String)>;

/// Reads the registry at each scrape.
pub(crate) struct ClusterCollector {
    pub(crate) registry: Arc<Registry>,
    pub(crate) brake: Arc<FleetBrake>,
    /// The most series about single objects of one cluster: one crowded cluster must not cost the fleet its metrics.
    pub(crate) max_object_series: usize,
}

impl fmt::Debug for ClusterCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClusterCollector")
    }
}

/// The states that a session can be in; a registration that cannot be used counts as `Rejected`.
const STATES: [State; 9] = [
    State::Connecting,
    State::InstallingCRDs,
    State::Syncing,
    State::Running,
    State::Degraded,
    State::Unreachable,
    State::Paused,
    State::Rejected,
    State::Draining,
];

const CODE_CLASSES: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", "none"];

struct Snapshot {
    cluster: Arc<Cluster>,
    session: Option<Session>,
    /// The state of a cluster that has no session.
    idle: State,
    labels: Labels,
}

impl Snapshot {
    fn new(cluster: Arc<Cluster>) -> Self {
        let session = match cluster.view() {
            View::Session(session) => Some(*session),
            View::Unusable(_) | View::Paused(_) => None,
        };
        let labels = vec![("member_cluster", cluster.id.to_string())];
        let idle = if matches!(cluster.view(), View::Paused(_)) { State::Paused } else { State::Rejected };
        Self { cluster, session, idle, labels }
    }

    fn state(&self) -> State {
        self.session.as_ref().map_or(self.idle, Session::state)
    }

    fn is_up(&self) -> bool {
        matches!(self.state(), State::InstallingCRDs | State::Syncing | State::Running | State::Degraded)
    }

    fn with(&self, extra: impl IntoIterator<Item = (&'static str, String)>) -> Labels {
        self.labels.iter().cloned().chain(extra).collect()
    }
}

impl Collector for ClusterCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let fleet: Vec<Snapshot> = self.registry.all().into_iter().map(Snapshot::new).collect();
        let mut page = Page(&mut encoder);
        page.gauges(
            "homebase_member_clusters",
            "Registered clusters by state",
            None,
            STATES.map(|state| {
                let count = fleet.iter().filter(|cluster| cluster.state() == state).count();
                (vec![("state", state.as_str().to_owned())], count as f64)
            }),
        )?;
        page.gauges(
            "homebase_fleet_brake",
            "1 while nothing is deleted anywhere because many clusters or registrations were lost at once, else 0",
            None,
            [(Labels::new(), f64::from(u8::from(self.brake.holds())))],
        )?;
        page.gauges(
            "homebase_registrations_missing",
            "Registrations that disappeared together with many others while their sessions go on",
            None,
            [(Labels::new(), self.brake.count_missing() as f64)],
        )?;
        page.encode_health(&fleet)?;
        page.encode_load(&fleet)?;
        page.encode_objects(&fleet, self.max_object_series)
    }
}

/// The objects of a cluster that have series.
pub(super) struct Chosen<'a> {
    pub(super) objects: Vec<&'a ObjectTally>,
    /// How many series the others would have.
    pub(super) dropped: usize,
}

/// As many objects as the series suffice for, by name, so that each scrape shows the same ones.
pub(super) fn choose(mut all: Vec<&ObjectTally>, max_series: usize) -> Chosen<'_> {
    all.sort_unstable_by(|one, other| one.key.cmp(&other.key));
    let mut left = max_series;
    let mut chosen = Chosen { objects: Vec::new(), dropped: 0 };
    for object in all {
        // Whether it is ready, where it is known whether it is in its place, and each component's desired and ready pods.
        let series = 1 + usize::from(object.misplaced.is_some()) + 2 * object.pods.len();
        match left.checked_sub(series) {
            Some(rest) if chosen.dropped == 0 => {
                left = rest;
                chosen.objects.push(object);
            }
            _ => chosen.dropped += series,
        }
    }
    chosen
}

struct Page<'a, 'b>(&'a mut DescriptorEncoder<'b>);

impl Page<'_, '_> {
    fn gauges(
        &mut self,
        name: &'static str,
        help: &'static str,
        unit: Option<&Unit>,
        series: impl IntoIterator<Item = (Labels, f64)>,
    ) -> Result<(), fmt::Error> {
        let mut family = self.0.encode_descriptor(name, help, unit, MetricType::Gauge)?;
        for (labels, value) in series {
            ConstGauge::new(value).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn counters(
        &mut self,
        name: &'static str,
        help: &'static str,
        series: impl IntoIterator<Item = (Labels, u64)>,
    ) -> Result<(), fmt::Error> {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, value) in series {
            ConstCounter::new(value).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn encode_health(&mut self, fleet: &[Snapshot]) -> Result<(), fmt::Error> {
        self.gauges(
            "homebase_member_cluster_up",
            "1 while the cluster answers and is trusted, else 0; nothing while it is paused",
            None,
            fleet
                .iter()
                .filter(|cluster| cluster.state() != State::Paused)
                .map(|cluster| (cluster.labels.clone(), f64::from(u8::from(cluster.is_up())))),
        )?;
        self.gauges(
            "homebase_member_cluster_state",
            "1 for the state that the cluster is in",
            None,
            fleet.iter().map(|cluster| (cluster.with([("state", cluster.state().as_str().to_owned())]), 1.0)),
        )?;
        self.gauges(
            "homebase_member_cluster_info",
            "1, with the version of the cluster's apiserver",
            None,
            fleet.iter().filter_map(|cluster| {
                let version = cluster.session.as_ref()?.version()?;
                Some((cluster.with([("kubernetes_version", version.to_owned())]), 1.0))
            }),
        )?;
        self.gauges(
            "homebase_member_cluster_last_success_timestamp",
            "When the cluster answered a probe last, Unix time",
            Some(&Unit::Seconds),
            fleet.iter().filter_map(|cluster| {
                let seen = cluster.session.as_ref()?.last_seen()?;
                Some((cluster.labels.clone(), seen.as_millisecond() as f64 / 1000.0))
            }),
        )?;
        self.gauges(
            "homebase_member_cluster_credential_expiry_timestamp",
            "When the credentials of the cluster expire, where they say it, Unix time",
            Some(&Unit::Seconds),
            fleet.iter().filter_map(|cluster| {
                let end = cluster.cluster.shown().validity.not_after()?;
                Some((cluster.labels.clone(), end.as_second() as f64))
            }),
        )?;
        self.gauges(
            "homebase_member_cluster_freshness_timestamp",
            "When the watch that has been silent longest brought something last, events and bookmarks alike, Unix time",
            Some(&Unit::Seconds),
            fleet.iter().filter_map(|cluster| {
                let oldest = cluster.cluster.signals.freshness().oldest()?.1;
                Some((cluster.labels.clone(), oldest.as_millisecond() as f64 / 1000.0))
            }),
        )?;
        self.gauges(
            "homebase_member_cluster_breaker_state",
            "1 for the state of the circuit breaker: closed, half-open or open",
            None,
            fleet.iter().filter_map(|cluster| {
                let circuit = cluster.session.as_ref()?.circuit();
                Some((cluster.with([("state", circuit.as_str().to_owned())]), 1.0))
            }),
        )
    }

    fn encode_load(&mut self, fleet: &[Snapshot]) -> Result<(), fmt::Error> {
        self.counters(
            "homebase_member_cluster_probe",
            "Probes by result",
            fleet.iter().flat_map(|cluster| {
                let counters = &cluster.cluster.counters;
                [("success", &counters.probes_succeeded), ("failure", &counters.probes_failed)].map(
                    |(result, count)| {
                        (cluster.with([("result", result.to_owned())]), count.load(Ordering::Relaxed))
                    },
                )
            }),
        )?;
        self.counters(
            "homebase_member_cluster_requests",
            "Requests by the class of the answer; `none` had no answer",
            fleet.iter().flat_map(|cluster| {
                let counts = cluster.cluster.counters.requests.iter().zip(CODE_CLASSES);
                counts.map(|(count, class)| {
                    (cluster.with([("code_class", class.to_owned())]), count.load(Ordering::Relaxed))
                })
            }),
        )?;
        self.counters(
            "homebase_member_cluster_objects_refused",
            "Objects from the cluster that the hub refused because no Kubernetes apiserver can have stored them",
            fleet.iter().map(|cluster| {
                (cluster.labels.clone(), cluster.cluster.counters.objects_refused.load(Ordering::Relaxed))
            }),
        )?;
        let working: Vec<_> =
            fleet.iter().filter_map(|cluster| Some((cluster, cluster.cluster.working()?))).collect();
        self.gauges(
            "homebase_member_cluster_watches",
            "Watches that run on the cluster",
            None,
            working.iter().map(|(cluster, working)| (cluster.labels.clone(), working.watches as f64)),
        )?;
        self.gauges(
            "homebase_member_cluster_tasks",
            "Tasks that run for the cluster",
            None,
            fleet.iter().map(|cluster| {
                (cluster.labels.clone(), cluster.cluster.counters.tasks.load(Ordering::Relaxed) as f64)
            }),
        )?;
        let backlog: Vec<_> =
            working.iter().map(|(cluster, working)| (cluster.labels.clone(), (working.backlog)())).collect();
        self.gauges(
            "homebase_member_cluster_queue_depth",
            "Objects that wait to be reconciled",
            None,
            backlog.iter().map(|(labels, (depth, _))| (labels.clone(), *depth as f64)),
        )?;
        self.gauges(
            "homebase_member_cluster_oldest_queued",
            "How long the oldest of them has waited",
            Some(&Unit::Seconds),
            backlog.iter().map(|(labels, (_, oldest))| (labels.clone(), *oldest)),
        )
    }

    fn encode_objects(&mut self, fleet: &[Snapshot], max_series: usize) -> Result<(), fmt::Error> {
        // What an unreachable cluster had is not known to be there: no series is better than an old one.
        let fresh: Vec<_> = fleet
            .iter()
            .filter(|cluster| cluster.is_up())
            .map(|cluster| (cluster, cluster.cluster.tallies()))
            .collect();
        self.gauges(
            "homebase_member_cluster_objects",
            "Objects by kind",
            None,
            fresh.iter().flat_map(|(cluster, tallies)| {
                tallies
                    .iter()
                    .map(|tally| (cluster.with([("kind", tally.kind.to_owned())]), tally.objects as f64))
            }),
        )?;
        let chosen: Vec<(&Snapshot, Chosen<'_>)> = fresh
            .iter()
            .map(|(cluster, tallies)| {
                let all = tallies.iter().flat_map(|tally| &tally.details).collect();
                (*cluster, choose(all, max_series))
            })
            .collect();
        self.gauges(
            "homebase_member_cluster_object_series_dropped",
            "Series about single objects that are left out because the cluster has too many (--cluster-max-object-series)",
            None,
            chosen.iter().map(|(cluster, chosen)| (cluster.labels.clone(), chosen.dropped as f64)),
        )?;
        let objects: Vec<(Labels, &ObjectTally)> = chosen
            .iter()
            .flat_map(|(cluster, chosen)| chosen.objects.iter().map(move |object| (cluster, *object)))
            .map(|(cluster, object)| {
                let place = [("namespace", object.key.namespace.clone()), ("name", object.key.name.clone())];
                (cluster.with(place), object)
            })
            .collect();
        self.gauges(
            "homebase_iriscluster_ready",
            "1 while the IrisCluster is ready, else 0",
            None,
            objects.iter().map(|(labels, object)| (labels.clone(), f64::from(u8::from(object.ready)))),
        )?;
        self.gauges(
            "homebase_iriscluster_topology_mismatch",
            "1 while a pod of the IrisCluster runs in a zone where it does not belong, else 0; nothing while that is unknown",
            None,
            objects.iter().filter_map(|(labels, object)| {
                Some((labels.clone(), f64::from(u8::from(object.misplaced?))))
            }),
        )?;
        self.gauges(
            "homebase_iriscluster_pods",
            "Pods of the IrisCluster by component: desired, and ready",
            None,
            objects.iter().flat_map(|(labels, object)| {
                object.pods.iter().flat_map(move |(component, desired, ready)| {
                    [("desired", desired), ("ready", ready)].map(|(state, count)| {
                        let extra = [("component", (*component).to_owned()), ("state", state.to_owned())];
                        (labels.iter().cloned().chain(extra).collect(), *count as f64)
                    })
                })
            }),
        )
    }
}
