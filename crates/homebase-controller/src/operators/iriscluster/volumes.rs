//! The claims of the pods on one cluster: what is known of them, and asking for more where a plan says so. It decides no
//! size, and it never makes or deletes a claim.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use homebase_api::{IrisCluster, labels};
use homebase_core::{Backoff, Chain, ObjectKey};
use homebase_iris::cluster::{ClaimGrowth, Claims, GrowthRefusal, ObservedClaim};
use homebase_kube::Category;
use homebase_kube::apply::{self, WriteError};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::ResourceExt as _;
use serde_json::json;
use tokio::time::Instant;

use super::super::gate::{Gate, Woken};
use super::IrisClusterReconciler;
use crate::reconcile::{Engagement, ReconcileError, Watch};
use crate::store::{Change, Store};
use crate::watching::Subject;

#[cfg(test)]
mod tests;

/// How long a refused growth waits for another try: what was refused may be allowed any time by somebody who changes a
/// storage class or a quota, and nothing tells of that.
const GROWTH_RETRY: Backoff = Backoff { first: Duration::from_secs(5), cap: Duration::from_secs(300) };

/// The soonest that it is looked at again, however long it is due.
const SHORTEST_RETRY: Duration = Duration::from_secs(1);

/// What is kept of a claim.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Claim {
    /// The `IrisCluster` by its label; claims that somebody else made may lack it.
    cluster: Option<String>,
    observed: ObservedClaim,
}

impl Claim {
    fn of(claim: &PersistentVolumeClaim) -> Self {
        Self { cluster: claim.labels().get(labels::NAME).cloned(), observed: ObservedClaim::from(claim) }
    }

    fn is_of(&self, cluster: &str) -> bool {
        self.cluster.as_deref().is_none_or(|name| name == cluster)
    }
}

/// A growth that was refused. It is forgotten with the hub, which then asks once more.
struct Refusal {
    cluster: String,
    uid: String,
    to: Quantity,
    words: String,
    failures: u32,
    due: Instant,
}

/// What became of a request for more.
pub(super) enum Grown {
    /// The apiserver took it.
    Asked,
    /// It refused, and why.
    Refused(String),
    /// The claim has changed since it was looked at.
    Superseded,
}

/// Which claims are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Marked {
    /// Those with the label that is watched.
    Only,
    /// All of them: somebody may have taken the label away.
    OrNot,
}

/// The claims on one cluster.
#[derive(Default)]
pub(super) struct Volumes {
    store: Store<Claim>,
    refusals: Mutex<HashMap<ObjectKey, Refusal>>,
}

impl Volumes {
    fn refusals(&self) -> MutexGuard<'_, HashMap<ObjectKey, Refusal>> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether waiting would bring more. Without the right to list claims it would not.
    pub(super) fn is_settled_in(&self, namespace: &str) -> bool {
        self.store.is_settled_in(namespace)
    }

    /// The claims that may be those of a cluster.
    pub(super) fn observe(&self, cluster: &IrisCluster) -> Claims {
        let (namespace, name) = (cluster.namespace().unwrap_or_default(), cluster.name_any());
        if !self.store.is_readable_in(&namespace) {
            return Claims::Unknown;
        }
        let found = self.store.in_namespace(&namespace, |claim| claim.is_of(&name));
        let (mut refusals, now) = (self.refusals(), Instant::now());
        refusals.retain(|key, known| {
            key.namespace != namespace || known.cluster != name || self.store.get(key).is_some()
        });
        let with_refusal = |(key, Claim { mut observed, .. }): (ObjectKey, Claim)| {
            let refusal = refusals.get(&key).filter(|known| known.uid == observed.uid && now < known.due);
            observed.refusal =
                refusal.map(|known| GrowthRefusal { to: known.to.clone(), words: known.words.clone() });
            (key.name, observed)
        };
        Claims::Known(found.into_iter().map(with_refusal).collect())
    }

    /// Has a claim ask for more.
    pub(super) async fn grow(
        &self,
        engagement: &Engagement,
        cluster: &IrisCluster,
        growth: &ClaimGrowth,
    ) -> Result<Grown, ReconcileError> {
        let ClaimGrowth { claim, uid, resource_version, from: _, to } = growth;
        let key = ObjectKey::new(cluster.namespace().unwrap_or_default(), claim);
        let patch = json!({ "spec": { "resources": { "requests": { "storage": to } } } });
        let asked = apply::patch_exact::<PersistentVolumeClaim>(
            &engagement.client,
            &key,
            uid,
            resource_version,
            patch,
        );
        match asked.await {
            Ok(grown) => {
                self.store.note(&grown, Claim::of);
                self.refusals().remove(&key);
                Ok(Grown::Asked)
            }
            Err(error) => match error.category() {
                Category::Conflict | Category::NotFound => Ok(Grown::Superseded),
                Category::Forbidden | Category::Denied | Category::Invalid => {
                    let words = words(to, &error);
                    self.refuse(key, &cluster.name_any(), growth, &words);
                    Ok(Grown::Refused(words))
                }
                _ => Err(error.into()),
            },
        }
    }

