//! The objects of one kind that the hub made on one cluster: what is known of them, and writing them only when
//! they are not what they should be. It decides neither their content nor their existence.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use homebase_api::{annotations, labels};
use homebase_core::{Fingerprint, ObjectKey, Retry};
use homebase_iris::cluster::AdoptedPods;
use homebase_kube::apply::{self, Dependents, Object, WriteError, key_of};
use homebase_kube::claim::HubClaim;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{Client, Resource, ResourceExt as _};

use super::gate::Woken;
use crate::reconcile::{Engagement, ReconcileError, Watch};
use crate::store::{Change, Store};
use crate::watching::Subject;

mod adoption;
mod replicas;
#[cfg(test)]
mod tests;

pub(super) use self::adoption::PodTemplate;

/// What is known of a child: a view of it, and a mark that tells whether somebody changed it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Child<V> {
    pub(super) uid: String,
    pub(super) owner: Option<Owner>,
    pub(super) deleting: bool,
    pub(super) view: V,
    /// The hub that wrote it.
    hub: Option<String>,
    mark: Option<Fingerprint>,
}

/// The controller of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) name: String,
    pub(super) uid: String,
}

impl From<&OwnerReference> for Owner {
    fn from(reference: &OwnerReference) -> Self {
        Self { name: reference.name.clone(), uid: reference.uid.clone() }
    }
}

/// What was sent last, and what the apiserver made of it.
struct Sent {
    wanted: Fingerprint,
    became: Option<Fingerprint>,
    uid: String,
    /// The name of its owner; none for what is shared.
    owner: Option<String>,
}

/// A write of a child that cannot be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum EnsureError {
    #[error(
        "{kind} {key} exists and is not ours, so it is left alone: delete or rename it, or rename the resource that \
         needs the name"
    )]
    KeepForeign { kind: String, key: ObjectKey },
    #[error(
        "{kind} {key} exists with the labels of this IrisCluster and belongs to nobody, so it is left alone: annotate \
         the IrisCluster with {adopt}=true to have it taken over, or delete or rename the object",
        adopt = annotations::ADOPT
    )]
    KeepOwnerless { kind: String, key: ObjectKey },
    #[error(
        "{kind} {key} was written by another hub ({hub}), so it is left alone: end that hub's registration of this \
         cluster and start this hub with --take-over {hub}"
    )]
    KeepOtherHubs { kind: String, key: ObjectKey, hub: String },
    #[error("mark {kind} {key}")]
    MarkObject {
        kind: String,
        key: ObjectKey,
        #[source]
        source: serde_json::Error,
    },
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl From<EnsureError> for ReconcileError {
    fn from(error: EnsureError) -> Self {
        match error {
            EnsureError::Write(error) => error.into(),
            // Nothing tells of the change of an object that is not ours, so look again now and then.
            EnsureError::KeepForeign { .. } | EnsureError::KeepOwnerless { .. } => {
                Self { category: "NameTaken", retry: Retry::Backoff, source: Box::new(error) }
            }
            EnsureError::KeepOtherHubs { .. } => {
                Self { category: "OtherHub", retry: Retry::Backoff, source: Box::new(error) }
            }
            EnsureError::MarkObject { .. } => {
                Self { category: "Other", retry: Retry::AfterChange, source: Box::new(error) }
            }
        }
    }
}

/// Whether an object that has our child's name and is not ours may be used as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Foreign {
    /// No: the child is ours alone.
    Refuse,
    /// Only if it belongs to nobody and has the labels of the child: the user has said so.
    Adopt,
    /// Yes: it is shared by everybody in its namespace.
    Accept,
}

/// What the apiserver made of a child that had to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer<V> {
    /// The child as it was answered.
    pub(super) view: V,
    /// What became of its pods, if it was taken over from another operator.
    pub(super) adopted: Option<AdoptedPods>,
}

/// Asks whether the object with this key and UID is there.
type OwnerCheck = for<'a> fn(&'a Client, &'a ObjectKey, &'a str) -> BoxFuture<'a, Result<bool, WriteError>>;

