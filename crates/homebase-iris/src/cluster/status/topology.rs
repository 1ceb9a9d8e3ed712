//! Decides whether the pods run where they belong, from the nodes that they really run on. Must not take what is not
//! known for what is in order, and must not count in words: a number that moves with every pod is a write for every pod.

use std::collections::BTreeSet;

use homebase_api::conditions::ConditionStatus::{False, True, Unknown};
use homebase_api::conditions::iris::TopologySatisfied;
use homebase_api::labels::{self, Component};

use super::GroupState;
use crate::cluster::names::NodeSet;
use crate::cluster::observed::{NoPlacement, NodeZones, ObservedPod, Placement, PodState, Unread};
use crate::cluster::placement::POLICY;
use crate::cluster::plan::build::zones::{member_zones, zones_apply, zones_of_pod};
use crate::cluster::validated::{Node, ValidatedCluster, bounded};
use crate::draft::Draft;

/// As many nodes without a zone as are named.
const MAX_NODES: usize = 5;

/// What a look at the pods came to, in words.
#[derive(Default)]
struct Findings {
    /// Pods that run where they do not belong.
    misplaced: Vec<String>,
    /// Pods and groups that run nowhere yet.
    open: Vec<String>,
    /// Nodes without a zone.
    without_zone: BTreeSet<String>,
    /// Nodes that are not known.
    unseen: BTreeSet<String>,
}

