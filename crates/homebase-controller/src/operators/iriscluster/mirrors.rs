//! Asks the members of every mirror of one cluster, over and over, who is primary, and keeps what they answer. What the
//! answers mean is decided in `homebase-iris`; a reconcile acts on it. It writes nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::join_all;
use futures::stream::FuturesUnordered;
use homebase_core::ObjectKey;
use homebase_iris::cluster::primary::{
    Answer, Asked, Finding, Hearing, MirrorMembers, NOT_GRANTED, STATUS_PAGE, mirror_members,
};
use homebase_kube::pod_proxy::{PodAnswer, ask_pod};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::IrisClusterReconciler;
use crate::operators::gate::Gate;
use crate::operators::primary::Primary;
use crate::watching::FORBIDDEN_PAUSE;

#[cfg(test)]
mod tests;

/// How long one member may take: IRIS answers within milliseconds, and an apiserver on the other side of the world within
/// one second. Shorter than the shortest interval that makes sense, so that rounds keep to it.
const ASK_TIMEOUT: Duration = Duration::from_secs(2);
/// Members of one cluster that are asked at the same time. A request holds one of the client's places (16 by default), and
/// reconciles and probes need theirs.
const ASKED_AT_ONCE: usize = 4;
/// The same for members that were silent the last time: they are likely to hold their place until the deadline, and must
/// not hold up those that answer.
const SILENT_AT_ONCE: usize = 2;
/// Members of one cluster that are asked within one second, on average: a third of the client's rate by default. More
/// members are asked less often.
const ASKED_PER_SECOND: f64 = 30.0;

/// One mirror: its cluster and its shard.
type MirrorKey = (ObjectKey, usize);

/// What is known of one mirror.
#[derive(Default)]
struct Known {
    hearing: Hearing,
    /// UID of the primary, and when it was first heard to be that, until somebody has asked.
    primary_since: Option<(String, Option<Instant>)>,
    /// Members that did not answer the last time.
    silent: BTreeSet<String>,
    /// Not to be asked before.
    not_before: Option<Instant>,
}

/// What is known of the mirrors of one cluster.
pub(super) struct Mirrors {
    /// None: nobody is asked.
    interval: Option<Duration>,
    known: Mutex<HashMap<MirrorKey, Known>>,
    places: Semaphore,
    places_of_silent: Semaphore,
}

/// The answers of one round.
struct Round {
    key: MirrorKey,
    answers: BTreeMap<String, Asked>,
}