    fn refuse(&self, key: ObjectKey, cluster: &str, growth: &ClaimGrowth, words: &str) {
        let mut refusals = self.refusals();
        let before = refusals.get(&key).filter(|known| known.uid == growth.uid && known.to == growth.to);
        let failures = before.map_or(0, |known| known.failures).saturating_add(1);
        let refusal = Refusal {
            cluster: cluster.to_owned(),
            uid: growth.uid.clone(),
            to: growth.to.clone(),
            words: words.to_owned(),
            failures,
            // Nobody else asks for this claim, so there is no crowd to spread.
            due: Instant::now() + GROWTH_RETRY.ceiling(failures),
        };
        refusals.insert(key, refusal);
    }

    /// How long until the first of these claims, whose growth is refused, is due for another try.
    pub(super) fn next_try<'a>(
        &self,
        namespace: &str,
        claims: impl Iterator<Item = &'a str>,
    ) -> Option<Duration> {
        let refusals = self.refusals();
        let known = claims.filter_map(|claim| refusals.get(&ObjectKey::new(namespace, claim)));
        let due = known.map(|refusal| refusal.due).min()?;
        // What is due stays due where something else keeps it from being tried.
        Some(due.saturating_duration_since(Instant::now()).max(SHORTEST_RETRY))
    }

    /// Forgets what was refused to a cluster that is gone.
    pub(super) fn forget(&self, cluster: &ObjectKey) {
        let is_of = |key: &ObjectKey, known: &Refusal| {
            key.namespace == cluster.namespace && known.cluster == cluster.name
        };
        self.refusals().retain(|key, known| !is_of(key, known));
    }

    /// The claims of a namespace as they are now.
    pub(super) async fn fetch(
        &self,
        engagement: &Engagement,
        namespace: &str,
        which: Marked,
    ) -> Result<BTreeMap<String, ObservedClaim>, ReconcileError> {
        let selector = match which {
            Marked::Only => selector(),
            Marked::OrNot => String::new(),
        };
        let live =
            apply::fetch_selected::<PersistentVolumeClaim>(&engagement.client, namespace, &selector).await?;
        Ok(live.iter().map(|claim| (claim.name_any(), ObservedClaim::from(claim))).collect())
    }
}

/// The one label that claims have from whatever made them: the StatefulSet controller gives them those of the selector,
/// and not the one that says who manages the set.
fn selector() -> String {
    format!("{}={}", labels::KIND, labels::KIND_IRIS_CLUSTER)
}

/// Why a claim does not grow, and what to do about it.
fn words(to: &Quantity, error: &WriteError) -> String {
    let cause = Chain(error).to_string();
    let fix = if cause.contains("quota") {
        "raise the quota of the namespace"
    } else if cause.contains("must support resize") {
        "set allowVolumeExpansion of its StorageClass to true, if what provides the volume can"
    } else if cause.contains("cannot patch resource") {
        "grant the hub patch of persistentvolumeclaims"
    } else {
        "let the claim grow"
    };
    format!("does not grow to {}: {cause}; {fix}: it is tried again", to.0)
}

impl IrisClusterReconciler {
    pub(super) fn watch_claims(self: &Arc<Self>, gate: &Arc<Gate>) -> Vec<Watch> {
        let (this, gate) = (self.clone(), gate.clone());
        self.engagement.watching.objects::<PersistentVolumeClaim, _>(
            &self.engagement.client,
            Subject::of("PersistentVolumeClaim").selected_by(&selector()).if_granted(),
            &self.volumes.store,
            Claim::of,
            move |changes: Vec<Change<Claim>>| {
                let woken: Vec<_> = changes.iter().flat_map(|change| this.users_of_claim(change)).collect();
                gate.pass(|namespace| this.is_synced_in(namespace), || this.all(), woken);
            },
        )
    }

    /// The clusters that a change of a claim concerns: the one that its label names, or each of its namespace.
    fn users_of_claim(&self, change: &Change<Claim>) -> Vec<Woken> {
        let namespace = &change.key.namespace;
        let claim = change.after.as_ref().or(change.before.as_ref());
        if let Some(name) = claim.and_then(|claim| claim.cluster.as_ref()) {
            return vec![(ObjectKey::new(namespace, name), change.listed)];
        }
        let all = self.objects.in_namespace(namespace, |_| true);
        all.into_iter().map(|(key, _)| (key, change.listed)).collect()
    }
}