/// The children of one kind.
pub(super) struct Children<K, V> {
    pub(super) store: Store<Child<V>>,
    sent: Mutex<HashMap<ObjectKey, Sent>>,
    hub: Arc<HubClaim>,
    /// Whether an owner is there at this moment.
    owner_exists: OwnerCheck,
    /// For a kind whose objects make pods.
    template: Option<PodTemplate<K>>,
    kind: PhantomData<fn() -> K>,
}

impl<K, V> Children<K, V>
where
    K: Object,
    V: Clone + PartialEq + Send + Sync + for<'a> From<&'a K> + 'static,
{
    /// Children that objects of the kind `O` own.
    pub(super) fn of<O: Object>(hub: Arc<HubClaim>) -> Self {
        let owner_exists: OwnerCheck =
            |client, key, uid| Box::pin(async move { apply::exists::<O>(client, key, uid).await });
        let (store, sent) = (Store::default(), Mutex::default());
        Self { store, sent, hub, owner_exists, template: None, kind: PhantomData }
    }

    /// The same for a kind whose objects make pods.
    pub(super) fn with_template(self, template: PodTemplate<K>) -> Self {
        Self { template: Some(template), ..self }
    }

    /// The watches of these children. `on_change` is called for a complete listing too, with no changes.
    pub(super) fn watches(
        &self,
        engagement: &Engagement,
        kind: &'static str,
        on_change: impl FnMut(Vec<Change<Child<V>>>) + Clone + Send + 'static,
    ) -> Vec<Watch> {
        let selector = format!("{}={}", labels::MANAGED_BY, labels::MANAGED_BY_HOMEBASE);
        engagement.watching.objects::<K, Child<V>>(
            &engagement.client,
            Subject::of(kind).selected_by(&selector),
            &self.store,
            view,
            on_change,
        )
    }

    /// The children of an owner.
    pub(super) fn owned_by(&self, namespace: &str, owner_uid: &str) -> Vec<(ObjectKey, Child<V>)> {
        self.store
            .in_namespace(namespace, |child| child.owner.as_ref().is_some_and(|owner| owner.uid == owner_uid))
    }

    /// [`Children::ensure`] of a child of which every field can become what it should be.
    async fn ensure_whole(
        &self,
        engagement: &Engagement,
        mut wanted: K,
        foreign: Foreign,
    ) -> Result<Option<Answer<V>>, EnsureError> {
        let key = key_of(&wanted);
        let unclaimed = wanted.clone();
        wanted.annotations_mut().insert(annotations::HUB_ID.to_owned(), self.hub.id.clone());
        let mark = mark_of(&key, &wanted)?;
        let owner_uid = controller(&wanted).map(|owner| owner.uid);
        let known = self.store.get(&key);
        match &known {
            Some(known) if self.is_sent(&key, mark, known) => return Ok(None),
            Some(known) if !self.hub.may_write(known.hub.as_deref()) => {
                return Self::keep_other_hubs(key, known.hub.as_deref(), foreign);
            }
            Some(known)
                if (known.hub.is_some() || owner_uid.is_none())
                    && is_ours(known.owner.as_ref(), owner_uid.as_deref()) =>
            {
                // Should another object have this name by now, the apiserver answers 409 instead of changing it.
                wanted.meta_mut().uid = Some(known.uid.clone());
            }
            // Our labels are on it and another owner: to apply it would take it from that one.
            Some(known) if known.owner.is_some() && !is_ours(known.owner.as_ref(), owner_uid.as_deref()) => {
                return Err(Self::keep(key));
            }
            _ => {
                // The watch sees only what carries our label, so ask for what may lack it.
                let found: Option<K> = apply::fetch(&engagement.client, &key).await?;
                if let Some(found) = found {
                    let ours = owner_uid.is_some()
                        && (is_ours(controller(&found).as_ref(), owner_uid.as_deref())
                            || is_orphan(&found, &wanted));
                    let hub = hub_of(&found);
                    if ours && !self.hub.may_write(hub.as_deref()) {
                        return Self::keep_other_hubs(key, hub.as_deref(), foreign);
                    }
                    let ownerless = owner_uid.is_some() && adoption::is_ownerless(&found, &wanted);
                    match foreign {
                        _ if ours && hub.is_some() => {}
                        _ if ours || (foreign == Foreign::Adopt && ownerless) => {
                            // Rare, and larger than all the rest.
                            let adopted = Box::pin(self.adopt(engagement, key, &found, unclaimed)).await?;
                            return Ok(Some(adopted));
                        }
                        Foreign::Accept => return Ok(None),
                        Foreign::Refuse if ownerless => {
                            return Err(EnsureError::KeepOwnerless { kind: K::kind(&()).into_owned(), key });
                        }
                        Foreign::Adopt | Foreign::Refuse => return Err(Self::keep(key)),
                    }
                } else if self.went_with_its_owner(engagement, &key, &wanted).await? {
                    return Ok(None);
                }
            }
        }
        self.let_go_of_replicas(engagement, &key, &wanted).await?;
        let view = self.send(engagement, key, mark, &wanted).await?;
        Ok(Some(Answer { view, adopted: None }))
    }

    /// Whether a child that we made is gone together with its owner, of which the watch of owners has not told yet: so it
    /// is after etcd was put back to a backup from before both.
    async fn went_with_its_owner(
        &self,
        engagement: &Engagement,
        key: &ObjectKey,
        wanted: &K,
    ) -> Result<bool, EnsureError> {
        let was_sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner).contains_key(key);
        let Some(owner) = controller(wanted).filter(|_| was_sent) else { return Ok(false) };
        let place = ObjectKey::new(&key.namespace, &owner.name);
        Ok(!(self.owner_exists)(&engagement.client, &place, &owner.uid).await?)
    }

    /// Sends a child and remembers what the apiserver made of it.
    async fn send(
        &self,
        engagement: &Engagement,
        key: ObjectKey,
        wanted_mark: Fingerprint,
        wanted: &K,
    ) -> Result<V, EnsureError> {
        let became = apply::apply(&engagement.client, wanted, &engagement.manager).await?;
        self.store.note(&became, view);
        let child: Child<V> = view(&became);
        let owner = child.owner.map(|owner| owner.name);
        let sent = Sent { wanted: wanted_mark, became: child.mark, uid: child.uid, owner };
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).insert(key, sent);
        Ok(child.view)
    }

    /// Takes note of a child as the apiserver answered it to a write other than `ensure`.
    pub(super) fn note(&self, child: &K) {
        self.store.note(child, view);
    }

    /// Another hub's object is left alone; a shared one may be used as that hub made it.
    fn keep_other_hubs(
        key: ObjectKey,
        hub: Option<&str>,
        foreign: Foreign,
    ) -> Result<Option<Answer<V>>, EnsureError> {
        match foreign {
            Foreign::Accept => Ok(None),
            Foreign::Refuse | Foreign::Adopt => Err(EnsureError::KeepOtherHubs {
                kind: K::kind(&()).into_owned(),
                key,
                hub: hub.unwrap_or_default().to_owned(),
            }),
        }
    }

    fn keep(key: ObjectKey) -> EnsureError {
        EnsureError::KeepForeign { kind: K::kind(&()).into_owned(), key }
    }

    fn is_sent(&self, key: &ObjectKey, wanted: Fingerprint, known: &Child<V>) -> bool {
        let sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.get(key)
            .is_some_and(|sent| sent.wanted == wanted && sent.became == known.mark && sent.uid == known.uid)
    }

    /// Forgets what was sent for children of an owner that is gone, and for shared ones of its namespace, that are gone
    /// too; only where all of it was listed are they. What was sent for others tells that it was there.
    pub(super) fn forget_gone(&self, owner: &ObjectKey) {
        if !self.store.is_synced_in(&owner.namespace) {
            return;
        }
        let may_go = |sent: &Sent| sent.owner.as_ref().is_none_or(|name| *name == owner.name);
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.retain(|key, sent| {
            key.namespace != owner.namespace || !may_go(sent) || self.store.get(key).is_some()
        });
    }

    /// Whether an object as it is now is the child that is to go: exactly this one, still the owner's, ours.
    pub(super) fn is_removable(&self, found: &K, uid: &str, owner_uid: Option<&str>) -> bool {
        found.uid().as_deref() == Some(uid)
            && found.meta().deletion_timestamp.is_none()
            && found.labels().get(labels::MANAGED_BY).is_some_and(|by| by == labels::MANAGED_BY_HOMEBASE)
            && is_ours(controller(found).as_ref(), owner_uid)
            && self.hub.may_write(hub_of(found).as_deref())
    }

    /// Deletes a child after a look at it: exactly this one, and only while it still is the owner's.
    pub(super) async fn remove(
        &self,
        engagement: &Engagement,
        key: &ObjectKey,
        uid: &str,
        owner_uid: Option<&str>,
        dependents: Dependents,
    ) -> Result<bool, ReconcileError> {
        engagement.brake.check()?;
        let found: Option<K> = apply::fetch(&engagement.client, key).await?;
        if !found.is_some_and(|found| self.is_removable(&found, uid, owner_uid)) {
            return Ok(false);
        }
        Ok(apply::delete_exact::<K>(&engagement.client, key, uid, dependents).await?)
    }
}

