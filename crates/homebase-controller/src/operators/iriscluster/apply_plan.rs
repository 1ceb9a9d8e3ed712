//! The fourth step of a reconcile: sends what a plan says, in its order, and removes what it says to remove. It
//! has no choices of its own, and it never deletes a volume.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use homebase_api::iriscluster::MirrorRole;
use homebase_api::{IrisCluster, annotations, labels};
use homebase_core::ObjectKey;
use homebase_iris::cluster::names::NodeSet;
use homebase_iris::cluster::{
    AdoptedPods, ChildKind, ClaimGrowth, MirrorLabel, MirrorUpdate, ObservedChild, ObservedStatefulSet, Plan,
    Prepared, PruneStep, Recreation, Storage, StuckSet, adopted_event, growth_event, prune_event,
    recreation_event, retain_volumes,
};
use homebase_iris::{Failure, PlannedEvent};
use homebase_kube::Category;
use homebase_kube::apply::{self, Dependents, key_of};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Pod;
use kube::{Resource as _, ResourceExt as _};
use serde_json::json;

use super::super::children::Foreign;
use super::super::report::{failure_of, send};
use super::IrisClusterReconciler;
use super::keep_volumes::Volumes;
use super::restart::InTheWay;
use super::volumes::{Grown, Marked};
use crate::reconcile::{Outcome, ReconcileError};

/// How soon to try again what somebody has to make possible first, of which nothing tells.
const HOLD_WAIT: Duration = Duration::from_secs(60);
/// How soon to look again at a StatefulSet whose pods are going away, in case its status is not what wakes us.
const SCALE_DOWN_WAIT: Duration = Duration::from_secs(10);
/// How soon to look again at volumes that are being kept: their StatefulSet controller has to see it first.
pub(super) const VOLUMES_WAIT: Duration = Duration::from_secs(1);
/// How soon to look again at what was not as the watches had it; the news of it should be here before.
const NEWS_WAIT: Duration = Duration::from_secs(5);

/// What the sending of a plan came to.
pub(super) struct Done {
    pub(super) outcome: Outcome,
    /// StatefulSets that had to be sent, by name, as the apiserver answered them.
    pub(super) answered: BTreeMap<String, ObservedStatefulSet>,
    /// What was done that the plan cannot tell: children taken over, made anew, removed; pods restarted; volumes asked to
    /// grow.
    pub(super) told: Vec<PlannedEvent>,
    /// Claims whose growth was refused, and why.
    pub(super) refused: Vec<(String, String)>,
    /// Nodes whose pods could not be restarted, and why.
    pub(super) holds: Vec<(NodeSet, String)>,
    /// The first failure of a step on which no other depends.
    failed: Option<ReconcileError>,
}

impl Default for Done {
    fn default() -> Self {
        Self {
            outcome: Outcome::Done,
            answered: BTreeMap::new(),
            told: Vec::new(),
            refused: Vec::new(),
            holds: Vec::new(),
            failed: None,
        }
    }
}

impl Done {
    /// Keeps the failure of a step on which no other depends, so that the others are taken all the same.
    fn keep<T>(&mut self, step: Result<T, ReconcileError>) -> Option<T> {
        match step {
            Ok(value) => Some(value),
            Err(error) => {
                self.failed.get_or_insert(error);
                None
            }
        }
    }

    /// The same for the restart of pods, which somebody may have to make possible first.
    fn hold(&mut self, set: NodeSet, step: Result<(), ReconcileError>) {
        match step {
            Err(error) if failure_of(&error) != Failure::Transient => {
                self.holds.push((set, error.message()));
                self.look_again(HOLD_WAIT);
            }
            other => drop(self.keep(other)),
        }
    }

    fn adopted(&mut self, kind: ChildKind, name: &str, adopted: Option<AdoptedPods>) {
        self.told.extend(adopted.map(|pods| adopted_event(kind, name, pods)));
    }

    /// Another look after this time at the latest.
    pub(super) fn look_again(&mut self, delay: Duration) {
        self.outcome = match self.outcome {
            Outcome::After(earlier) if earlier <= delay => Outcome::After(earlier),
            _ => Outcome::After(delay),
        };
    }
}

