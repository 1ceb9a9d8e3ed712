//! Decides the complete set of objects that an IrisCluster should have now, and what has to wait. Must not fail,
//! do I/O, or look at anything but its argument.

pub(crate) mod build;
pub(crate) mod mirror_label;
pub(crate) mod readiness;
pub(crate) mod restart;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, Service};

use self::mirror_label::{MirrorLabel, plan_mirror_labels};
use self::readiness::{is_applied, readiness};
use self::restart::{MirrorUpdate, plan_update};
use super::adoption::as_adopted;
use super::names::NodeSet;
use super::observed::{ChildKind, ConfigSource, ObservedChild, ObservedStatefulSet};
use super::validated::{Node, ValidatedCluster};
use crate::readiness::Readiness;
use homebase_api::labels::Component;

/// How far a plan has come.
pub trait Stage: sealed::Sealed {
    /// What is known of the StatefulSets at this stage.
    type Observed: Clone + fmt::Debug + PartialEq;
}

/// A plan that nobody has sent yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prepared;

/// A plan whose objects the apiserver has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applied;

impl Stage for Prepared {
    type Observed = ();
}

impl Stage for Applied {
    type Observed = BTreeMap<String, ObservedStatefulSet>;
}

mod sealed {
    /// Closes [`super::Stage`]: a plan has two stages and no others.
    pub trait Sealed {}
    impl Sealed for super::Prepared {}
    impl Sealed for super::Applied {}
}

/// Everything that an IrisCluster should have now, in the order in which it is applied.
///
/// `apply` and `status` take it apart without `..`: a new kind of object does not compile until both know it.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan<S: Stage> {
    /// `iris-svc`, shared by the namespace: the only object without an owner.
    pub headless_service: Service,
    /// The Service `NAME`.
    pub service: Service,
    /// The Services of node groups that have one of their own: `NAME-webgateway`, `NAME-sam`, `NAME-iam`.
    pub group_services: Vec<Service>,
    /// The CPFs and the files of web gateways; before the StatefulSets that mount them.
    pub config_maps: Vec<ConfigMap>,
    /// The node groups that may be applied now: arbiter, data, compute, and what stands beside them.
    pub stateful_sets: Vec<StatefulSet>,
    /// Labels `mirrorRole` of data pods that are not as they should be, in the order in which they are set.
    pub mirror_labels: Vec<MirrorLabel>,
    /// Updates of mirrors whose pods the hub restarts.
    pub updates: Vec<MirrorUpdate>,
    /// Children that no longer belong to the spec. Never one that is merely held back, never a volume.
    pub prune: Vec<ObservedChild>,
    /// What is held back, and for what. What runs of it keeps running unchanged.
    pub waiting: Vec<Waiting>,
    /// What is known of the StatefulSets at this stage.
    pub observed: S::Observed,
}

impl Plan<Prepared> {
    /// The plan after every object was sent, with the StatefulSets as the apiserver knows them now: those of
    /// the plan from its answers, others from the last look.
    pub fn applied(self, observed: BTreeMap<String, ObservedStatefulSet>) -> Plan<Applied> {
        let Self {
            headless_service,
            service,
            group_services,
            config_maps,
            stateful_sets,
            mirror_labels,
            updates,
            prune,
            waiting,
            observed: (),
        } = self;
        Plan {
            headless_service,
            service,
            group_services,
            config_maps,
            stateful_sets,
            mirror_labels,
            updates,
            prune,
            waiting,
            observed,
        }
    }
}

/// Why a StatefulSet is held back; its `Display` is a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The nodes that wait.
    pub set: NodeSet,
    /// What they wait for.
    pub reason: WaitingReason,
}

/// What a StatefulSet waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WaitingReason {
    /// The one before it is not ready.
    NotReady(NodeSet, Readiness),
    /// The ConfigMap of `spec.configSource` is not there.
    ConfigSource(String),
}

impl Waiting {
    /// The part of the sentence that stays while the numbers in it move.
    pub(crate) fn subject(&self) -> String {
        let set = self.set;
        match &self.reason {
            WaitingReason::NotReady(before, _) => format!("{set} waits for {before}: "),
            WaitingReason::ConfigSource(name) => {
                format!("{set} waits: ConfigMap {name} named by spec.configSource.name does not exist")
            }
        }
    }
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.subject())?;
        match &self.reason {
            WaitingReason::NotReady(_, readiness) => readiness.fmt(f),
            WaitingReason::ConfigSource(_) => Ok(()),
        }
    }
}

