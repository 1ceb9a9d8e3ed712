//! The events of a run, drawn from a seed: which cluster, what happens to it, and how long it is left alone
//! afterwards. It is pure: the same seed is the same script on every machine.

use std::time::Duration;

use fastrand::Rng;

use super::model::{Cluster, ClusterSpec, Credentials, Event, Fault, Form, IrisSpec, Which};

#[cfg(test)]
mod tests;

/// Resources of each kind that a cluster may have.
const RESOURCES: usize = 3;
/// Different tokens of a cluster: each rotation takes another.
pub(super) const TOKENS: usize = 4;
/// What comes after an event comes within this time, mostly before the event has had its effect.
const MAX_PAUSE: Duration = Duration::from_millis(400);
/// A fault that lasts: from one that nobody notices to one after which the cluster counts as unreachable.
const LASTING: (Duration, Duration) = (Duration::from_secs(4), Duration::from_secs(45));
/// One fault in so many lasts.
const LASTING_EVERY: usize = 4;
/// One event in so many is the end of the hub (SIGKILL).
const HUB_ENDS_EVERY: usize = 40;

/// One step of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Something happens to a cluster, which is then left alone for a while.
    Cluster(usize, Event, Duration),
    /// The hub is killed and started again.
    HubEnds,
}

/// How a script is drawn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) seed: u64,
    pub(super) events: usize,
    pub(super) clusters: usize,
    /// Whether some faults last, which takes minutes.
    pub(super) lasting_faults: bool,
}

/// Draws the script of a run that begins with every cluster registered.
pub(super) fn script(settings: Settings) -> Vec<Step> {
    let mut rng = Rng::with_seed(settings.seed);
    let mut clusters = vec![Cluster::registered(); settings.clusters];
    let mut steps = Vec::with_capacity(settings.events);
    while steps.len() < settings.events {
        if rng.usize(..HUB_ENDS_EVERY) == 0 {
            steps.push(Step::HubEnds);
            continue;
        }
        let index = rng.usize(..settings.clusters);
        let event = draw(&mut rng, &clusters[index], index, settings.clusters);
        clusters[index].apply(&event);
        let lasts = matches!(event, Event::Break(_)) && rng.usize(..LASTING_EVERY) == 0;
        let (from, to) = if lasts && settings.lasting_faults { LASTING } else { (Duration::ZERO, MAX_PAUSE) };
        let pause = millis(&mut rng, from, to);
        steps.push(Step::Cluster(index, event, pause));
    }
    steps
}

fn millis(rng: &mut Rng, from: Duration, to: Duration) -> Duration {
    let bound = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(rng.u64(bound(from)..bound(to)))
}

/// Draws an event that can happen to a cluster as it is.
fn draw(rng: &mut Rng, cluster: &Cluster, index: usize, clusters: usize) -> Event {
    // Nobody can write to an apiserver that does not answer, and few leave one so for long.
    let turn = match cluster.fault {
        Some(_) if rng.bool() => return Event::Heal,
        Some(_) => rng.usize(..70),
        None => rng.usize(..100),
    };
    match turn {
        0..70 => registration(rng, cluster, index, clusters),
        70..95 => resource(rng, cluster),
        95..98 => Event::Break(Fault::Hangs),
        _ => Event::Break(Fault::Ended),
    }
}

fn registration(rng: &mut Rng, cluster: &Cluster, index: usize, clusters: usize) -> Event {
    let which = if rng.usize(..4) == 0 { Which::Twin } else { Which::First };
    let Some(secret) = cluster.secrets.get(&which) else { return Event::Register(which) };
    // What has been taken away mostly comes back before long, or there would be nothing to take away.
    if secret.form == Form::Unlabelled && rng.bool() {
        return Event::Relabel(which, Form::Native);
    }
    if secret.paused && rng.bool() {
        return Event::Pause(which, false);
    }
    match rng.usize(..100) {
        0..50 => Event::Rotate(which, credentials(rng, index, clusters)),
        50..62 => {
            Event::Relabel(which, *pick(rng, &[Form::Unlabelled, Form::Native, Form::MulticlusterRuntime]))
        }
        62..72 => Event::Pause(which, !secret.paused),
        72..80 => Event::Limit(which, !secret.limited),
        80..92 => Event::Deregister(which),
        _ => Event::Replace(which),
    }
}

fn credentials(rng: &mut Rng, index: usize, clusters: usize) -> Credentials {
    match rng.usize(..10) {
        0..5 => Credentials::Valid(rng.usize(..TOKENS)),
        5 => Credentials::Garbage,
        6 => Credentials::Expired,
        7 => Credentials::Refused,
        _ if clusters > 1 => Credentials::OfCluster((index + 1 + rng.usize(..clusters - 1)) % clusters),
        _ => Credentials::Garbage,
    }
}

fn resource(rng: &mut Rng, cluster: &Cluster) -> Event {
    let number = rng.usize(..RESOURCES);
    if rng.bool() {
        if cluster.iris.contains_key(&number) && rng.usize(..3) == 0 {
            return Event::DeleteIris(number);
        }
        return Event::PutIris(number, IrisSpec { renamed: rng.usize(..4) == 0, replicas: rng.i32(0..5) });
    }
    if cluster.clusters.contains_key(&number) && rng.usize(..3) == 0 {
        return Event::DeleteCluster(number);
    }
    let mark = rng.bool().then(|| rng.u8(..9));
    Event::PutCluster(number, ClusterSpec { image: rng.u8(1..4), mark })
}

fn pick<'a, T>(rng: &mut Rng, all: &'a [T]) -> &'a T {
    &all[rng.usize(..all.len())]
}
