//! Goes on with an update that its StatefulSet cannot go on with by itself: of a mirror whose primary is not member 0, or
//! past a pod that never started or lacks a volume. It reads what is there at this moment and has one pod evicted at most.
//! Which one is decided in `homebase-iris`; it never deletes a pod past the `PodDisruptionBudget`s.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use homebase_api::IrisCluster;
use homebase_core::{Backoff, ObjectKey};
use homebase_iris::PlannedEvent;
use homebase_iris::cluster::names::NodeSet;
use homebase_iris::cluster::primary::{Finding, mirror_members};
use homebase_iris::cluster::{
    Hold, MirrorUpdate, Replacement, Restart, RestartStep, StuckSet, StuckStep, held_event, keeps_volumes,
    replace_step, restart_event, restart_step, stuck_step, unstuck_event,
};
use homebase_kube::Category;
use homebase_kube::apply::{self, Eviction, key_of};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use tokio::time::Instant;

use super::IrisClusterReconciler;
use super::apply_plan::{Done, VOLUMES_WAIT};
use super::keep_volumes::Volumes;
use super::volumes::Marked;
use crate::reconcile::ReconcileError;

/// How soon to look again at an update that waits: for answers and budgets, of which nothing tells.
const UPDATE_WAIT: Duration = Duration::from_secs(5);

/// How long a pod stays that was made to go and came back as it was. A user who mends a spec in several tries is not held
/// up: each try is another revision.
const AGAIN: Backoff = Backoff { first: Duration::from_secs(10), cap: Duration::from_secs(600) };

/// What updates wait for, by StatefulSet, as it was told last: told once, and not with every look.
#[derive(Default)]
pub(super) struct Holds(Mutex<HashMap<ObjectKey, (ObjectKey, String)>>);

impl Holds {
    /// Keeps what a StatefulSet waits for; true when that is news.
    fn set(&self, set: ObjectKey, cluster: ObjectKey, why: Option<&str>) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match why {
            None => {
                all.remove(&set);
                false
            }
            Some(why) => {
                let before = all.insert(set, (cluster, why.to_owned()));
                before.is_none_or(|(_, before)| before != why)
            }
        }
    }

    /// Forgets a cluster that is gone.
    pub(super) fn forget(&self, cluster: &ObjectKey) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, (of, _)| of != cluster);
    }
}

/// A pod that was made to go because it never started.
struct Removed {
    cluster: ObjectKey,
    /// The revision that it was to be made anew from.
    revision: String,
    times: u32,
    last: Instant,
}

/// The pods that were made to go because they never started. Once is enough by design; where it is not, as when a webhook
/// of the cluster brings back what was there before, no more pods go for it than are worth a try.
#[derive(Default)]
pub(super) struct Removals(Mutex<HashMap<ObjectKey, Removed>>);

impl Removals {
    fn lock(&self) -> MutexGuard<'_, HashMap<ObjectKey, Removed>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long a pod has to stay that went before for the sake of the same revision.
    fn wait(&self, pod: &ObjectKey, revision: &str) -> Option<Duration> {
        let all = self.lock();
        let before = all.get(pod).filter(|before| before.revision == revision)?;
        let wait = AGAIN.ceiling(before.times).saturating_sub(before.last.elapsed());
        (!wait.is_zero()).then_some(wait)
    }

    /// Takes note of a pod that went.
    fn note(&self, pod: ObjectKey, cluster: ObjectKey, revision: &str) {
        let mut all = self.lock();
        let before = all.get(&pod).filter(|before| before.revision == revision);
        let times = before.map_or(0, |before| before.times).saturating_add(1);
        all.insert(pod, Removed { cluster, revision: revision.to_owned(), times, last: Instant::now() });
    }

    /// Forgets a cluster that is gone.
    pub(super) fn forget(&self, cluster: &ObjectKey) {
        self.lock().retain(|_, removed| removed.cluster != *cluster);
    }
}

/// Whether something stands in the way of a StatefulSet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InTheWay {
    /// No pod does: its update may go on.
    Nothing,
    /// A pod does, or did a moment ago.
    Pod,
}