/// One StatefulSet with everything that belongs to it.
struct Group {
    stateful_set: StatefulSet,
    config_map: Option<ConfigMap>,
}

/// The plan of a cluster.
pub fn plan(cluster: &ValidatedCluster) -> Plan<Prepared> {
    let mut config_maps = Vec::new();
    let mut stateful_sets = Vec::new();
    let mut waiting = Vec::new();
    let mut updates = Vec::new();
    let mut wanted = BTreeSet::from([(ChildKind::Service, cluster.key.name.clone())]);
    let mut before: Option<(NodeSet, Readiness)> = None;

    for (set, node) in cluster.sets() {
        let name = cluster.key.stateful_set(set);
        wanted.insert((ChildKind::StatefulSet, name.clone()));
        if has_config_map(set.component) {
            wanted.insert((ChildKind::ConfigMap, cluster.key.config_map(set)));
        }
        let observed = cluster.found.stateful_sets.get(&name);
        let Some(group) = build_group(cluster, set, node, observed) else {
            let reason = WaitingReason::ConfigSource(cluster.config_source_name.clone());
            waiting.push(Waiting { set, reason });
            // What needs the same ConfigMap has its own reason, and the rest comes after the nodes that need it.
            let there = if observed.is_some() { Readiness::Unapplied } else { Readiness::Absent };
            before = Some(next_gate(before, set, there));
            continue;
        };
        let blocked = before.clone().filter(|(_, readiness)| !readiness.is_ready());
        let ready = readiness(&group.stateful_set, observed);
        match blocked {
            Some((before, reason)) if !is_applied(&group.stateful_set, observed) => {
                waiting.push(Waiting { set, reason: WaitingReason::NotReady(before, reason) });
            }
            _ => {
                updates.extend(plan_update(cluster, set, &group.stateful_set, observed));
                config_maps.extend(group.config_map);
                stateful_sets.push(group.stateful_set);
            }
        }
        before = Some(next_gate(before, set, ready));
    }

    let group_services = build::service::build_group_services(cluster);
    let names = group_services.iter().filter_map(|service| service.metadata.name.clone());
    wanted.extend(names.map(|name| (ChildKind::Service, name)));
    Plan {
        headless_service: build::service::build_headless_service(&cluster.key),
        service: build::service::build_service(cluster),
        group_services,
        config_maps,
        stateful_sets,
        mirror_labels: plan_mirror_labels(cluster),
        updates,
        prune: plan_prune(&cluster.found.existing, &wanted),
        waiting,
        observed: (),
    }
}

/// What the StatefulSet after this one waits for: this one, or the first shard before it that is not ready.
///
/// Web gateways and what else stands beside IRIS all wait for the same nodes, and not for each other.
fn next_gate(
    before: Option<(NodeSet, Readiness)>,
    set: NodeSet,
    readiness: Readiness,
) -> (NodeSet, Readiness) {
    let is_beside = matches!(set.component, Component::Webgateway | Component::Sam | Component::Iam);
    if let Some(before) = before.clone().filter(|_| is_beside) {
        return before;
    }
    let of_same_group =
        before.filter(|(before, readiness)| before.component == set.component && !readiness.is_ready());
    of_same_group.unwrap_or((set, readiness))
}

/// `None` while the ConfigMap of `spec.configSource` is missing: without it the CPF would not be the user's.
fn build_group(
    cluster: &ValidatedCluster,
    set: NodeSet,
    node: &Node,
    observed: Option<&ObservedStatefulSet>,
) -> Option<Group> {
    let config_map = match set.component {
        component if !has_config_map(component) => None,
        _ if cluster.found.config_source == ConfigSource::Missing => return None,
        _ => Some(build::config_map::build_config_map(cluster, set, node)),
    };
    let stateful_set = build::stateful_set::build_stateful_set(cluster, set, node, config_map.as_ref());
    Some(Group { stateful_set: as_adopted(stateful_set, observed), config_map })
}

/// Whether the nodes of a group read a CPF or the files of a web gateway.
fn has_config_map(component: Component) -> bool {
    matches!(component, Component::Data | Component::Compute | Component::Webgateway)
}

fn plan_prune(existing: &[ObservedChild], wanted: &BTreeSet<(ChildKind, String)>) -> Vec<ObservedChild> {
    existing.iter().filter(|child| !wanted.contains(&(child.kind, child.name.clone()))).cloned().collect()
}
