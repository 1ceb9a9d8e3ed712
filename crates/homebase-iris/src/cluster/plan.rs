//! Decides the complete set of objects that an IrisCluster should have now, and what has to wait. Must not fail,
//! do I/O, or look at anything but its argument.

pub(crate) mod build;
pub(crate) mod mirror_label;
pub(crate) mod readiness;
pub(crate) mod recreation;
pub(crate) mod restart;
pub(crate) mod storage;
pub(crate) mod stuck;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, Service};

use self::mirror_label::{MirrorLabel, plan_mirror_labels};
use self::readiness::{is_applied, readiness};
use self::recreation::{Hold, Recreation, Verdict, has_left_pods};
use self::restart::{MirrorUpdate, plan_update};
use self::storage::{ClaimGrowth, Storage};
use self::stuck::{StuckSet, plan_stuck};
use super::adoption::as_adopted;
use super::config_source::ConfigSource;
use super::fixed::{self, FixedField};
use super::names::NodeSet;
use super::observed::{ChildKind, ObservedChild, ObservedStatefulSet};
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
    /// Those of them that are deleted before, with their pods orphaned: a field differs that cannot change.
    pub recreations: Vec<Recreation>,
    /// Claims that are to grow now: one of each StatefulSet at most.
    pub growths: Vec<ClaimGrowth>,
    /// What is known of the volumes.
    pub storage: Storage,
    /// Labels `mirrorRole` of data pods that are not as they should be, in the order in which they are set.
    pub mirror_labels: Vec<MirrorLabel>,
    /// Updates of mirrors whose pods the hub restarts.
    pub updates: Vec<MirrorUpdate>,
    /// StatefulSets that a pod may stand in the way of: one that never started, or lacks a volume. Where one does, it comes
    /// before the update of the same set.
    pub stuck: Vec<StuckSet>,
    /// Children that no longer belong to the spec. Never one that is merely held back, never a volume.
    pub prune: Vec<ObservedChild>,
    /// What is held back, and for what. What runs of it keeps running unchanged.
    pub waiting: Vec<Waiting>,
    /// What is known of the StatefulSets at this stage.
    pub observed: S::Observed,
}

impl Plan<Prepared> {
    /// Takes note that the growth of a claim was refused, so that the status says so.
    pub fn refuse_growth(&mut self, claim: &str, words: &str) {
        self.storage.refuse(claim, words);
    }

    /// The plan after every object was sent, with the StatefulSets as the apiserver knows them now: those of
    /// the plan from its answers, others from the last look.
    pub fn applied(self, observed: BTreeMap<String, ObservedStatefulSet>) -> Plan<Applied> {
        let Self {
            headless_service,
            service,
            group_services,
            config_maps,
            stateful_sets,
            recreations,
            growths,
            storage,
            mirror_labels,
            updates,
            stuck,
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
            recreations,
            growths,
            storage,
            mirror_labels,
            updates,
            stuck,
            prune,
            waiting,
            observed,
        }
    }
}

impl Plan<Prepared> {
    /// Takes note that the pods of a StatefulSet could not be restarted.
    pub fn hold_update(&mut self, set: NodeSet, why: String) {
        self.waiting.push(Waiting { set, reason: WaitingReason::Update(why) });
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
    /// The one of its name is being deleted.
    Terminating,
    /// These fields cannot change while it exists, and it cannot be made anew yet.
    Recreation(Vec<FixedField>, Hold),
    /// The hub cannot go on with restarting its pods, for this reason.
    Update(String),
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
            WaitingReason::Terminating => {
                format!("{set} waits: its StatefulSet is being deleted, and is made anew when it is gone")
            }
            WaitingReason::Recreation(fields, _) => {
                let fields = fixed::list(fields);
                format!("{set} waits to be made anew, because {fields} cannot change while it exists: ")
            }
            WaitingReason::Update(_) => format!("{set} waits with the restart of its pods: "),
        }
    }

    /// Whether nothing will come of it without a change by somebody.
    pub(crate) const fn is_stalled(&self) -> bool {
        matches!(self.reason, WaitingReason::Recreation(_, Hold::NotSelected))
    }
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.subject())?;
        match &self.reason {
            WaitingReason::NotReady(_, readiness) => readiness.fmt(f),
            WaitingReason::ConfigSource(_) | WaitingReason::Terminating => Ok(()),
            WaitingReason::Recreation(_, hold) => hold.fmt(f),
            WaitingReason::Update(why) => f.write_str(why),
        }
    }
}

