//! The writes: server-side apply of whole objects, status, and deletes that name the object they mean. It
//! does not decide what to write.

use std::fmt::Debug;

use homebase_core::{ObjectKey, Retry};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions, PropagationPolicy};
use kube::core::PartialObjectMeta;
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::admit::{admitted, admitted_answer};
use crate::client::REQUEST_TIMEOUT;
use crate::client::paths::segment;
use crate::error::{Category, RequestError, categorize};

/// A write, or the live read before it, failed.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The object could not be applied.
    #[error("apply {kind} {key}")]
    ApplyObject {
        /// The object's kind.
        kind: String,
        /// Where the object is.
        key: ObjectKey,
        /// Why.
        #[source]
        source: RequestError,
    },
    /// The status could not be written.
    #[error("write the status of {kind} {key}")]
    ApplyStatus {
        /// The object's kind.
        kind: String,
        /// Where the object is.
        key: ObjectKey,
        /// Why.
        #[source]
        source: RequestError,
    },
    /// The object could not be deleted.
    #[error("delete {kind} {key}")]
    DeleteObject {
        /// The object's kind.
        kind: String,
        /// Where the object is.
        key: ObjectKey,
        /// Why.
        #[source]
        source: RequestError,
    },
    /// The pod could not be evicted.
    #[error("evict Pod {key}")]
    EvictPod {
        /// Where the pod is.
        key: ObjectKey,
        /// Why.
        #[source]
        source: RequestError,
    },
    /// The object could not be read.
    #[error("read {kind} {key}")]
    ReadObject {
        /// The object's kind.
        kind: String,
        /// Where the object is.
        key: ObjectKey,
        /// Why.
        #[source]
        source: RequestError,
    },
    /// The objects of a namespace could not be listed.
    #[error("list {kind} in {namespace}")]
    ListObjects {
        /// The objects' kind.
        kind: String,
        /// Where they are.
        namespace: String,
        /// Why.
        #[source]
        source: RequestError,
    },
    /// The apiserver did not answer in time.
    #[error("{verb} {kind} {key}: no complete answer within {} s", REQUEST_TIMEOUT.as_secs())]
    AwaitAnswer {
        /// What was asked.
        verb: &'static str,
        /// The object's kind.
        kind: String,
        /// Where the object is.
        key: ObjectKey,
    },
}

impl WriteError {
    /// The kind of the error.
    pub fn category(&self) -> Category {
        match self {
            Self::ApplyObject { source, .. }
            | Self::ApplyStatus { source, .. }
            | Self::DeleteObject { source, .. }
            | Self::EvictPod { source, .. }
            | Self::ListObjects { source, .. }
            | Self::ReadObject { source, .. } => categorize(source),
            Self::AwaitAnswer { .. } => Category::ResponseTimeout,
        }
    }

    /// Whether the object cannot become what it should be, because a field of it cannot change. Of a StatefulSet an
    /// apiserver says so in these words only: they are in its validation since there are StatefulSets.
    pub fn is_immutable(&self) -> bool {
        let Self::ApplyObject { source, .. } = self else { return false };
        is_immutable(source)
    }

    /// Whether an apiserver has refused an object for what would be in this field of it.
    pub fn refuses(&self, field: &str) -> bool {
        let Self::ApplyObject { source, .. } = self else { return false };
        self.category() == Category::Invalid && says(source, field)
    }

    /// When another try makes sense.
    pub fn retry(&self) -> Retry {
        self.category().retry()
    }
}

/// [`WriteError::is_immutable`] of an apiserver's own answer to an apply.
pub fn is_immutable(error: &kube::Error) -> bool {
    const WORDS: [&str; 2] = ["updates to statefulset spec", "field is immutable"];
    let kube::Error::Api(status) = error else { return false };
    status.code == 422 && WORDS.iter().any(|words| status.message.contains(words))
}

/// Whether an apiserver's own answer has these words.
fn says(error: &kube::Error, words: &str) -> bool {
    matches!(error, kube::Error::Api(status) if status.message.contains(words))
}

/// What this crate can write: a namespaced object with a static type.
pub trait Object:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + Debug
    + DeserializeOwned
    + Serialize
    + Send
    + Sync
    + 'static
{
}

impl<K> Object for K where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned
        + Serialize
        + Send
        + Sync
        + 'static
{
}

/// Where an object is.
pub fn key_of<K: Resource>(object: &K) -> ObjectKey {
    let meta = object.meta();
    ObjectKey::new(meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default())
}

fn kind_of<K: Object>() -> String {
    K::kind(&()).into_owned()
}

