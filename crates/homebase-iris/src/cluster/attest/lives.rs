//! Decides whether the nodes that carry the pods are alive: by their condition, and by the lease that they renew. Must
//! not use the clock of this machine.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::expected::ExpectedTopology;
use super::observed::{Observation, SeenLease};
use super::placement::on_node;
use super::report::Claim;

const CLAIM: &str = "every node of the pods is alive";

/// The time in an answer has whole seconds, and the lease was read a moment before.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(2);

pub(super) fn nodes_live(expected: &ExpectedTopology, seen: &Observation) -> Claim {
    let (pods, nodes) = match (seen.pods.known(), seen.nodes.known()) {
        (Ok(pods), Ok(nodes)) => (pods, nodes),
        (Err(why), _) | (_, Err(why)) => return Claim::judged(CLAIM, &[], &[why.to_owned()], ""),
    };
    let is_ours = |pod: &str| expected.groups.iter().any(|group| group.ordinal(pod).is_some());
    let ours = pods.iter().filter(|(name, _)| is_ours(name)).filter_map(|(_, pod)| on_node(pod).ok());
    let used: BTreeSet<&str> = ours.collect();
    let mut problems = Vec::new();
    let mut without_lease = Vec::new();
    for name in &used {
        let Some(node) = nodes.get(*name) else {
            problems.push(format!("node {name} is not there any more"));
            continue;
        };
        if let Some(why) = &node.unready {
            problems.push(format!("node {name} is not ready: {why}"));
        }
        match lease(name, seen) {
            Ok(Some(expired)) => problems.push(format!("node {name} {expired}")),
            Ok(None) => {}
            Err(()) => without_lease.push(*name),
        }
    }
    Claim::judged(CLAIM, &problems, &[], passed(used.len(), &without_lease, seen))
}

fn passed(nodes: usize, without_lease: &[&str], seen: &Observation) -> String {
    let basis = match (seen.leases.known(), seen.now, without_lease) {
        (Err(why), _, _) => format!("by their condition alone: {why}"),
        (_, None, _) => "by their condition alone: the apiserver does not tell the time".to_owned(),
        (_, _, []) => "by condition and lease".to_owned(),
        (_, _, some) => format!("by condition and lease, but for {} without a lease", some.join(", ")),
    };
    format!("{nodes} nodes, {basis}")
}

/// Why the lease of a node is not kept; an error when there is none to judge by: kubelets have one, other players of
/// nodes need not.
fn lease(node: &str, seen: &Observation) -> Result<Option<String>, ()> {
    let (Ok(leases), Some(now)) = (seen.leases.known(), seen.now) else { return Ok(None) };
    let Some(SeenLease { renewed: Some(renewed), seconds: Some(seconds) }) = leases.get(node) else {
        return Err(());
    };
    let age = now.duration_since(*renewed);
    let lasts = SignedDuration::from_secs(i64::from(*seconds));
    let expired = age > lasts + TOLERANCE;
    Ok(expired.then(|| {
        let age = age.as_secs();
        format!("renewed its lease {age} s ago by the apiserver's clock; the lease lasts {seconds} s")
    }))
}