/// One StatefulSet with everything that belongs to it.
struct Group {
    stateful_set: StatefulSet,
    config_map: Option<ConfigMap>,
}

/// The part of a plan that is about StatefulSets.
#[derive(Default)]
struct Groups {
    config_maps: Vec<ConfigMap>,
    stateful_sets: Vec<StatefulSet>,
    recreations: Vec<Recreation>,
    waiting: Vec<Waiting>,
}

impl Groups {
    fn wait(&mut self, set: NodeSet, reason: WaitingReason) {
        self.waiting.push(Waiting { set, reason });
    }

    fn apply(&mut self, group: Group) {
        self.config_maps.extend(group.config_map);
        self.stateful_sets.push(group.stateful_set);
    }
}

/// The plan of a cluster.
pub fn plan(cluster: &ValidatedCluster) -> Plan<Prepared> {
    let mut groups = Groups::default();
    let mut storage = Storage::of(cluster);
    let mut growths = Vec::new();
    let (mut updates, mut stuck) = (Vec::new(), Vec::new());
    let mut wanted = BTreeSet::from([(ChildKind::Service, cluster.key.name.clone())]);
    let mut before: Option<(NodeSet, Readiness)> = None;

    for (set, node) in cluster.sets() {
        let name = cluster.key.stateful_set(set);
        wanted.insert((ChildKind::StatefulSet, name.clone()));
        if has_config_map(set.component) {
            wanted.insert((ChildKind::ConfigMap, cluster.key.config_map(set)));
        }
        let observed = cluster.found.stateful_sets.get(&name);
        let claims = storage::inspect(cluster, set, node);
        growths.extend(claims.growth.clone());
        let group = build_group(cluster, set, node, observed);
        let verdict = group.as_ref().map(|group| recreation::decide(cluster, &group.stateful_set, observed));
        storage.add(claims);
        let (Some(group), Some(verdict)) = (group, verdict) else {
            groups.wait(set, WaitingReason::ConfigSource(cluster.config_source_name.clone()));
            // What needs the same ConfigMap has its own reason, and the rest comes after the nodes that need it.
            let there = if observed.is_some() { Readiness::Unapplied } else { Readiness::Absent };
            before = Some(next_gate(before, set, there));
            continue;
        };
        let ready = readiness(&group.stateful_set, observed);
        let blocked = before.clone().filter(|(_, readiness)| {
            let runs_on = observed.is_none() && has_left_pods(cluster, set);
            !readiness.is_ready() && !is_applied(&group.stateful_set, observed) && !runs_on
        });
        match (blocked, verdict) {
            _ if cluster.found.terminating.contains(&name) => groups.wait(set, WaitingReason::Terminating),
            (Some((before, reason)), _) => groups.wait(set, WaitingReason::NotReady(before, reason)),
            (None, Verdict::Hold(fields, hold)) => groups.wait(set, WaitingReason::Recreation(fields, hold)),
            (None, Verdict::Recreate(recreation)) => {
                groups.recreations.push(recreation);
                groups.apply(group);
            }
            (None, Verdict::Apply) => {
                stuck.extend(plan_stuck(cluster, set, &group.stateful_set, observed));
                updates.extend(plan_update(cluster, set, &group.stateful_set, observed));
                groups.apply(group);
            }
        }
        before = Some(next_gate(before, set, ready));
    }

    let group_services = build::service::build_group_services(cluster);
    let names = group_services.iter().filter_map(|service| service.metadata.name.clone());
    wanted.extend(names.map(|name| (ChildKind::Service, name)));
    let Groups { config_maps, stateful_sets, recreations, waiting } = groups;
    Plan {
        headless_service: build::service::build_headless_service(&cluster.key),
        service: build::service::build_service(cluster),
        group_services,
        config_maps,
        stateful_sets,
        recreations,
        growths,
        storage,
        mirror_labels: plan_mirror_labels(cluster),
        updates,
        stuck,
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
    let left_unmarked = observed.is_none() && recreation::left_pods_are_unmarked(cluster, set);
    Some(Group { stateful_set: as_adopted(stateful_set, observed, left_unmarked), config_map })
}

/// Whether the nodes of a group read a CPF or the files of a web gateway.
fn has_config_map(component: Component) -> bool {
    matches!(component, Component::Data | Component::Compute | Component::Webgateway)
}

fn plan_prune(existing: &[ObservedChild], wanted: &BTreeSet<(ChildKind, String)>) -> Vec<ObservedChild> {
    existing.iter().filter(|child| !wanted.contains(&(child.kind, child.name.clone()))).cloned().collect()
}
