//! Builds what `preferredZones` asks of the scheduler and joins it with what the user asks. Must not look at nodes:
//! whether a zone exists is for the scheduler to find.
//!
//! The published samples say that the field constrains nodes to zones, so the zones are required. That pods spread
//! over them is a wish: a zone that is down must not hold the pods of the others. Members of a mirror are placed one by
//! one: by a policy in the work cluster where that can be had (see `placement`), else by a spread that is required.
//! Nothing here depends on which of the two it is, or the arrival of the policy would restart pods.

use std::collections::BTreeSet;

use homebase_api::labels::{self, Component};
use homebase_api::limits::MIRROR_MEMBERS;
use k8s_openapi::api::core::v1::{
    NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, PodSpec, TopologySpreadConstraint,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use super::meta::build_selector;
use crate::cluster::names::NodeSet;
use crate::cluster::validated::{Node, ValidatedCluster};

/// Whether the zones of a node are what the scheduler gets to hear.
///
/// A user who names the zone in `nodeSelector` or in the node affinity of `podTemplate` knows better: that stays,
/// and ours is left out.
pub(crate) fn zones_apply(node: &Node) -> bool {
    let pod = &node.template.pod;
    let selected = pod.node_selector.as_ref().is_some_and(|selector| selector.contains_key(labels::ZONE));
    let affinity = pod.affinity.as_ref().and_then(|affinity| affinity.node_affinity.as_ref());
    let required = affinity
        .and_then(|affinity| affinity.required_during_scheduling_ignored_during_execution.as_ref())
        .map(|selector| selector.node_selector_terms.as_slice());
    let named = required.unwrap_or_default().iter().any(names_a_zone);
    !node.zones.is_empty() && !selected && !named
}

/// The zones of the members of a mirror by ordinal, as far as a mirror can have members: where each is placed. Empty
/// for what is not a mirror, and where the user places the pods.
pub(crate) fn member_zones<'a>(cluster: &'a ValidatedCluster, set: NodeSet, node: &Node) -> &'a [String] {
    let zones = &cluster.data.member_zones;
    if set.component == Component::Data && zones_apply(node) {
        &zones[..zones.len().min(MIRROR_MEMBERS)]
    } else {
        &[]
    }
}

/// The zones that a pod may run in.
pub(crate) fn zones_of_pod<'a>(
    cluster: &'a ValidatedCluster,
    set: NodeSet,
    node: &'a Node,
    ordinal: usize,
) -> &'a [String] {
    member_zones(cluster, set, node).get(ordinal).map_or(&node.zones, std::slice::from_ref)
}

/// Adds the zones of a node to its pod.
///
/// Terms of a node affinity are alternatives, so each of the user's gets the zones. A spread of the user's, whatever
/// it is about, replaces ours.
pub(crate) fn add_zones(cluster: &ValidatedCluster, set: NodeSet, node: &Node, pod: &mut PodSpec) {
    if !zones_apply(node) {
        return;
    }
    let affinity = pod.affinity.get_or_insert_default().node_affinity.get_or_insert_default();
    let terms = &mut affinity
        .required_during_scheduling_ignored_during_execution
        .get_or_insert_with(NodeSelector::default)
        .node_selector_terms;
    let in_zones = NodeSelectorRequirement {
        key: labels::ZONE.to_owned(),
        operator: "In".to_owned(),
        values: Some(node.zones.clone()),
    };
    if terms.is_empty() {
        let match_expressions = Some(vec![in_zones]);
        terms.push(NodeSelectorTerm { match_expressions, match_fields: None });
    } else {
        // A term without a word fits no node; with a zone in it, it would fit some.
        for term in terms.iter_mut().filter(|term| !is_empty(term)) {
            term.match_expressions.get_or_insert_default().push(in_zones.clone());
        }
    }
    if pod.topology_spread_constraints.is_none() {
        pod.topology_spread_constraints = Some(vec![build_spread(cluster, set, node)]);
    }
}

/// Members of a mirror that can have a zone each must: their volumes bind them to the zone that they first come up in. A
/// pod that the policy has placed sees one zone only, in which the spread holds with any number of pods. Where members
/// have to share zones the spread is a wish, or one that is down with another could wait for that one for ever.
fn build_spread(cluster: &ValidatedCluster, set: NodeSet, node: &Node) -> TopologySpreadConstraint {
    let members = cluster.mirror_map().map_or(0, |map| map.roles().len());
    let zones = member_zones(cluster, set, node);
    let own: BTreeSet<_> = zones.iter().take(members).collect();
    let when = if members > 0 && own.len() == members { "DoNotSchedule" } else { "ScheduleAnyway" };
    TopologySpreadConstraint {
        max_skew: 1,
        topology_key: labels::ZONE.to_owned(),
        when_unsatisfiable: when.to_owned(),
        label_selector: Some(LabelSelector {
            match_labels: Some(build_selector(cluster, set)),
            match_expressions: None,
        }),
        ..TopologySpreadConstraint::default()
    }
}

fn names_a_zone(term: &NodeSelectorTerm) -> bool {
    term.match_expressions.iter().flatten().any(|requirement| requirement.key == labels::ZONE)
}

fn is_empty(term: &NodeSelectorTerm) -> bool {
    let is_empty = |list: &Option<Vec<NodeSelectorRequirement>>| list.as_ref().is_none_or(Vec::is_empty);
    is_empty(&term.match_expressions) && is_empty(&term.match_fields)
}