fn api_of<K: Object>(client: &Client, key: &ObjectKey) -> Api<K> {
    Api::namespaced(client.clone(), &segment(&key.namespace))
}

async fn within<T>(
    verb: &'static str,
    kind: String,
    key: &ObjectKey,
    request: impl Future<Output = Result<T, kube::Error>>,
    wrap: impl FnOnce(String, ObjectKey, RequestError) -> WriteError,
) -> Result<T, WriteError> {
    match tokio::time::timeout(REQUEST_TIMEOUT, request).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(wrap(kind, key.clone(), error.into())),
        Err(_) => Err(WriteError::AwaitAnswer { verb, kind, key: key.clone() }),
    }
}

/// Applies a whole object that the hub owns: a field that is no longer in it is removed, and a field that
/// somebody else set to another value is taken back.
pub async fn apply<K: Object>(client: &Client, object: &K, manager: &str) -> Result<K, WriteError> {
    send(client, object, PatchParams::apply(manager).force()).await
}

/// What [`apply`] would make of an object, defaults and the work of admission included; nothing is stored.
pub async fn rehearse<K: Object>(client: &Client, object: &K, manager: &str) -> Result<K, WriteError> {
    send(client, object, PatchParams::apply(manager).force().dry_run()).await
}

async fn send<K: Object>(client: &Client, object: &K, params: PatchParams) -> Result<K, WriteError> {
    let key = key_of(object);
    let api = api_of::<K>(client, &key);
    let patch = Patch::Apply(object);
    let name = segment(&key.name);
    let request = admitted_answer(api.patch(&name, &params, &patch));
    within("apply", kind_of::<K>(), &key, request, |kind, key, source| WriteError::ApplyObject {
        kind,
        key,
        source,
    })
    .await
}

/// Applies the status of exactly the object with this UID; an object that was re-created under the same name
/// is left alone (the apiserver answers 409).
pub async fn apply_status<K: Object>(
    client: &Client,
    key: &ObjectKey,
    uid: &str,
    status: &impl Serialize,
    manager: &str,
) -> Result<K, WriteError> {
    let patch = Patch::Apply(json!({
        "apiVersion": K::api_version(&()),
        "kind": K::kind(&()),
        "metadata": { "name": key.name, "namespace": key.namespace, "uid": uid },
        "status": status,
    }));
    write_status(client, key, &PatchParams::apply(manager).force(), &patch).await
}

async fn write_status<K: Object>(
    client: &Client,
    key: &ObjectKey,
    params: &PatchParams,
    patch: &Patch<serde_json::Value>,
) -> Result<K, WriteError> {
    let api = api_of::<K>(client, key);
    let name = segment(&key.name);
    let request = api.patch_status(&name, params, patch);
    within("write the status of", kind_of::<K>(), key, request, |kind, key, source| WriteError::ApplyStatus {
        kind,
        key,
        source,
    })
    .await
}

/// Merges a patch into exactly the object with this UID and resourceVersion.
pub async fn patch_exact<K: Object>(
    client: &Client,
    key: &ObjectKey,
    uid: &str,
    resource_version: &str,
    mut patch: serde_json::Value,
) -> Result<K, WriteError> {
    patch["metadata"]["uid"] = uid.into();
    patch["metadata"]["resourceVersion"] = resource_version.into();
    let params = PatchParams::default();
    let api = api_of::<K>(client, key);
    let patch = Patch::Merge(patch);
    let name = segment(&key.name);
    let request = admitted_answer(api.patch(&name, &params, &patch));
    within("patch", kind_of::<K>(), key, request, |kind, key, source| WriteError::ApplyObject {
        kind,
        key,
        source,
    })
    .await
}

/// Reads an object as it is now, from the apiserver; none when it does not exist.
pub async fn fetch<K: Object>(client: &Client, key: &ObjectKey) -> Result<Option<K>, WriteError> {
    let api = api_of::<K>(client, key);
    let name = segment(&key.name);
    let request = async { api.get_opt(&name).await?.map(admitted).transpose() };
    within("read", kind_of::<K>(), key, request, |kind, key, source| WriteError::ReadObject {
        kind,
        key,
        source,
    })
    .await
}

/// Writes fields of the status of an object that does not fit its own schema: an apiserver applies nothing to such a one.
/// The answer is not read, for it need not fit `K`.
pub async fn patch_status<K: Object>(
    client: &Client,
    key: &ObjectKey,
    uid: &str,
    status: &impl Serialize,
    manager: &str,
) -> Result<(), WriteError> {
    let patch = Patch::Merge(json!({ "metadata": { "uid": uid }, "status": status }));
    let params = PatchParams { field_manager: Some(manager.to_owned()), ..PatchParams::default() };
    write_status::<PartialObjectMeta<K>>(client, key, &params, &patch).await.map(drop)
}

