//! The claims in their order: where the pods are, how many, that they are ready, that their nodes live, and that the
//! StatefulSets are as planned. Must not let one claim fail for what another one is about.

use homebase_api::iriscluster::MirrorRole;

use super::expected::{ExpectedGroup, ExpectedTopology};
use super::lives::nodes_live;
use super::observed::Observation;
use super::placement::{Place, Problems, on_node, place, replicas};
use super::report::Claim;
use crate::cluster::plan::readiness::readiness;
use crate::readiness::Readiness;

pub(super) fn claims(expected: &ExpectedTopology, seen: &Observation) -> Vec<Claim> {
    let shards = expected.groups.iter().filter_map(|group| group.set.shard).max();
    let mut claims: Vec<Claim> = Vec::new();
    for group in &expected.groups {
        match &group.roles {
            Some(roles) => {
                let members = roles.iter().enumerate();
                claims.extend(members.map(|(ordinal, _)| member(group, roles, ordinal, shards, seen)));
            }
            None => claims.push(group_in_zones(group, seen)),
        }
    }
    claims.push(counts(expected, seen));
    claims.push(pods_ready(expected, seen));
    claims.push(nodes_live(expected, seen));
    claims.push(as_planned(expected, seen));
    claims
}

/// A member of a mirror: by the role that it starts with, wherever it may have gone by a failover.
fn member(
    group: &ExpectedGroup,
    roles: &[MirrorRole],
    ordinal: usize,
    last_shard: Option<usize>,
    seen: &Observation,
) -> Claim {
    let role = roles[ordinal];
    let is_alone = roles.iter().filter(|other| **other == role).count() == 1;
    let number = if is_alone { String::new() } else { format!(" {ordinal}") };
    let shard = match (group.set.shard, last_shard) {
        (Some(shard), Some(last)) if last > 0 => format!(" of shard {shard}"),
        _ => String::new(),
    };
    let claim = format!("data {}{number}{shard} {}", role_in_words(role), place_in_words(group, ordinal));
    judge(claim, group, [ordinal], seen)
}

fn role_in_words(role: MirrorRole) -> &'static str {
    match role {
        MirrorRole::Primary => "primary",
        MirrorRole::Backup => "backup",
        MirrorRole::DrAsync => "dr async",
        MirrorRole::RorAsync => "ro async",
        MirrorRole::RwrAsync => "rw async",
    }
}

fn place_in_words(group: &ExpectedGroup, ordinal: usize) -> String {
    group.places.of(ordinal).map_or("placed".to_owned(), |zones| format!("in {}", zones.join(" or ")))
}

fn group_in_zones(group: &ExpectedGroup, seen: &Observation) -> Claim {
    let place = place_in_words(group, 0);
    if let Some(wanted) = replicas(group, seen) {
        return judge(format!("{wanted} {} {place}", group.set), group, 0..wanted, seen);
    }
    let why = seen.stateful_sets.known().err().unwrap_or_default();
    let unknown = format!("an autoscaler decides how many there are, and {why}");
    Claim::judged(format!("{} {place}", group.set), &[], &[unknown], "")
}

fn judge(
    claim: String,
    group: &ExpectedGroup,
    ordinals: impl IntoIterator<Item = usize>,
    seen: &Observation,
) -> Claim {
    let (mut wanted, mut right, mut problems) = (0, Vec::new(), Problems::default());
    let mut unknown: Vec<String> = Vec::new();
    for ordinal in ordinals {
        wanted += 1;
        match place(group, ordinal, seen) {
            Place::Right(node) => right.push(node),
            Place::Missing => problems.add_missing(group, ordinal),
            Place::Wrong(what) => problems.add(group, ordinal, what),
            Place::Unknown(why) if unknown.contains(&why) => {}
            Place::Unknown(why) => unknown.push(why),
        }
    }
    let mut sentences = problems.sentences();
    if wanted > 1
        && let Some(first) = sentences.first_mut()
    {
        *first = format!("{} of {wanted}: {first}", right.len());
    }
    let passed = match right.as_slice() {
        [] => "there are to be none".to_owned(),
        [node] => format!("on node {node}"),
        many => format!("all {}", many.len()),
    };
    Claim::judged(claim, &sentences, &unknown, passed)
}

