//! Makes sure that no volume is deleted with a pod or with a StatefulSet before a step ends one: the set retains claims, and
//! neither it nor a pod of it owns one. It ends nothing itself, and never deletes a claim.

use homebase_api::IrisCluster;
use homebase_core::ObjectKey;
use homebase_iris::cluster::{OwnedClaim, keeps_volumes, owned_claims, retain_volumes};
use homebase_kube::Category;
use homebase_kube::apply::{self, WriteError, key_of};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::ResourceExt as _;
use serde_json::json;

use super::IrisClusterReconciler;
use crate::reconcile::ReconcileError;

/// Whether a step may end pods of a StatefulSet, or the set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Volumes {
    /// Every claim outlives them.
    Kept,
    /// That was just being arranged, and has to be looked at once more.
    NotYet,
}

/// Nobody may end pods of a StatefulSet now.
#[derive(Debug, thiserror::Error)]
enum KeepVolumesError {
    #[error(
        "StatefulSet {set} keeps its pods, because the hub cannot see whether their volumes would be deleted with them: \
         grant the hub list of persistentvolumeclaims"
    )]
    ListClaims {
        set: ObjectKey,
        #[source]
        source: WriteError,
    },
    #[error(
        "StatefulSet {set} keeps its pods, because its persistentVolumeClaimRetentionPolicy deletes their volumes and \
         cannot be set to Retain"
    )]
    Retain {
        set: ObjectKey,
        #[source]
        source: WriteError,
    },
    #[error(
        "StatefulSet {set} keeps its pods, because PersistentVolumeClaim {claim} is owned by {owner} and would be \
         deleted with it: remove that owner reference"
    )]
    Release {
        set: ObjectKey,
        claim: String,
        owner: String,
        #[source]
        source: WriteError,
    },
}

impl From<KeepVolumesError> for ReconcileError {
    fn from(error: KeepVolumesError) -> Self {
        let (KeepVolumesError::ListClaims { source, .. }
        | KeepVolumesError::Retain { source, .. }
        | KeepVolumesError::Release { source, .. }) = &error;
        Self { category: source.category().as_str(), retry: source.retry(), source: Box::new(error) }
    }
}

/// What has changed since it was read is read once more; other failures are failures.
fn not_yet<T>(written: Result<T, WriteError>) -> Result<Option<T>, WriteError> {
    match written {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if matches!(error.category(), Category::Conflict | Category::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

impl IrisClusterReconciler {
    /// Sees to it that a StatefulSet, as the apiserver has just answered it, loses no volume with its pods.
    pub(super) async fn keep_volumes(&self, set: &StatefulSet) -> Result<Volumes, ReconcileError> {
        let key = key_of(set);
        if !keeps_volumes(set) {
            // Its controller has to see that before anything else, or it makes pods owners of claims once more.
            self.retain(&key, set).await?;
            return Ok(Volumes::NotYet);
        }
        let templates = set.spec.as_ref().and_then(|spec| spec.volume_claim_templates.as_ref());
        if templates.is_none_or(Vec::is_empty) {
            return Ok(Volumes::Kept);
        }
        let client = &self.engagement.client;
        let listed = apply::fetch_selected::<PersistentVolumeClaim>(client, &key.namespace, "").await;
        let claims = listed.map_err(|source| KeepVolumesError::ListClaims { set: key.clone(), source })?;
        let owned = owned_claims(&key.name, &claims);
        let seen = set.status.as_ref().and_then(|status| status.observed_generation);
        if owned.is_empty() {
            return Ok(Volumes::Kept);
        }
        if seen < set.metadata.generation {
            return Ok(Volumes::NotYet);
        }
        for claim in owned {
            self.release(&key, claim).await?;
        }
        Ok(Volumes::NotYet)
    }

    /// Has every StatefulSet of a cluster keep its volumes, those that are to go and those that are held back among them:
    /// nothing else is written of them.
    pub(super) async fn retain_volumes(&self, cluster: &IrisCluster) -> Result<(), ReconcileError> {
        let (sets, _) = self.observe_stateful_sets(cluster);
        let owner = cluster.uid();
        for (name, observed) in sets.iter().filter(|(_, observed)| observed.deletes_volumes) {
            let key = ObjectKey::new(cluster.namespace().unwrap_or_default(), name);
            let found: Option<StatefulSet> = apply::fetch(&self.engagement.client, &key).await?;
            let is_ours = |set: &StatefulSet| {
                self.stateful_sets.is_removable(set, &observed.uid, owner.as_deref()) && !keeps_volumes(set)
            };
            if let Some(found) = found.filter(is_ours) {
                self.retain(&key, &found).await?;
            }
        }
        Ok(())
    }

    async fn retain(&self, key: &ObjectKey, set: &StatefulSet) -> Result<(), ReconcileError> {
        let (uid, version) = (set.uid().unwrap_or_default(), set.resource_version().unwrap_or_default());
        let client = &self.engagement.client;
        let patched = apply::patch_exact::<StatefulSet>(client, key, &uid, &version, retain_volumes()).await;
        let patched =
            not_yet(patched).map_err(|source| KeepVolumesError::Retain { set: key.clone(), source })?;
        if let Some(patched) = patched {
            tracing::warn!(stateful_set = %key, "its persistentVolumeClaimRetentionPolicy deleted volumes: set to Retain");
            self.stateful_sets.note(&patched);
        }
        Ok(())
    }

    async fn release(&self, set: &ObjectKey, claim: OwnedClaim) -> Result<(), ReconcileError> {
        let OwnedClaim { name, uid, resource_version, owner, others } = claim;
        let key = ObjectKey::new(&set.namespace, &name);
        let patch = json!({ "metadata": { "ownerReferences": others } });
        let client = &self.engagement.client;
        let patched =
            apply::patch_exact::<PersistentVolumeClaim>(client, &key, &uid, &resource_version, patch).await;
        match not_yet(patched) {
            Ok(Some(_)) => {
                tracing::warn!(claim = %key, owner, "the volume would have been deleted with its owner: released");
                Ok(())
            }
            Ok(None) => Ok(()),
            Err(source) => {
                Err(KeepVolumesError::Release { set: set.clone(), claim: name, owner, source }.into())
            }
        }
    }
}
