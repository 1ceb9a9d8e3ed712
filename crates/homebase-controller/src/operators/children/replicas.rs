//! Gives the number of pods of an object to whoever decides it from now on, without changing it. It must not decide who
//! that is.
//!
//! A field that only we had applied, and no longer do, falls back to its default: one pod. That is so after a number was
//! taken out of the spec, and after a StatefulSet was made anew with the number that an autoscaler had made of it.

use homebase_core::ObjectKey;
use homebase_kube::apply::{self, Object};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::ResourceExt as _;
use serde_json::json;

use super::{Children, EnsureError};
use crate::reconcile::Engagement;

impl<K, V> Children<K, V>
where
    K: Object,
    V: Clone + PartialEq + Send + Sync + for<'a> From<&'a K> + 'static,
{
    /// To be called before an object is applied; it does nothing where that one says how many pods there are, or where
    /// their number is not ours.
    pub(super) async fn let_go_of_replicas(
        &self,
        engagement: &Engagement,
        key: &ObjectKey,
        wanted: &K,
    ) -> Result<(), EnsureError> {
        if !self.template.as_ref().is_some_and(|template| (template.leaves_replicas)(wanted)) {
            return Ok(());
        }
        let Engagement { client, manager, .. } = engagement;
        let Some(found) = apply::fetch::<K>(client, key).await? else { return Ok(()) };
        let Some(entries) = without_replicas(found.managed_fields(), manager) else { return Ok(()) };
        let (uid, version) = (found.uid().unwrap_or_default(), found.resource_version().unwrap_or_default());
        // Should an autoscaler change the number just now, the apiserver answers 409, and we look again.
        let patch = json!({ "metadata": { "managedFields": entries } });
        apply::patch_exact::<K>(client, key, &uid, &version, patch).await?;
        Ok(())
    }
}

/// Who owns which fields once `manager` has given up the replicas that it applied; none when it did not.
fn without_replicas(entries: &[ManagedFieldsEntry], manager: &str) -> Option<Vec<ManagedFieldsEntry>> {
    let mut entries = entries.to_vec();
    let is_ours = |entry: &&mut ManagedFieldsEntry| {
        entry.manager.as_deref() == Some(manager)
            && entry.operation.as_deref() == Some("Apply")
            && entry.subresource.is_none()
    };
    let fields = entries.iter_mut().find(is_ours)?.fields_v1.as_mut()?;
    fields.0.get_mut("f:spec")?.as_object_mut()?.remove("f:replicas")?;
    Some(entries)
}

#[cfg(test)]
mod tests {
    //! Whose ownership of the replicas ends.

    use super::*;

    fn entry(manager: &str, operation: &str, subresource: Option<&str>) -> ManagedFieldsEntry {
        serde_json::from_value(json!({
            "manager": manager, "operation": operation, "subresource": subresource,
            "fieldsV1": { "f:spec": { "f:replicas": {}, "f:serviceName": {} } },
        }))
        .unwrap()
    }

    #[test]
    fn only_what_we_applied_is_given_up() {
        let others = [
            entry("autoscaler", "Update", Some("scale")),
            entry("somebody", "Apply", None),
            entry("homebase", "Update", None),
        ];
        assert_eq!(without_replicas(&others, "homebase"), None);
        let all = [&others[..], &[entry("homebase", "Apply", None)]].concat();
        let left = without_replicas(&all, "homebase").unwrap();
        assert_eq!(left[..3], others);
        assert_eq!(left[3].fields_v1.as_ref().unwrap().0, json!({ "f:spec": { "f:serviceName": {} } }));
        assert_eq!(without_replicas(&left, "homebase"), None, "once is enough");
    }
}