/// How many pods are on a node, wherever that is.
fn counts(expected: &ExpectedTopology, seen: &Observation) -> Claim {
    const CLAIM: &str = "pod counts match topology";
    let pods = match seen.pods.known() {
        Ok(pods) => pods,
        Err(why) => return Claim::judged(CLAIM, &[], &[why.to_owned()], ""),
    };
    let (mut problems, mut unknown, mut passed) = (Vec::new(), Vec::new(), Vec::new());
    for group in &expected.groups {
        let Some(wanted) = replicas(group, seen) else {
            unknown.push(format!("{}: nobody can tell how many an autoscaler wants", group.set));
            continue;
        };
        let mut told = Problems::default();
        let mut there = 0;
        for ordinal in 0..wanted {
            match pods.get(&group.pod(ordinal)).map(on_node) {
                Some(Ok(_)) => there += 1,
                Some(Err(why)) => told.add(group, ordinal, why),
                None => told.add_missing(group, ordinal),
            }
        }
        let surplus = pods.keys().filter_map(|pod| group.ordinal(pod)).filter(|ordinal| *ordinal >= wanted);
        let mut surplus: Vec<usize> = surplus.collect();
        surplus.sort_unstable();
        there += surplus.len();
        for ordinal in surplus {
            told.add(group, ordinal, "beyond what is wanted".to_owned());
        }
        match told.sentences() {
            sentences if sentences.is_empty() => passed.push(format!("{} {there}", group.set)),
            sentences => {
                problems.push(format!("{} {there} of {wanted}: {}", group.set, sentences.join("; ")));
            }
        }
    }
    Claim::judged(CLAIM, &problems, &unknown, passed.join(", "))
}

/// The pods that are there, each with what it says of itself.
fn pods_ready(expected: &ExpectedTopology, seen: &Observation) -> Claim {
    const CLAIM: &str = "every pod is ready";
    let pods = match seen.pods.known() {
        Ok(pods) => pods,
        Err(why) => return Claim::judged(CLAIM, &[], &[why.to_owned()], ""),
    };
    let (mut told, mut ready) = (Problems::default(), 0);
    for group in &expected.groups {
        let mut of_group: Vec<_> =
            pods.iter().filter_map(|(name, pod)| Some((group.ordinal(name)?, pod))).collect();
        of_group.sort_unstable_by_key(|(ordinal, _)| *ordinal);
        for (ordinal, pod) in of_group {
            match (on_node(pod), &pod.unready) {
                (Err(why), _) => told.add(group, ordinal, why),
                (Ok(node), Some(why)) => {
                    told.add(group, ordinal, format!("on node {node} is not ready: {why}"));
                }
                (Ok(_), None) => ready += 1,
            }
        }
    }
    Claim::judged(CLAIM, &told.sentences(), &[], format!("{ready} pods"))
}

/// Whether the StatefulSets are those of the plan, and their pods of its revision. How many pods are ready is not asked
/// here.
fn as_planned(expected: &ExpectedTopology, seen: &Observation) -> Claim {
    const CLAIM: &str = "every StatefulSet is as planned";
    let sets = match seen.stateful_sets.known() {
        Ok(sets) => sets,
        Err(why) => return Claim::judged(CLAIM, &[], &[why.to_owned()], ""),
    };
    let mut problems = Vec::new();
    for group in &expected.groups {
        let name = &group.stateful_set;
        let observed = sets.get(name).cloned().map(|mut set| {
            set.ready_replicas = set.ready_replicas.max(set.replicas);
            set
        });
        let state =
            group.planned.as_ref().map_or(Readiness::Absent, |planned| readiness(planned, observed.as_ref()));
        if !state.is_ready() {
            let why = group.held_back.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
            problems.push(format!("{name}: {state}{why}"));
        }
    }
    let names: Vec<&str> = expected.groups.iter().map(|group| group.stateful_set.as_str()).collect();
    Claim::judged(CLAIM, &problems, &[], names.join(", "))
}
