//! Goes on with an update that its StatefulSet cannot go on with by itself: of a mirror whose primary is not member 0, or
//! past a pod that never started. It reads what is there at this moment and has one pod evicted at most. Which one is decided in `homebase-iris`; it never deletes a pod past the `PodDisruptionBudget`s.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use homebase_api::IrisCluster;
use homebase_core::ObjectKey;
use homebase_iris::cluster::primary::mirror_members;
use homebase_iris::cluster::{
    MirrorUpdate, Restart, RestartStep, StuckSet, held_event, restart_event, restart_step, stuck_pod,
    unstuck_event,
};
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

impl IrisClusterReconciler {
    /// Takes the next step of an update.
    pub(super) async fn go_on(
        &self,
        cluster: &IrisCluster,
        update: &MirrorUpdate,
        done: &mut Done,
    ) -> Result<(), ReconcileError> {
        let key = key_of(cluster);
        let set_key = ObjectKey::new(&key.namespace, &update.stateful_set);
        let hold = match self.next_step(cluster, &key, update).await? {
            RestartStep::Nothing => None,
            // That pods come up one after the other is what an update is, and the status says so.
            RestartStep::Hold(hold) => (!hold.is_passing()).then(|| hold.to_string()),
            RestartStep::Restart(Restart { pod, uid }) => {
                self.engagement.brake.check()?;
                let place = ObjectKey::new(&key.namespace, &pod);
                match apply::evict_exact(&self.engagement.client, &place, &uid).await? {
                    Eviction::Begun => {
                        done.told.push(restart_event(update, &Restart { pod, uid }));
                        None
                    }
                    Eviction::NotNow => Some(format!("a PodDisruptionBudget does not let {pod} go now")),
                    Eviction::Void => None,
                }
            }
        };
        let is_news = self.holds.set(set_key, key, hold.as_deref());
        if let Some(why) = hold {
            if is_news {
                done.told.push(held_event(update, &why));
            }
            done.holds.push((update.set(), why));
        }
        done.look_again(UPDATE_WAIT);
        Ok(())
    }

    /// Has a pod evicted that never started, when a StatefulSet waits for it and would make it anew in another way.
    pub(super) async fn get_past(
        &self,
        cluster: &IrisCluster,
        stuck: &StuckSet,
        done: &mut Done,
    ) -> Result<(), ReconcileError> {
        let StuckSet { stateful_set, uid, selector, .. } = stuck;
        let Some((set, pods)) = self.fetch_set(cluster, stateful_set, uid, selector).await? else {
            return Ok(());
        };
        let Some(restart) = stuck_pod(stuck, &set, &pods) else { return Ok(()) };
        self.engagement.brake.check()?;
        let place = ObjectKey::new(cluster.namespace().unwrap_or_default(), &restart.pod);
        match apply::evict_exact(&self.engagement.client, &place, &restart.uid).await? {
            Eviction::Begun => done.told.push(unstuck_event(stuck, &restart)),
            Eviction::NotNow | Eviction::Void => {}
        }
        done.look_again(UPDATE_WAIT);
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
        let mirrors = mirror_members(cluster);
        let Some(members) = mirrors.iter().find(|members| members.shard == update.shard) else {
            return Ok(RestartStep::Nothing);
        };
        let finding = self.ask_now(key, members).await;
        Ok(restart_step(update, &set, &pods, &finding))
    }
}