/// Whether exactly the object with this UID is there at this moment.
pub async fn exists<K: Object>(client: &Client, key: &ObjectKey, uid: &str) -> Result<bool, WriteError> {
    let api = api_of::<K>(client, key);
    // A listing of one: who may list an object need not have the right to get it.
    let params = ListParams::default().fields(&format!("metadata.name={}", key.name));
    let request = api.list_metadata(&params);
    let listed = within("list", kind_of::<K>(), key, request, |kind, key, source| WriteError::ListObjects {
        kind,
        namespace: key.namespace,
        source,
    });
    Ok(listed.await?.items.iter().any(|found| found.uid().as_deref() == Some(uid)))
}

/// Lists the objects of a namespace that a label selector selects, as they are now. For what is few by nature: all of
/// them come in one answer.
pub async fn fetch_selected<K: Object>(
    client: &Client,
    namespace: &str,
    selector: &str,
) -> Result<Vec<K>, WriteError> {
    let key = ObjectKey::new(namespace, "");
    let (api, params) = (api_of::<K>(client, &key), ListParams::default().labels(selector));
    let request = async { api.list(&params).await?.items.into_iter().map(admitted).collect() };
    let listed = within("list", kind_of::<K>(), &key, request, |kind, key, source| WriteError::ListObjects {
        kind,
        namespace: key.namespace,
        source,
    });
    listed.await
}

/// How an apiserver says that it does not evict a pod which several `PodDisruptionBudget`s select.
const TOO_MANY_BUDGETS: &str = "more than one PodDisruptionBudget";

/// What became of an eviction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Eviction {
    /// The pod ends.
    Begun,
    /// It would break a `PodDisruptionBudget`, or the apiserver has too much to do: later.
    NotNow,
    /// More than one `PodDisruptionBudget` selects the pod, and then an apiserver evicts it never.
    TooManyBudgets,
    /// The pod is gone, or another one has its name now.
    Void,
}

/// Has exactly the pod with this UID evicted, which respects every `PodDisruptionBudget`.
pub async fn evict_exact(client: &Client, key: &ObjectKey, uid: &str) -> Result<Eviction, WriteError> {
    // Not `Api::evict`: kube 5.0 sends its options under a name that the apiserver ignores, the UID among them.
    let eviction = json!({
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": { "name": key.name, "namespace": key.namespace },
        "deleteOptions": { "preconditions": { "uid": uid } },
    });
    let params = PostParams::default();
    let api = api_of::<Pod>(client, key);
    let name = segment(&key.name);
    let request = api.create_subresource::<_, serde_json::Value>("eviction", &name, &params, &eviction);
    let evicted = within("evict", kind_of::<Pod>(), key, request, |_, key, source| WriteError::EvictPod {
        key,
        source,
    })
    .await;
    match evicted {
        Ok(_) => Ok(Eviction::Begun),
        // Sent as an internal error (500) since there are evictions, so that it can be told by its words alone.
        Err(WriteError::EvictPod { source, .. }) if says(&source, TOO_MANY_BUDGETS) => {
            Ok(Eviction::TooManyBudgets)
        }
        Err(error) => match error.category() {
            Category::Throttled => Ok(Eviction::NotNow),
            Category::NotFound | Category::Conflict => Ok(Eviction::Void),
            _ => Err(error),
        },
    }
}

/// What becomes of the objects that a deleted object owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dependents {
    /// The garbage collector removes them.
    Delete,
    /// They stay.
    Orphan,
}

/// Deletes exactly the object with this UID. True when this call deleted it, false when it was gone already,
/// or another object has its name now.
pub async fn delete_exact<K: Object>(
    client: &Client,
    key: &ObjectKey,
    uid: &str,
    dependents: Dependents,
) -> Result<bool, WriteError> {
    let propagation = match dependents {
        Dependents::Delete => PropagationPolicy::Background,
        Dependents::Orphan => PropagationPolicy::Orphan,
    };
    let params = DeleteParams { propagation_policy: Some(propagation), ..DeleteParams::default() }
        .preconditions(Preconditions { uid: Some(uid.to_owned()), resource_version: None });
    let api = api_of::<K>(client, key);
    let name = segment(&key.name);
    let request = api.delete(&name, &params);
    let deleted = within("delete", kind_of::<K>(), key, request, |kind, key, source| {
        WriteError::DeleteObject { kind, key, source }
    })
    .await;
    match deleted {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.category(), Category::NotFound | Category::Conflict) => Ok(false),
        Err(error) => Err(error),
    }
}