/// Tells where the pods are.
pub(super) fn set_topology(draft: &mut Draft, cluster: &ValidatedCluster, groups: &[GroupState<'_>]) {
    let zoned: Vec<_> = cluster.sets().filter(|(_, node)| !node.zones.is_empty()).collect();
    if zoned.is_empty() {
        return draft.set(True, TopologySatisfied::NoZones, "the spec names no zones");
    }
    let mut findings = Findings::default();
    for (set, node) in zoned.iter().filter(|(_, node)| zones_apply(node)) {
        findings.look(cluster, *set, node, desired(cluster, *set, groups));
    }
    let by_user = zoned.iter().find(|(_, node)| !zones_apply(node)).map(|(set, _)| set.component);
    let (status, reason, message) = judge(&cluster.found.zones, findings, by_user);
    let is_placed = zoned.iter().any(|(set, node)| !member_zones(cluster, *set, node).is_empty());
    let message = match &cluster.found.placement {
        Placement::Missing(why) if is_placed => format!("{message}; {}", unplaced(why)),
        _ => message,
    };
    draft.set(status, reason, message);
}

/// The zones of the ready pods of a StatefulSet.
pub(super) fn zones_of_ready(cluster: &ValidatedCluster, set: NodeSet, desired: i32) -> Vec<String> {
    let NodeZones::Known(zones) = &cluster.found.zones else { return Vec::new() };
    let ready =
        pods(cluster, set, desired).filter_map(|(_, _, pod)| pod.filter(|pod| pod.state == PodState::Ready));
    let nodes: BTreeSet<&String> = ready.filter_map(|pod| pod.node.as_ref()).collect();
    nodes.into_iter().filter_map(|node| zones.get(node).cloned().flatten()).collect()
}

fn desired(cluster: &ValidatedCluster, set: NodeSet, groups: &[GroupState<'_>]) -> i32 {
    let observed = groups.iter().find(|group| group.set == set).and_then(|group| group.observed);
    cluster.replicas(set.component).unwrap_or(observed.map_or(1, |observed| observed.replicas))
}

/// The pods that a StatefulSet should have: ordinal, name, and what is known of each.
fn pods(
    cluster: &ValidatedCluster,
    set: NodeSet,
    desired: i32,
) -> impl Iterator<Item = (usize, String, Option<&ObservedPod>)> {
    (0..bounded(desired)).map(move |ordinal| {
        let name = cluster.key.pod(set, ordinal);
        let pod = cluster.found.pods.get(&name);
        (ordinal, name, pod)
    })
}

impl Findings {
    /// Looks at the pods of one StatefulSet. Members of a mirror are told one by one, and of other groups the first.
    fn look(&mut self, cluster: &ValidatedCluster, set: NodeSet, node: &Node, desired: i32) {
        let members = member_zones(cluster, set, node);
        let (mut misplaced, mut open) = (Vec::new(), Vec::new());
        for (ordinal, name, pod) in pods(cluster, set, desired) {
            let belongs = zones_of_pod(cluster, set, node, ordinal);
            let Some(runs_on) = pod.and_then(|pod| pod.node.as_ref()) else {
                open.push(format!("{name} ({})", belongs.join(" or ")));
                continue;
            };
            let NodeZones::Known(zones) = &cluster.found.zones else { continue };
            match zones.get(runs_on) {
                None => drop(self.unseen.insert(runs_on.clone())),
                Some(None) => drop(self.without_zone.insert(runs_on.clone())),
                Some(Some(zone)) if belongs.contains(zone) => {}
                Some(Some(zone)) => {
                    misplaced.push(format!("{name} runs in {zone} and belongs in {}", belongs.join(" or ")));
                }
            }
        }
        if members.is_empty() {
            if let [first, _, ..] = misplaced.as_slice() {
                misplaced = vec![format!("{first}, and others of {set}")];
            }
            open = if open.is_empty() { open } else { vec![set.to_string()] };
        }
        self.misplaced.append(&mut misplaced);
        self.open.append(&mut open);
    }
}

/// What is wrong comes before what is not known, and that before what is still to come.
fn judge(
    zones: &NodeZones,
    findings: Findings,
    by_user: Option<Component>,
) -> (homebase_api::conditions::ConditionStatus, TopologySatisfied, String) {
    let Findings { misplaced, open, without_zone, unseen } = findings;
    if !misplaced.is_empty() {
        return (False, TopologySatisfied::Misplaced, misplaced.join("; "));
    }
    if let Some(unknown) = unknown(zones, [&without_zone, &unseen], by_user) {
        return (Unknown, TopologySatisfied::ZonesUnknown, unknown);
    }
    if !open.is_empty() {
        let message = format!("not every pod is known to run in its zones: {}", open.join(", "));
        return (Unknown, TopologySatisfied::NotScheduled, message);
    }
    (True, TopologySatisfied::AsPlanned, "every pod with zones runs where it belongs".to_owned())
}

/// Why zones are not known; none when they are.
fn unknown(
    zones: &NodeZones,
    [without_zone, unseen]: [&BTreeSet<String>; 2],
    by_user: Option<Component>,
) -> Option<String> {
    if let NodeZones::Unread(why) = zones {
        return Some(match why {
            Unread::Forbidden => {
                "the hub may not read the zones of nodes: allow list and watch on nodes (see \
                                  deploy/rbac/work-cluster.yaml)"
                    .to_owned()
            }
            Unread::Restricted => {
                "the registration is restricted to namespaces, so the zones of nodes are not read".to_owned()
            }
            Unread::Failed(word) => format!("the zones of nodes could not be read yet ({word})"),
        });
    }
    if !without_zone.is_empty() {
        return Some(format!("no label {} on node {}", labels::ZONE, named(without_zone)));
    }
    if !unseen.is_empty() {
        return Some(format!("node {} is not known (yet)", named(unseen)));
    }
    by_user.map(|component| format!("podTemplate names other zones for {component}: those are not checked"))
}

fn named(nodes: &BTreeSet<String>) -> String {
    let named: Vec<&str> = nodes.iter().take(MAX_NODES).map(String::as_str).collect();
    let more = if nodes.len() > MAX_NODES { " and others" } else { "" };
    named.join(", ") + more
}

/// What it means that the policy is missing, and what to do about it.
fn unplaced(why: &NoPlacement) -> String {
    let repair = match why {
        NoPlacement::Unserved => {
            "the cluster does not serve MutatingAdmissionPolicy (Kubernetes 1.36, or 1.34 with v1beta1 on)"
                .to_owned()
        }
        NoPlacement::Forbidden => format!(
            "allow list, watch, create and patch on mutatingadmissionpolicies and mutatingadmissionpolicybindings of \
             admissionregistration.k8s.io named {POLICY} (see deploy/rbac/work-cluster.yaml)"
        ),
        NoPlacement::Restricted => {
            "the registration is restricted to namespaces, and its policy would be in none".to_owned()
        }
        NoPlacement::Foreign => format!(
            "a MutatingAdmissionPolicy or its binding {POLICY} is not ours and says something else: delete it, or apply \
             deploy/policies/mirror-zones.yaml of this version"
        ),
        NoPlacement::OtherHub(hub) => format!("another hub ({hub}) keeps the policy {POLICY}"),
        NoPlacement::Failed(word) => format!("the policy {POLICY} could not be installed yet ({word})"),
    };
    format!("members of the mirror are spread over the zones, not each placed in its own: {repair}")
}
