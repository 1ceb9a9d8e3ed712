//! Goes on with an update that its StatefulSet cannot go on with by itself: of a mirror whose primary is not member 0, or
//! past a pod that never started or lacks a volume. It reads what is there at this moment and has one pod evicted at most.
//! Which one is decided in `homebase-iris`; it never deletes a pod past the `PodDisruptionBudget`s.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use homebase_api::IrisCluster;
use homebase_core::ObjectKey;
use homebase_iris::PlannedEvent;
use homebase_iris::cluster::names::NodeSet;
use homebase_iris::cluster::primary::{Finding, mirror_members};
use homebase_iris::cluster::{
    MirrorUpdate, Replacement, Restart, RestartStep, StuckSet, StuckStep, held_event, replace_step,
    restart_event, restart_step, stuck_step, unstuck_event,
};
use homebase_kube::Category;
use homebase_kube::apply::{self, Eviction, key_of};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;

use super::IrisClusterReconciler;
use super::apply_plan::Done;
use crate::reconcile::ReconcileError;

/// How soon to look again at an update that waits: for answers and budgets, of which nothing tells.
const UPDATE_WAIT: Duration = Duration::from_secs(5);

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
            StuckStep::Restart(restart) => RestartStep::Restart(restart),
            StuckStep::Replace(replacement) => self.replace(cluster, &key, stuck, replacement, &pods).await?,
        };
        let stepping = Stepping { set: stuck.set, stateful_set, gone: unstuck_event, tells_passing: true };
        self.take(&key, &stepping, step, done).await?;
        done.look_again(UPDATE_WAIT);
        Ok(InTheWay::Pod)
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
        let claims = match self.volumes.fetch(&self.engagement, &key.namespace).await {
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

    /// A StatefulSet of a cluster and its pods as they are now; none when it is not the one that is meant.
    async fn fetch_set(
        &self,
        cluster: &IrisCluster,
        name: &str,
        uid: &str,
        selector: &str,
    ) -> Result<Option<(StatefulSet, Vec<Pod>)>, ReconcileError> {
        let client = &self.engagement.client;
        let place = ObjectKey::new(cluster.namespace().unwrap_or_default(), name);
        let Some(set) = apply::fetch::<StatefulSet>(client, &place).await? else { return Ok(None) };
        if !self.stateful_sets.is_removable(&set, uid, cluster.uid().as_deref()) {
            return Ok(None);
        }
        let pods: Vec<Pod> = apply::fetch_selected(client, &place.namespace, selector).await?;
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