impl IrisClusterReconciler {
    /// Sends a plan.
    pub(super) async fn apply(
        &self,
        cluster: &IrisCluster,
        plan: &Plan<Prepared>,
    ) -> Result<Done, ReconcileError> {
        let Plan {
            headless_service,
            service,
            group_services,
            config_maps,
            stateful_sets,
            recreations,
            growths,
            mirror_labels,
            updates,
            stuck,
            prune,
            storage,
            // What is held back is told in the status, and not sent.
            waiting: _,
            observed: (),
        } = plan;
        let engagement = &self.engagement;
        // Before all else: whatever of the rest cannot be applied, the Service has to lead to the primary.
        let labelled = self.set_labels(&key_of(cluster), mirror_labels).await;
        let foreign = if may_adopt(cluster) { Foreign::Adopt } else { Foreign::Refuse };
        let mut done = Done::default();
        done.keep(labelled);
        // Whatever of the rest is held back or fails, no volume may be lost meanwhile.
        let retained = self.retain_volumes(cluster).await;
        done.keep(retained);
        self.services.ensure(engagement, headless_service.clone(), Foreign::Accept).await?;
        for service in std::iter::once(service).chain(group_services) {
            let answer = self.services.ensure(engagement, service.clone(), foreign).await?;
            done.adopted(ChildKind::Service, &service.name_any(), answer.and_then(|answer| answer.adopted));
        }
        for config_map in config_maps {
            let answer = self.config_maps.ensure(engagement, config_map.clone(), foreign).await?;
            done.adopted(
                ChildKind::ConfigMap,
                &config_map.name_any(),
                answer.and_then(|answer| answer.adopted),
            );
        }
        for set in stateful_sets {
            let name = set.name_any();
            if let Some(recreation) = recreations.iter().find(|recreation| recreation.stateful_set == name) {
                // It is applied when it is gone, which the watch tells.
                let made_way = self.make_way(cluster, recreation).await;
                match done.keep(made_way) {
                    Some(Way::Made) => done.told.push(recreation_event(recreation)),
                    Some(Way::VolumesFirst) => done.look_again(VOLUMES_WAIT),
                    Some(Way::Blocked) | None => {}
                }
                done.look_again(NEWS_WAIT);
                continue;
            }
            let may_shrink = self.may_shrink(cluster, set).await;
            if done.keep(may_shrink) != Some(Volumes::Kept) {
                done.look_again(VOLUMES_WAIT);
                continue;
            }
            let Some(answer) = self.stateful_sets.ensure(engagement, set.clone(), foreign).await? else {
                continue;
            };
            done.adopted(ChildKind::StatefulSet, &name, answer.adopted);
            done.answered.insert(name, answer.view);
        }
        self.restart_pods(cluster, stuck, updates, &mut done).await;
        let pruned = self.prune(cluster, prune, &mut done).await;
        done.keep(pruned);
        let grown = self.grow(cluster, growths, storage, &mut done).await;
        done.keep(grown);
        self.finish(cluster, done).await
    }

    /// Gets past pods that stand in the way, and goes on with updates of the sets in whose way none stands: the controller of
    /// a set that a pod stands in the way of would not make the ones behind it anew.
    async fn restart_pods(
        &self,
        cluster: &IrisCluster,
        stuck: &[StuckSet],
        updates: &[MirrorUpdate],
        done: &mut Done,
    ) {
        let mut waits = BTreeSet::new();
        for stuck in stuck {
            let got_past = self.get_past(cluster, stuck, done).await;
            if !matches!(got_past, Ok(InTheWay::Nothing)) {
                waits.insert(stuck.uid.as_str());
            }
            done.hold(stuck.set, got_past.map(drop));
        }
        for update in updates.iter().filter(|update| !waits.contains(update.uid.as_str())) {
            let gone_on = self.go_on(cluster, update, done).await;
            done.hold(update.set(), gone_on);
        }
    }

    /// Fails after all where a step has failed; what was done beside it is told all the same.
    async fn finish(&self, cluster: &IrisCluster, mut done: Done) -> Result<Done, ReconcileError> {
        let Some(error) = done.failed.take() else { return Ok(done) };
        send(&self.engagement, &cluster.object_ref(&()), &done.told).await;
        Err(error)
    }

