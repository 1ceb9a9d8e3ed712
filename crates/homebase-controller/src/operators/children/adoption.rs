//! Takes over an object that another operator made for the same resource, so that from then on it is exactly what the
//! plan says. It must not decide which objects may be taken over, nor what their templates have in common.
//!
//! An object that two field managers own keeps every field that only one of them gives up, so the other one's
//! ownership ends here. The hub's ID comes last: until it is there the whole is done again, wherever it was broken off.

use std::collections::BTreeSet;

use homebase_api::{annotations, labels};
use homebase_core::ObjectKey;
use homebase_iris::cluster::AdoptedPods;
use homebase_kube::apply::{self, Object, WriteError, key_of};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{Resource, ResourceExt as _};
use serde_json::json;

use super::{Answer, Children, EnsureError, Foreign, controller, hub_of, is_ours, mark_of};
use crate::reconcile::Engagement;

/// How objects of a kind that makes pods are taken over without a restart.
pub(in crate::operators) struct PodTemplate<K> {
    /// The object without what only we write on pods.
    pub(in crate::operators) without_marks: fn(&K) -> K,
    /// The merge patch that takes away what is left of another operator in the first object and is not in the second.
    pub(in crate::operators) leftovers: fn(&K, &K) -> Option<serde_json::Value>,
    /// The field that this takes away, by which an apiserver tells that the second object does not bear it.
    pub(in crate::operators) left_over: &'static str,
    /// Whether pods stay as they are when the first object becomes the second.
    pub(in crate::operators) keeps_pods: fn(&K, &K) -> bool,
    /// Whether an object leaves the number of its pods to somebody else.
    pub(in crate::operators) leaves_replicas: fn(&K) -> bool,
}

impl<K, V> Children<K, V>
where
    K: Object,
    V: Clone + PartialEq + Send + Sync + for<'a> From<&'a K> + 'static,
{
    /// Makes a child what it should be. It sends nothing when the last thing that was sent for it was the same
    /// and the child has not been changed since; else it returns the child as the apiserver answered it.
    ///
    /// A child that we do not see as ours yet, and that differs in a field which cannot change, only gets our label and
    /// owner: from then on it is seen, and what is done about the difference is for a plan to decide.
    pub(in crate::operators) async fn ensure(
        &self,
        engagement: &Engagement,
        wanted: K,
        foreign: Foreign,
    ) -> Result<Option<Answer<V>>, EnsureError> {
        let (key, owners) = (key_of(&wanted), wanted.owner_references().to_vec());
        let again = self.template.as_ref().map(|template| (template, wanted.clone()));
        match (Box::pin(self.ensure_whole(engagement, wanted, foreign)).await, again) {
            // Rare, and larger than all the rest.
            (Err(EnsureError::Write(error)), Some(_)) if error.is_immutable() => {
                Box::pin(Self::claim(engagement, &key, &owners, error)).await
            }
            (Err(EnsureError::Write(error)), Some((template, wanted)))
                if error.refuses(template.left_over) =>
            {
                Box::pin(self.take_away(engagement, &key, template, &wanted, error)).await?;
                Box::pin(self.ensure_whole(engagement, wanted, foreign)).await
            }
            (ensured, _) => ensured,
        }
    }

    /// Takes away what somebody else has left in an object that is ours and that the apiserver refuses our form of it for;
    /// if there is nothing to take away, `error` stays the answer.
    async fn take_away(
        &self,
        engagement: &Engagement,
        key: &ObjectKey,
        template: &PodTemplate<K>,
        wanted: &K,
        error: WriteError,
    ) -> Result<(), EnsureError> {
        let client = &engagement.client;
        let found: Option<K> = apply::fetch(client, key).await?;
        let owner = controller(wanted).map(|owner| owner.uid);
        let ours = found.filter(|found| {
            is_ours(controller(found).as_ref(), owner.as_deref())
                && self.hub.may_write(hub_of(found).as_deref())
        });
        let Some((found, patch)) = ours.and_then(|found| {
            let patch = (template.leftovers)(&found, wanted)?;
            Some((found, patch))
        }) else {
            return Err(error.into());
        };
        let (uid, version) = (found.uid().unwrap_or_default(), found.resource_version().unwrap_or_default());
        apply::patch_exact::<K>(client, key, &uid, &version, patch).await?;
        Ok(())
    }

    /// Gives an object our label and owner, unless it has them; then `error` stays the answer.
    async fn claim(
        engagement: &Engagement,
        key: &ObjectKey,
        owners: &[OwnerReference],
        error: WriteError,
    ) -> Result<Option<Answer<V>>, EnsureError> {
        let client = &engagement.client;
        let found: Option<K> = apply::fetch(client, key).await?;
        let unseen = found.filter(|found| {
            let label = found.labels().get(labels::MANAGED_BY);
            found.owner_references() != owners || label.is_none_or(|by| by != labels::MANAGED_BY_HOMEBASE)
        });
        let Some(found) = unseen else { return Err(error.into()) };
        let (uid, version) = (found.uid().unwrap_or_default(), found.resource_version().unwrap_or_default());
        let labels = json!({ labels::MANAGED_BY: labels::MANAGED_BY_HOMEBASE });
        let patch = json!({ "metadata": { "labels": labels, "ownerReferences": owners } });
        apply::patch_exact::<K>(client, key, &uid, &version, patch).await?;
        Ok(None)
    }

    /// Takes over an object. `wanted` does not bear the hub's ID yet.
    pub(super) async fn adopt(
        &self,
        engagement: &Engagement,
        key: ObjectKey,
        found: &K,
        mut wanted: K,
    ) -> Result<Answer<V>, EnsureError> {
        let Engagement { client, manager, .. } = engagement;
        // Should another object have this name by now, the apiserver answers 409 instead of changing it.
        wanted.meta_mut().uid = found.uid();
        let mut pods = AdoptedPods::None;
        if let Some(PodTemplate { without_marks, leftovers, keeps_pods, .. }) = &self.template {
            if let Some(patch) = leftovers(found, &wanted) {
                let (uid, version) =
                    (found.uid().unwrap_or_default(), found.resource_version().unwrap_or_default());
                apply::patch_exact::<K>(client, &key, &uid, &version, patch).await?;
            }
            let bare = without_marks(&wanted);
            let becomes = apply::rehearse(client, &bare, manager).await?;
            pods = if keeps_pods(found, &becomes) { AdoptedPods::Kept } else { AdoptedPods::Replaced };
            if pods == AdoptedPods::Kept {
                wanted = bare;
            }
        }
        let applied = apply::apply(client, &wanted, manager).await?;
        if let Some(patch) = sole_ownership(&applied, manager) {
            let (uid, version) =
                (applied.uid().unwrap_or_default(), applied.resource_version().unwrap_or_default());
            apply::patch_exact::<K>(client, &key, &uid, &version, patch).await?;
        }
        wanted.annotations_mut().insert(annotations::HUB_ID.to_owned(), self.hub.id.clone());
        let uid = wanted.meta_mut().uid.take();
        // Of the object as the next plan will hold it, so that the same thing is not sent once more.
        let mark = mark_of(&key, &wanted)?;
        wanted.meta_mut().uid = uid;
        let view = self.send(engagement, key, mark, &wanted).await?;
        Ok(Answer { view, adopted: Some(pods) })
    }
}