/// The owner that a change of a child wakes; none when the child has no owner.
pub(super) fn owner_of<V>(change: &Change<Child<V>>) -> Option<Woken> {
    let owner =
        [&change.before, &change.after].into_iter().flatten().find_map(|child| child.owner.as_ref())?;
    Some((ObjectKey::new(&change.key.namespace, &owner.name), change.listed))
}

fn mark_of<K: Object>(key: &ObjectKey, wanted: &K) -> Result<Fingerprint, EnsureError> {
    Fingerprint::of(wanted).map_err(|source| EnsureError::MarkObject {
        kind: K::kind(&()).into_owned(),
        key: key.clone(),
        source,
    })
}

fn is_ours(owner: Option<&Owner>, wanted: Option<&str>) -> bool {
    owner.map(|owner| owner.uid.as_str()) == wanted
}

/// Whether an object is what `wanted` was before somebody took its owner away, by hand or by deleting that with its
/// dependents orphaned: all our marks are on it, and it has no owner. To refuse it would ask users to delete what
/// holds their pods.
fn is_orphan<K: Resource>(found: &K, wanted: &K) -> bool {
    found.owner_references().is_empty()
        && hub_of(found).is_some()
        && hub_of(found) == hub_of(wanted)
        && wanted.labels().iter().all(|(key, value)| found.labels().get(key) == Some(value))
}