impl Mirrors {
    pub(super) fn new(interval: Option<Duration>) -> Self {
        Self {
            interval,
            known: Mutex::default(),
            places: Semaphore::new(ASKED_AT_ONCE),
            places_of_silent: Semaphore::new(SILENT_AT_ONCE),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<MirrorKey, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is found of the mirrors of an `IrisCluster`, by shard.
    pub(super) fn findings(&self, cluster: &ObjectKey) -> BTreeMap<usize, Finding> {
        let known = self.lock();
        let of_cluster = known.iter().filter(|((key, _), _)| key == cluster);
        of_cluster.map(|((_, shard), known)| (*shard, known.hearing.finding().clone())).collect()
    }

    /// How long ago this pod was first heard to be the primary; told once.
    pub(super) fn take_primary_since(&self, cluster: &ObjectKey, uid: &str) -> Option<Duration> {
        let mut known = self.lock();
        let of_cluster = known.iter_mut().filter(|((key, _), _)| key == cluster);
        let mut primaries = of_cluster.filter_map(|(_, known)| known.primary_since.as_mut());
        let (_, since) = primaries.find(|(known, _)| known == uid)?;
        since.take().map(|since| since.elapsed())
    }

    /// Takes the answers of a round; true when what counts has changed.
    fn take(&self, round: Round) -> bool {
        let Round { key, answers } = round;
        let mut all = self.lock();
        let known = all.entry(key).or_default();
        let silent = answers.iter().filter(|(_, asked)| asked.answer == Answer::Silent);
        known.silent = silent.map(|(pod, _)| pod.clone()).collect();
        let heard = Finding::of(&answers);
        if let Finding::Primary { uid, .. } = &heard
            && known.primary_since.as_ref().is_none_or(|(before, _)| before != uid)
        {
            known.primary_since = Some((uid.clone(), Some(Instant::now())));
        }
        let is_news = known.hearing.take(heard);
        let is_forbidden = *known.hearing.finding() == Finding::Forbidden;
        known.not_before = is_forbidden.then(|| Instant::now() + FORBIDDEN_PAUSE);
        if is_news && is_forbidden {
            tracing::warn!(missing = NOT_GRANTED, "mirror members are not asked who is primary");
        }
        is_news
    }

    fn is_due(&self, key: &MirrorKey) -> bool {
        let known = self.lock();
        known.get(key).and_then(|known| known.not_before).is_none_or(|at| at <= Instant::now())
    }

    fn was_silent(&self, key: &MirrorKey, pod: &str) -> bool {
        self.lock().get(key).is_some_and(|known| known.silent.contains(pod))
    }
}

/// How long to wait until all are asked again.
fn pace(interval: Duration, members: usize) -> Duration {
    // A fleet has fewer members than an f64 can count.
    let members = u32::try_from(members).unwrap_or(u32::MAX);
    interval.max(Duration::from_secs_f64(f64::from(members) / ASKED_PER_SECOND))
}

impl IrisClusterReconciler {
    /// Asks until it is dropped.
    pub(super) async fn ask_mirrors(self: Arc<Self>, gate: Arc<Gate>) {
        // A watch of a session never ends by itself, not even one that has nothing to do.
        let Some(interval) = self.mirrors.interval else { return std::future::pending().await };
        let mut reachable = self.engagement.watching.reachable.clone();
        let mut running = FuturesUnordered::new();
        let mut busy: BTreeSet<MirrorKey> = BTreeSet::new();
        let mut next = Instant::now();
        let mut first = 0_usize;
        loop {
            if !*reachable.borrow_and_update() {
                // What was heard before is of another time than what will be there then.
                running.clear();
                busy.clear();
                self.mirrors.lock().clear();
                if reachable.wait_for(|reachable| *reachable).await.is_err() {
                    return;
                }
            }
            tokio::select! {
                changed = reachable.changed() => {
                    if changed.is_err() {
                        return;
                    }
                }
                () = tokio::time::sleep_until(next) => {
                    let mirrors = self.all_mirrors();
                    let members = mirrors.values().map(|members| members.pods.len()).sum();
                    next = Instant::now() + pace(interval, members);
                    self.mirrors.lock().retain(|key, _| mirrors.contains_key(key));
                    // Others come first each time: few places are for members that were silent, and who waits for one in
                    // vain must not be the same one for ever.
                    let mut mirrors: Vec<_> = mirrors.into_iter().collect();
                    let turn = first % mirrors.len().max(1);
                    mirrors.rotate_left(turn);
                    first = first.wrapping_add(SILENT_AT_ONCE);
                    for (key, members) in mirrors {
                        if self.mirrors.is_due(&key) && busy.insert(key.clone()) {
                            running.push(self.clone().ask_round(key, members));
                        }
                    }
                }
                Some(round) = running.next(), if !running.is_empty() => {
                    busy.remove(&round.key);
                    let cluster = round.key.0.clone();
                    if self.mirrors.take(round) {
                        let woken = [(cluster, false)];
                        gate.pass(|namespace| self.is_synced_in(namespace), || self.all(), woken);
                    }
                }
            }
        }
    }

    /// Every mirror of the cluster.
    fn all_mirrors(&self) -> BTreeMap<MirrorKey, MirrorMembers> {
        self.objects.fold(BTreeMap::new(), |mut all, (key, known)| {
            let cluster = Primary::readable(known).filter(|_| known.is_standing());
            let members = cluster.map(|cluster| mirror_members(cluster)).unwrap_or_default();
            all.extend(members.into_iter().map(|members| ((key.clone(), members.shard), members)));
            all
        })
    }

    async fn ask_round(self: Arc<Self>, key: MirrorKey, members: MirrorMembers) -> Round {
        let answers = self.ask_members(&key, &members).await;
        Round { key, answers }
    }

    /// Asks all members of a mirror at once. Who is not there is silent.
    async fn ask_members(&self, key: &MirrorKey, members: &MirrorMembers) -> BTreeMap<String, Asked> {
        let asked = members.pods.iter().map(|pod| async move {
            let place = ObjectKey::new(&key.0.namespace, pod);
            let Some(uid) = self.pod_uid(&place) else {
                return (pod.clone(), Asked { uid: String::new(), answer: Answer::Silent });
            };
            let answer = self.ask_member(key, &place, members.port).await;
            self.engagement.metrics.mirrors.answered(answer.as_str());
            (pod.clone(), Asked { uid, answer })
        });
        join_all(asked).await.into_iter().collect()
    }

    async fn ask_member(&self, key: &MirrorKey, pod: &ObjectKey, port: u16) -> Answer {
        let mirrors = &self.mirrors;
        let place = if mirrors.was_silent(key, &pod.name) {
            tokio::time::timeout(ASK_TIMEOUT, mirrors.places_of_silent.acquire()).await.ok()
        } else {
            Some(mirrors.places.acquire().await)
        };
        // Its turn did not come: it is what it was. The semaphores are never closed.
        let Some(Ok(place)) = place else { return Answer::Silent };
        let answer = ask_pod(&self.engagement.client, pod, port, STATUS_PAGE, ASK_TIMEOUT).await;
        drop(place);
        match answer {
            PodAnswer::Pod(status) => Answer::of_status(status.as_u16()),
            PodAnswer::None => Answer::Silent,
            PodAnswer::Forbidden => Answer::Forbidden,
        }
    }

    /// What one mirror answers at this moment, past the rounds.
    pub(super) async fn ask_now(&self, cluster: &ObjectKey, members: &MirrorMembers) -> Finding {
        let key = (cluster.clone(), members.shard);
        Finding::of(&self.ask_members(&key, members).await)
    }
}
