//! Decides of each pod whether it is where it belongs. Must not take a node that could not be read for a wrong one.

use std::collections::BTreeMap;

use homebase_api::labels::ZONE;

use super::expected::ExpectedGroup;
use super::observed::{Observation, SeenPod};
use super::ordinals::{pods, ranges};
use crate::cluster::validated::bounded;

/// What is to be said of one pod.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// It is on this node, which is where it belongs.
    Right(String),
    /// There is no such pod.
    Missing,
    /// It is not where it belongs, in words.
    Wrong(String),
    /// Something could not be read, in words.
    Unknown(String),
}

/// How many pods a group is to have; `None`: an autoscaler decides, and its number could not be read.
pub(super) fn replicas(group: &ExpectedGroup, seen: &Observation) -> Option<usize> {
    if group.replicas.is_some() {
        return group.replicas;
    }
    let sets = seen.stateful_sets.known().ok()?;
    // What is not there yet begins with one pod, as Kubernetes does it.
    Some(bounded(sets.get(&group.stateful_set).map_or(1, |set| set.replicas)))
}

/// Where a pod is.
pub(super) fn place(group: &ExpectedGroup, ordinal: usize, seen: &Observation) -> Place {
    let pods = match seen.pods.known() {
        Ok(pods) => pods,
        Err(why) => return Place::Unknown(why.to_owned()),
    };
    let Some(pod) = pods.get(&group.pod(ordinal)) else { return Place::Missing };
    match on_node(pod) {
        Ok(node) => of_node(group, ordinal, node, seen),
        Err(why) => Place::Wrong(why),
    }
}

/// The node that a pod is on for good, or why there is none.
pub(super) fn on_node(pod: &SeenPod) -> Result<&str, String> {
    if pod.terminating {
        return Err("is being deleted".to_owned());
    }
    match (&pod.node, &pod.unschedulable) {
        (Some(node), _) => Ok(node),
        (None, Some(said)) => Err(format!("Pending: {said}")),
        (None, None) => Err("Pending: the scheduler has not looked at it yet".to_owned()),
    }
}

fn of_node(group: &ExpectedGroup, ordinal: usize, node: &str, seen: &Observation) -> Place {
    let Some(zones) = group.places.of(ordinal) else { return Place::Right(node.to_owned()) };
    let nodes = match seen.nodes.known() {
        Ok(nodes) => nodes,
        Err(why) => return Place::Unknown(why.to_owned()),
    };
    match nodes.get(node).map(|node| &node.zone) {
        None => Place::Wrong(format!("on node {node}, which is not there any more")),
        Some(None) => Place::Wrong(format!("on node {node}, which has no label {ZONE}")),
        Some(Some(zone)) if zones.contains(zone) => Place::Right(node.to_owned()),
        Some(Some(zone)) => {
            Place::Wrong(format!("on node {node} in {zone}, it belongs in {}", zones.join(" or ")))
        }
    }
}

/// The zone of the node that a pod is on: `Ok(None)` when it is on none, or on one without a zone.
pub(super) fn zone_of<'a>(pod: &SeenPod, seen: &'a Observation) -> Result<Option<&'a str>, ()> {
    let Ok(node) = on_node(pod) else { return Ok(None) };
    let nodes = seen.nodes.known().map_err(|_| ())?;
    Ok(nodes.get(node).and_then(|node| node.zone.as_deref()))
}

/// What is wrong with pods of one group, said once for all that it is true of.
#[derive(Default)]
pub(super) struct Problems<'a> {
    missing: BTreeMap<&'a str, (Option<&'a str>, Vec<usize>)>,
    wrong: Vec<(&'a str, String, Vec<usize>)>,
}

impl<'a> Problems<'a> {
    pub(super) fn add_missing(&mut self, group: &'a ExpectedGroup, ordinal: usize) {
        let held_back = group.held_back.as_deref();
        let (_, ordinals) =
            self.missing.entry(&group.stateful_set).or_insert_with(|| (held_back, Vec::new()));
        ordinals.push(ordinal);
    }

    pub(super) fn add(&mut self, group: &'a ExpectedGroup, ordinal: usize, what: String) {
        let set = group.stateful_set.as_str();
        match self.wrong.iter_mut().find(|(of, known, _)| *of == set && *known == what) {
            Some((_, _, ordinals)) => ordinals.push(ordinal),
            None => self.wrong.push((set, what, vec![ordinal])),
        }
    }

    pub(super) fn sentences(self) -> Vec<String> {
        let missing = self.missing.into_iter().map(|(set, (held_back, ordinals))| {
            let plural = if ordinals.len() == 1 { "" } else { "s" };
            let why = held_back.map(|why| format!(" ({why})")).unwrap_or_default();
            format!("waiting for ordinal{plural} {} of StatefulSet {set}{why}", ranges(&ordinals, ", "))
        });
        let wrong =
            self.wrong.into_iter().map(|(set, what, ordinals)| format!("{} {what}", pods(set, &ordinals)));
        missing.chain(wrong).collect()
    }
}
