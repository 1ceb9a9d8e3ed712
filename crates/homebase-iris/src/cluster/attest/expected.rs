//! Decides which pods a cluster has when all is as planned, and in which zones each may be. Must not look at a pod or
//! a node.

use std::collections::BTreeMap;

use homebase_api::iriscluster::MirrorRole;
use homebase_api::labels::{self, Component};
use k8s_openapi::api::apps::v1::StatefulSet;

use crate::cluster::ValidatedCluster;
use crate::cluster::names::NodeSet;
use crate::cluster::plan::build::zones::{zones_apply, zones_of_pod};
use crate::cluster::plan::plan;
use crate::cluster::preview::{PreviewObject, preview};
use crate::cluster::validated::Node;

/// Where the pods of a StatefulSet may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Places {
    /// The spec names no zone, or names them in a way that only the scheduler understands.
    Anywhere,
    /// Each in any of these zones.
    AnyOf(Vec<String>),
    /// The pod with this ordinal in any of these zones, of which a member of a mirror has one; pods beyond the list
    /// anywhere.
    ByOrdinal(Vec<Vec<String>>),
}

impl Places {
    /// The zones in which a pod may be; `None`: in all.
    pub(super) fn of(&self, ordinal: usize) -> Option<&[String]> {
        match self {
            Self::Anywhere => None,
            Self::AnyOf(zones) => Some(zones),
            Self::ByOrdinal(zones) => zones.get(ordinal).map(Vec::as_slice),
        }
    }
}

/// The pods of one StatefulSet.
#[derive(Clone, Debug, PartialEq)]
pub struct ExpectedGroup {
    /// Which nodes they are.
    pub set: NodeSet,
    /// Name of the StatefulSet.
    pub stateful_set: String,
    /// How many there are to be; `None`: an autoscaler decides.
    pub replicas: Option<usize>,
    /// Where they belong.
    pub places: Places,
    /// The roles that the members of a mirror start with, by ordinal.
    pub roles: Option<Vec<MirrorRole>>,
    /// The StatefulSet as the planner wants it; `None`: held back for ever.
    pub planned: Option<StatefulSet>,
    /// Why the hub has not made or changed it yet, in words.
    pub held_back: Option<String>,
}

impl ExpectedGroup {
    /// A pod.
    pub(super) fn pod(&self, ordinal: usize) -> String {
        format!("{}-{ordinal}", self.stateful_set)
    }

    /// The ordinal in a pod's name, if it is one of this StatefulSet.
    pub(super) fn ordinal(&self, pod: &str) -> Option<usize> {
        let ordinal = pod.strip_prefix(&self.stateful_set)?.strip_prefix('-')?;
        let is_plain = ordinal == "0" || !ordinal.starts_with(['0', '+']);
        ordinal.parse().ok().filter(|_| is_plain)
    }
}

/// All pods of a cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct ExpectedTopology {
    /// Namespace of the resource.
    pub namespace: String,
    /// Name of the resource.
    pub name: String,
    /// Its StatefulSets: data, compute, arbiter, web gateways.
    pub groups: Vec<ExpectedGroup>,
}

impl ExpectedTopology {
    /// Every zone that is named, each once.
    pub fn zones(&self) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        for group in &self.groups {
            let named: Vec<&String> = match &group.places {
                Places::Anywhere => Vec::new(),
                Places::AnyOf(zones) => zones.iter().collect(),
                Places::ByOrdinal(zones) => zones.iter().flatten().collect(),
            };
            for zone in named {
                if !all.contains(zone) {
                    all.push(zone.clone());
                }
            }
        }
        all
    }

    /// Pods in all; one for a group that an autoscaler decides on.
    pub fn pods(&self) -> usize {
        self.groups.iter().map(|group| group.replicas.unwrap_or(1)).sum()
    }
}

/// The topology of a cluster, from the plan that the hub makes of it.
pub fn expected_topology(cluster: &ValidatedCluster) -> ExpectedTopology {
    let mut planned: BTreeMap<String, StatefulSet> = preview(cluster)
        .steps
        .into_iter()
        .filter_map(|step| match step.object {
            PreviewObject::StatefulSet(set) => Some((set.metadata.name.clone()?, *set)),
            _ => None,
        })
        .collect();
    let waiting = plan(cluster).waiting;
    let mut groups: Vec<ExpectedGroup> = cluster
        .sets()
        .map(|(set, node)| {
            let stateful_set = cluster.key.stateful_set(set);
            let mirror = cluster.mirror_map().filter(|_| set.shard.is_some());
            ExpectedGroup {
                set,
                replicas: cluster
                    .replicas(set.component)
                    .map(|replicas| usize::try_from(replicas).unwrap_or_default()),
                places: places(cluster, set, node),
                roles: mirror.map(|mirror| mirror.roles().to_vec()),
                planned: planned.remove(&stateful_set),
                held_back: waiting.iter().find(|waiting| waiting.set == set).map(ToString::to_string),
                stateful_set,
            }
        })
        .collect();
    groups.sort_by_key(|group| group.set);
    ExpectedTopology { namespace: cluster.key.namespace.clone(), name: cluster.key.name.clone(), groups }
}

/// Members of a mirror have a zone each, in the order of the list, and those beyond it any; other pods may be in any zone
/// of theirs. That they spread is a wish of the planner's, so it is none of the claims.
fn places(cluster: &ValidatedCluster, set: NodeSet, node: &Node) -> Places {
    if !zones_apply(node) {
        let selector = node.template.pod.node_selector.as_ref();
        let selected = selector.and_then(|selector| selector.get(labels::ZONE));
        return selected.map_or(Places::Anywhere, |zone| Places::AnyOf(vec![zone.clone()]));
    }
    let Some(map) = cluster.mirror_map().filter(|_| set.component == Component::Data) else {
        return Places::AnyOf(node.zones.clone());
    };
    let of_member = |member| zones_of_pod(cluster, set, node, member).to_vec();
    Places::ByOrdinal((0..map.roles().len()).map(of_member).collect())
}