/// The StatefulSet that a step is taken with.
struct Stepping<'a> {
    set: NodeSet,
    stateful_set: &'a str,
    /// Tells of a pod that was made to go.
    gone: fn(&str, &Restart) -> PlannedEvent,
    /// Whether what is a part of every update is told as well.
    tells_passing: bool,
}

impl IrisClusterReconciler {
    /// Takes the next step of an update.
    pub(super) async fn go_on(
        &self,
        cluster: &IrisCluster,
        update: &MirrorUpdate,
        done: &mut Done,
    ) -> Result<(), ReconcileError> {
        let key = key_of(cluster);
        let step = self.next_step(cluster, &key, update).await?;
        let stepping = Stepping {
            set: update.set(),
            stateful_set: &update.stateful_set,
            gone: restart_event,
            // That pods come up one after the other is what an update is, and the status says so.
            tells_passing: false,
        };
        self.take(&key, &stepping, step, done).await?;
        done.look_again(UPDATE_WAIT);
        Ok(())
    }

    /// Has a pod evicted that never started, when a StatefulSet waits for it and would make it anew in another way, or one
    /// that the set cannot add a volume to.
    pub(super) async fn get_past(
        &self,
        cluster: &IrisCluster,
        stuck: &StuckSet,
        done: &mut Done,
    ) -> Result<InTheWay, ReconcileError> {
        let StuckSet { stateful_set, uid, selector, .. } = stuck;
        let Some((set, pods)) = self.fetch_set(cluster, stateful_set, uid, selector).await? else {
            return Ok(InTheWay::Pod);
        };
        let key = key_of(cluster);
        let step = match stuck_step(stuck, &set, &pods) {
            StuckStep::Nothing => return Ok(InTheWay::Nothing),
            StuckStep::Hold(hold) => RestartStep::Hold(hold),
            StuckStep::Restart(restart) => self.remove_again(&key, &set, restart, done),
            StuckStep::Replace(replacement) => self.replace(cluster, &key, stuck, replacement, &pods).await?,
        };
        let stepping = Stepping { set: stuck.set, stateful_set, gone: unstuck_event, tells_passing: true };
        self.take(&key, &stepping, step, done).await?;
        done.look_again(UPDATE_WAIT);
        Ok(InTheWay::Pod)
    }

    /// Whether a pod that never started goes now: at once for the first time.
    fn remove_again(
        &self,
        cluster: &ObjectKey,
        set: &StatefulSet,
        restart: Restart,
        done: &mut Done,
    ) -> RestartStep {
        let revision = set.status.as_ref().and_then(|status| status.update_revision.as_deref());
        let (pod, revision) =
            (ObjectKey::new(&cluster.namespace, &restart.pod), revision.unwrap_or_default());
        if let Some(wait) = self.removals.wait(&pod, revision) {
            done.look_again(wait);
            return RestartStep::Hold(Hold::CameBack(restart.pod));
        }
        self.removals.note(pod, cluster.clone(), revision);
        RestartStep::Restart(restart)
    }

    /// Whether a pod that lacks a volume goes now, from its claims and from IRIS itself.
    async fn replace(
        &self,
        cluster: &IrisCluster,
        key: &ObjectKey,
        stuck: &StuckSet,
        replacement: Replacement,
        pods: &[Pod],
    ) -> Result<RestartStep, ReconcileError> {
        let claims = match self.volumes.fetch(&self.engagement, &key.namespace, Marked::Only).await {
            Ok(claims) => Some(claims),
            Err(error) if error.category == Category::Forbidden.as_str() => None,
            Err(error) => return Err(error),
        };
        let finding = match stuck.mirror() {
            Some(shard) => self.ask_shard(cluster, key, shard).await,
            None => None,
        };
        let finding = finding.unwrap_or_default();
        Ok(replace_step(stuck, replacement, pods, claims.as_ref(), &finding))
    }