    async fn grow(
        &self,
        cluster: &IrisCluster,
        growths: &[ClaimGrowth],
        storage: &Storage,
        done: &mut Done,
    ) -> Result<(), ReconcileError> {
        for growth in growths {
            match self.volumes.grow(&self.engagement, cluster, growth).await? {
                Grown::Asked => {
                    done.told.push(growth_event(growth));
                    // What others did to the claim meanwhile came with the answer, and wakes nobody any more.
                    done.look_again(NEWS_WAIT);
                }
                Grown::Refused(words) => {
                    done.refused.push((growth.claim.clone(), words));
                    // What waited for this claim waits no more.
                    done.look_again(Duration::ZERO);
                }
                Grown::Superseded => done.look_again(NEWS_WAIT),
            }
        }
        let refused = done.refused.iter().map(|(claim, _)| claim.as_str());
        if let Some(delay) = self
            .volumes
            .next_try(&cluster.namespace().unwrap_or_default(), storage.refused_claims().chain(refused))
        {
            done.look_again(delay);
        }
        Ok(())
    }

    async fn prune(
        &self,
        cluster: &IrisCluster,
        prune: &[ObservedChild],
        done: &mut Done,
    ) -> Result<(), ReconcileError> {
        for child in prune {
            match self.remove(cluster, child).await? {
                Removal::Done => done.told.push(prune_event(child, PruneStep::Deleted)),
                Removal::Begun { from } => {
                    done.told.push(prune_event(child, PruneStep::ScaledToZero { from }));
                    done.look_again(SCALE_DOWN_WAIT);
                }
                Removal::UnderWay => done.look_again(SCALE_DOWN_WAIT),
                Removal::VolumesFirst => done.look_again(VOLUMES_WAIT),
                Removal::Void => {}
            }
        }
        Ok(())
    }

    /// Deletes a StatefulSet that is to be made anew and leaves its pods running, after a look at each of their claims:
    /// a pod that is restarted meanwhile must find its volume.
    async fn make_way(&self, cluster: &IrisCluster, recreation: &Recreation) -> Result<Way, ReconcileError> {
        let Recreation { stateful_set, uid, templates, .. } = recreation;
        self.engagement.brake.check()?;
        let namespace = cluster.namespace().unwrap_or_default();
        if let Some(found) = self.fetch_ours(cluster, stateful_set, uid).await?
            && self.keep_volumes(&found).await? != Volumes::Kept
        {
            return Ok(Way::VolumesFirst);
        }
        if !templates.is_empty() {
            let live = self.volumes.fetch(&self.engagement, &namespace, Marked::OrNot).await?;
            if !recreation.may_begin(&live) {
                return Ok(Way::Blocked);
            }
        }
        let key = ObjectKey::new(namespace, stateful_set);
        let owner = cluster.uid();
        let removed = self
            .stateful_sets
            .remove(&self.engagement, &key, uid, owner.as_deref(), Dependents::Orphan)
            .await?;
        Ok(if removed { Way::Made } else { Way::Blocked })
    }

    /// Whether a StatefulSet may be applied: with fewer pods only when their volumes outlive them.
    async fn may_shrink(
        &self,
        cluster: &IrisCluster,
        planned: &StatefulSet,
    ) -> Result<Volumes, ReconcileError> {
        let name = planned.name_any();
        let (known, _) = self.observe_stateful_sets(cluster);
        let Some(known) = known.get(&name) else { return Ok(Volumes::Kept) };
        let wanted = planned.spec.as_ref().and_then(|spec| spec.replicas);
        if wanted.is_none_or(|wanted| wanted >= known.replicas) {
            return Ok(Volumes::Kept);
        }
        match self.fetch_ours(cluster, &name, &known.uid).await? {
            Some(found) => self.keep_volumes(&found).await,
            None => Ok(Volumes::Kept),
        }
    }

    /// A StatefulSet of a cluster as it is at this moment; none when it is another one, or not the cluster's.
    pub(super) async fn fetch_ours(
        &self,
        cluster: &IrisCluster,
        name: &str,
        uid: &str,
    ) -> Result<Option<StatefulSet>, ReconcileError> {
        let key = ObjectKey::new(cluster.namespace().unwrap_or_default(), name);
        let found: Option<StatefulSet> = apply::fetch(&self.engagement.client, &key).await?;
        let owner = cluster.uid();
        Ok(found.filter(|set| self.stateful_sets.is_removable(set, uid, owner.as_deref())))
    }

