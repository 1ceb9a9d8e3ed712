//! A resource of a user as the watch brought it. One that cannot be read is still there: it must neither stop
//! the watch of all others nor count as gone.

use std::sync::Arc;

use kube::Resource;
use kube::core::DeserializeGuard;

use crate::store::Store;

/// A resource, or the knowledge that there is one.
#[derive(Debug, PartialEq)]
pub(super) enum Primary<K> {
    /// The resource.
    Readable(Arc<K>),
    /// It does not fit this hub's type, as when a newer hub wrote it, or another operator under a CRD of its own. It
    /// is left as it is.
    Unreadable(Unreadable),
}

/// What is known of a resource that does not fit this hub's type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unreadable {
    pub(super) uid: Option<String>,
    pub(super) generation: Option<i64>,
    deleting: bool,
}

impl<K> Clone for Primary<K> {
    fn clone(&self) -> Self {
        match self {
            Self::Readable(object) => Self::Readable(object.clone()),
            Self::Unreadable(unreadable) => Self::Unreadable(unreadable.clone()),
        }
    }
}

impl<K: Resource<DynamicType = ()> + Clone> Primary<K> {
    /// What to keep of an object from a watch.
    pub(super) fn of(guard: &DeserializeGuard<K>) -> Self {
        match &guard.0 {
            Ok(object) => Self::Readable(keep(object)),
            Err(error) => {
                // Not the error's text: it may quote a value.
                tracing::warn!(
                    kind = %K::kind(&()),
                    name = error.metadata.name,
                    namespace = error.metadata.namespace,
                    "resource cannot be read by this version of the hub and is left as it is"
                );
                Self::Unreadable(Unreadable {
                    uid: error.metadata.uid.clone(),
                    generation: error.metadata.generation,
                    deleting: error.metadata.deletion_timestamp.is_some(),
                })
            }
        }
    }

    /// What to keep of an object that the apiserver answered.
    pub(super) fn of_answer(object: &K) -> Self {
        Self::Readable(keep(object))
    }

    /// The resource, when it can be read.
    pub(super) fn readable(&self) -> Option<&Arc<K>> {
        match self {
            Self::Readable(object) => Some(object),
            Self::Unreadable(_) => None,
        }
    }

    /// Whether it is there and not on its way out.
    pub(super) fn is_standing(&self) -> bool {
        match self {
            Self::Readable(object) => object.meta().deletion_timestamp.is_none(),
            Self::Unreadable(unreadable) => !unreadable.deleting,
        }
    }
}

/// Takes note of a resource as it was answered to a write of its status, unless somebody has changed it since the reconcile
/// has seen it: then the watch has to bring it, as news that wakes.
pub(super) fn note_answer<K: Resource<DynamicType = ()> + Clone + PartialEq>(
    objects: &Store<Primary<K>>,
    answered: &K,
    seen: &K,
) {
    if is_as_seen(answered, seen) {
        objects.note(answered, Primary::of_answer);
    }
}

/// Whether two states of a resource differ in nothing but the status.
fn is_as_seen<K: Resource>(answered: &K, seen: &K) -> bool {
    let of = |object: &K| {
        let meta = object.meta();
        (
            meta.generation,
            meta.deletion_timestamp.clone(),
            meta.annotations.clone().unwrap_or_default(),
            meta.labels.clone().unwrap_or_default(),
        )
    };
    of(answered) == of(seen)
}

/// Managed fields are the larger part of an object, and nobody here reads them.
fn keep<K: Resource + Clone>(object: &K) -> Arc<K> {
    let mut object = object.clone();
    object.meta_mut().managed_fields = None;
    Arc::new(object)
}

#[cfg(test)]
mod tests {
    //! What cannot be read is there all the same.

    use homebase_api::Iris;
    use kube::core::DeserializeGuard;
    use serde_json::json;

    use super::{Primary, Unreadable, is_as_seen};

    #[test]
    fn an_answer_with_a_change_of_somebody_else_is_not_as_seen() {
        let iris = |meta: serde_json::Value| -> Iris {
            let spec = json!({ "deploymentName": "a" });
            serde_json::from_value(json!({ "metadata": meta, "spec": spec })).unwrap()
        };
        let seen = iris(json!({ "generation": 1, "resourceVersion": "1" }));
        assert!(is_as_seen(&iris(json!({ "generation": 1, "resourceVersion": "2", "labels": {} })), &seen));
        for other in [
            json!({ "generation": 2 }),
            json!({ "generation": 1, "annotations": { "homebase.dev/adopt": "true" } }),
            json!({ "generation": 1, "deletionTimestamp": "2026-01-01T00:00:00Z" }),
        ] {
            assert!(!is_as_seen(&iris(other.clone()), &seen), "{other}");
        }
    }

    #[test]
    fn an_object_of_a_newer_hub_is_unreadable_and_standing() {
        let read = |spec| {
            let metadata = json!({ "name": "a", "namespace": "b", "uid": "u", "generation": 3 });
            let object = json!({ "metadata": metadata, "spec": spec });
            Primary::of(&serde_json::from_value::<DeserializeGuard<Iris>>(object).unwrap())
        };
        let unreadable = read(json!({ "deploymentName": ["not", "a", "text"] }));
        let known = Unreadable { uid: Some("u".to_owned()), generation: Some(3), deleting: false };
        assert_eq!(unreadable, Primary::Unreadable(known));
        assert!(unreadable.is_standing());
        assert!(read(json!({ "deploymentName": "iris" })).readable().is_some());
    }
}