fn hub_of<K: Resource>(object: &K) -> Option<String> {
    object.annotations().get(annotations::HUB_ID).cloned()
}

fn controller<K: Resource>(object: &K) -> Option<Owner> {
    object.owner_references().iter().find(|owner| owner.controller == Some(true)).map(Owner::from)
}

fn view<K, V>(object: &K) -> Child<V>
where
    K: Object,
    V: for<'a> From<&'a K>,
{
    Child {
        uid: object.uid().unwrap_or_default(),
        owner: controller(object),
        deleting: object.meta().deletion_timestamp.is_some(),
        view: V::from(object),
        hub: hub_of(object),
        mark: mark(object),
    }
}

/// What the Deployment controller counts up by itself.
const DEPLOYMENT_REVISION: &str = "deployment.kubernetes.io/revision";

/// A mark of everything that somebody could have changed: all but the status and what the apiserver itself
/// counts up.
fn mark<K: Object>(object: &K) -> Option<Fingerprint> {
    let mut content = serde_json::to_value(object).ok()?;
    let fields = content.as_object_mut()?;
    fields.remove("status");
    let meta = fields.get_mut("metadata")?.as_object_mut()?;
    for counted in ["resourceVersion", "generation", "managedFields", "creationTimestamp", "selfLink"] {
        meta.remove(counted);
    }
    if let Some(annotations) = meta.get_mut("annotations").and_then(serde_json::Value::as_object_mut) {
        annotations.remove(DEPLOYMENT_REVISION);
    }
    Fingerprint::of(&content).ok()
}