    /// Sets labels in their order, and none after one that could not be set: the pod has changed or gone since, and that
    /// news is on its way and brings us back here.
    pub(super) async fn set_labels(
        &self,
        cluster: &ObjectKey,
        labels: &[MirrorLabel],
    ) -> Result<(), ReconcileError> {
        for MirrorLabel { pod, uid, resource_version, role } in labels {
            let key = ObjectKey::new(&cluster.namespace, pod);
            let patch = json!({ "metadata": { "labels": { labels::MIRROR_ROLE: role.as_str() } } });
            let client = &self.engagement.client;
            match apply::patch_exact::<Pod>(client, &key, uid, resource_version, patch).await {
                Ok(_) => tracing::info!(pod = %key, role = role.as_str(), "mirror role labelled"),
                Err(error) if matches!(error.category(), Category::Conflict | Category::NotFound) => {
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            }
            if *role == MirrorRole::Primary
                && let Some(since) = self.mirrors.take_primary_since(cluster, uid)
            {
                self.engagement.metrics.mirrors.relabelled(since);
            }
        }
        Ok(())
    }

    async fn remove(&self, cluster: &IrisCluster, child: &ObservedChild) -> Result<Removal, ReconcileError> {
        let ObservedChild { kind, name, uid } = child;
        let key = ObjectKey::new(cluster.namespace().unwrap_or_default(), name);
        let owner = cluster.uid();
        let removed = match kind {
            ChildKind::StatefulSet => return self.remove_stateful_set(cluster, &key, uid).await,
            ChildKind::Service => {
                self.services
                    .remove(&self.engagement, &key, uid, owner.as_deref(), Dependents::Delete)
                    .await?
            }
            ChildKind::ConfigMap => {
                self.config_maps
                    .remove(&self.engagement, &key, uid, owner.as_deref(), Dependents::Delete)
                    .await?
            }
        };
        Ok(if removed { Removal::Done } else { Removal::Void })
    }

    /// Removes a StatefulSet in two steps, scaling to zero and then deleting with orphans: so its pods end one
    /// after the other as its own controller does it, and no mistake here can take running pods with it.
    async fn remove_stateful_set(
        &self,
        cluster: &IrisCluster,
        key: &ObjectKey,
        uid: &str,
    ) -> Result<Removal, ReconcileError> {
        let client = &self.engagement.client;
        let owner = cluster.uid();
        let Some(found) = self.fetch_ours(cluster, &key.name, uid).await? else { return Ok(Removal::Void) };
        // While its pods end too: somebody may have changed the policy since it was scaled.
        if self.keep_volumes(&found).await? != Volumes::Kept {
            return Ok(Removal::VolumesFirst);
        }
        let wanted = found.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
        if wanted > 0 {
            self.engagement.brake.check()?;
            let version = found.resource_version().unwrap_or_default();
            let mut patch = retain_volumes();
            patch["spec"]["replicas"] = json!(0);
            let scaled = apply::patch_exact::<StatefulSet>(client, key, uid, &version, patch).await?;
            // Or the deletion, if the watch is late, is taken for a scaling once more and told as one.
            self.stateful_sets.note(&scaled);
            return Ok(Removal::Begun { from: wanted });
        }
        let status = found.status.unwrap_or_default();
        let is_empty = status.replicas == 0 && status.observed_generation == found.metadata.generation;
        if !is_empty {
            return Ok(Removal::UnderWay);
        }
        let removed = self
            .stateful_sets
            .remove(&self.engagement, key, uid, owner.as_deref(), Dependents::Orphan)
            .await?;
        Ok(if removed { Removal::Done } else { Removal::Void })
    }
}

/// Whether the user wants children to be taken over that belong to nobody.
fn may_adopt(cluster: &IrisCluster) -> bool {
    cluster.annotations().get(annotations::ADOPT).is_some_and(|value| value == labels::TRUE)
}

/// Whether a StatefulSet that is to be recreated is out of the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// It was deleted.
    Made,
    /// It stays: a claim is not bound, or it is not the one that was meant.
    Blocked,
    /// A volume could be lost with it.
    VolumesFirst,
}

/// How far a removal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Removal {
    /// It was deleted.
    Done,
    /// It was gone already, or is not ours to remove.
    Void,
    /// It was scaled to zero just now.
    Begun {
        /// Pods wanted before.
        from: i32,
    },
    /// Its pods are ending.
    UnderWay,
    /// A volume could be lost with it.
    VolumesFirst,
}