/// The patch that leaves an object's fields to us alone; none when they are. Status and scale stay with those who write
/// them.
fn sole_ownership<K: Resource>(object: &K, manager: &str) -> Option<serde_json::Value> {
    let all = object.managed_fields();
    let (kept, others): (Vec<_>, Vec<_>) = all
        .iter()
        .partition(|entry| entry.manager.as_deref() == Some(manager) || entry.subresource.is_some());
    (!others.is_empty()).then(|| json!({ "metadata": { "managedFields": kept } }))
}

/// Whether an object belongs to nobody and bears the labels by which the pods of `wanted` are told from all others.
pub(super) fn is_ownerless<K: Resource>(found: &K, wanted: &K) -> bool {
    const IDENTITY: [&str; 3] = [labels::KIND, labels::NAME, labels::COMPONENT];
    let label = |object: &K, key: &str| object.labels().get(key).cloned();
    let of = |object: &K| IDENTITY.iter().map(|key| label(object, key)).collect::<BTreeSet<_>>();
    found.owner_references().is_empty() && !of(wanted).contains(&None) && of(found) == of(wanted)
}

#[cfg(test)]
mod tests {
    //! Which objects belong to nobody, and whose ownership ends.

    use homebase_api::labels;
    use k8s_openapi::api::core::v1::ConfigMap;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
    use serde_json::json;

    use super::{is_ownerless, sole_ownership};

    fn config_map(component: Option<&str>, owner: bool) -> ConfigMap {
        let mut map = ConfigMap::default();
        let mut all = vec![(labels::KIND, "IrisCluster"), (labels::NAME, "iris")];
        all.extend(component.map(|component| (labels::COMPONENT, component)));
        let text = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
        map.metadata.labels = Some(all.into_iter().map(text).collect());
        map.metadata.owner_references = owner.then(|| vec![OwnerReference::default()]);
        map
    }

    #[test]
    fn only_what_has_the_labels_and_no_owner_belongs_to_nobody() {
        let wanted = config_map(Some("data"), true);
        assert!(is_ownerless(&config_map(Some("data"), false), &wanted));
        assert!(!is_ownerless(&config_map(Some("data"), true), &wanted), "it has an owner");
        assert!(!is_ownerless(&config_map(Some("compute"), false), &wanted), "another component");
        assert!(!is_ownerless(&config_map(None, false), &wanted), "a label is missing");
        assert!(!is_ownerless(&config_map(None, false), &config_map(None, true)), "nothing tells them apart");
    }

    #[test]
    fn those_who_write_status_and_scale_keep_what_is_theirs() {
        let entry = |manager: &str, subresource: Option<&str>| json!({ "manager": manager, "operation": "Update", "subresource": subresource });
        let of = |entries: serde_json::Value| -> ConfigMap {
            serde_json::from_value(json!({ "metadata": { "managedFields": entries } })).unwrap()
        };
        let shared = of(json!([
            entry("iris-operator", None),
            entry("homebase", None),
            entry("kube-controller-manager", Some("status")),
            entry("hpa", Some("scale")),
        ]));
        let patch = sole_ownership(&shared, "homebase").unwrap();
        let kept: Vec<_> = patch["metadata"]["managedFields"].as_array().unwrap().iter().collect();
        let managers: Vec<_> = kept.iter().map(|entry| entry["manager"].as_str().unwrap()).collect();
        assert_eq!(managers, ["homebase", "kube-controller-manager", "hpa"]);
        assert_eq!(sole_ownership(&of(json!([entry("homebase", None)])), "homebase"), None);
    }
}