    /// Does what a step says, and tells what holds it.
    async fn take(
        &self,
        cluster: &ObjectKey,
        stepping: &Stepping<'_>,
        step: RestartStep,
        done: &mut Done,
    ) -> Result<(), ReconcileError> {
        let Stepping { set, stateful_set, gone, tells_passing } = stepping;
        let (hold, is_passing) = match step {
            RestartStep::Nothing => (None, false),
            RestartStep::Hold(hold) => (Some(hold.to_string()), hold.is_passing()),
            RestartStep::Restart(restart) => {
                self.engagement.brake.check()?;
                if self.volumes_of(cluster, stateful_set).await? != Volumes::Kept {
                    done.look_again(VOLUMES_WAIT);
                    return Ok(());
                }
                let pod = &restart.pod;
                let place = ObjectKey::new(&cluster.namespace, pod);
                match apply::evict_exact(&self.engagement.client, &place, &restart.uid).await? {
                    Eviction::Begun => {
                        done.told.push(gone(stateful_set, &restart));
                        (None, false)
                    }
                    Eviction::NotNow => {
                        (Some(format!("a PodDisruptionBudget does not let {pod} go now")), false)
                    }
                    Eviction::TooManyBudgets => {
                        let why = format!(
                            "more than one PodDisruptionBudget selects {pod}, and so nothing can be evicted: leave one"
                        );
                        (Some(why), false)
                    }
                    Eviction::Void => (None, false),
                }
            }
        };
        // What passes by itself is no news.
        let lasting = hold.as_deref().filter(|_| !is_passing);
        let set_key = ObjectKey::new(&cluster.namespace, *stateful_set);
        if self.holds.set(set_key, cluster.clone(), lasting) {
            done.told.extend(lasting.map(|why| held_event(stateful_set, why)));
        }
        done.holds.extend(hold.filter(|_| !is_passing || *tells_passing).map(|why| (*set, why)));
        Ok(())
    }

    /// Whether the volumes of a StatefulSet outlive its pods. Without the right to see claims an update goes on: only a
    /// claim that was condemned before, in a scale-down with another policy, goes with a pod that is replaced.
    async fn volumes_of(&self, cluster: &ObjectKey, stateful_set: &str) -> Result<Volumes, ReconcileError> {
        let place = ObjectKey::new(&cluster.namespace, stateful_set);
        let Some(set) = apply::fetch::<StatefulSet>(&self.engagement.client, &place).await? else {
            return Ok(Volumes::NotYet);
        };
        match self.keep_volumes(&set).await {
            Err(error) if keeps_volumes(&set) && error.category == Category::Forbidden.as_str() => {
                Ok(Volumes::Kept)
            }
            other => other,
        }
    }

    /// A StatefulSet of a cluster and its pods as they are now; none when it is not the one that is meant.
    async fn fetch_set(
        &self,
        cluster: &IrisCluster,
        name: &str,
        uid: &str,
        selector: &str,
    ) -> Result<Option<(StatefulSet, Vec<Pod>)>, ReconcileError> {
        let Some(set) = self.fetch_ours(cluster, name, uid).await? else { return Ok(None) };
        let namespace = cluster.namespace().unwrap_or_default();
        let pods: Vec<Pod> = apply::fetch_selected(&self.engagement.client, &namespace, selector).await?;
        Ok(Some((set, pods)))
    }

    /// The next step, from the apiserver and from IRIS itself: what the watches have brought may be late.
    async fn next_step(
        &self,
        cluster: &IrisCluster,
        key: &ObjectKey,
        update: &MirrorUpdate,
    ) -> Result<RestartStep, ReconcileError> {
        let found = self.fetch_set(cluster, &update.stateful_set, &update.uid, &update.selector).await?;
        let Some((set, pods)) = found else { return Ok(RestartStep::Nothing) };
        let Some(finding) = self.ask_shard(cluster, key, update.shard).await else {
            return Ok(RestartStep::Nothing);
        };
        Ok(restart_step(update, &set, &pods, &finding))
    }

    /// What the mirror of a shard answers at this moment; none when there is no such shard.
    async fn ask_shard(&self, cluster: &IrisCluster, key: &ObjectKey, shard: usize) -> Option<Finding> {
        let mirrors = mirror_members(cluster);
        let members = mirrors.iter().find(|members| members.shard == shard)?;
        Some(self.ask_now(key, members).await)
    }
}

#[cfg(test)]
mod tests;
