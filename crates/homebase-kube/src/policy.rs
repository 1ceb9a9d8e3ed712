//! Admission policies and their bindings: in which version a cluster serves them, and applying them. It knows no policy,
//! and it never deletes one.

use std::fmt::Debug;

use kube::api::{ApiResource, DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::{Api, Client, ResourceExt as _};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::client::REQUEST_TIMEOUT;
use crate::error::{Category, categorize};

#[cfg(test)]
mod tests;

const GROUP: &str = "admissionregistration.k8s.io";

/// What a policy does with an object that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyKind {
    /// It changes the object: `MutatingAdmissionPolicy`.
    Mutating,
    /// It accepts or rejects the object: `ValidatingAdmissionPolicy`.
    Validating,
}

impl PolicyKind {
    /// The resources of policies and bindings, which must be served in one and the same version.
    const fn plurals(self) -> [&'static str; 2] {
        match self {
            Self::Mutating => ["mutatingadmissionpolicies", "mutatingadmissionpolicybindings"],
            Self::Validating => ["validatingadmissionpolicies", "validatingadmissionpolicybindings"],
        }
    }

    const fn kinds(self) -> [&'static str; 2] {
        match self {
            Self::Mutating => ["MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"],
            Self::Validating => ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"],
        }
    }

    /// The kind of policies.
    pub fn policy(self, version: PolicyVersion) -> ApiResource {
        self.resource(version, 0)
    }

    /// The kind of their bindings.
    pub fn binding(self, version: PolicyVersion) -> ApiResource {
        self.resource(version, 1)
    }

    fn resource(self, version: PolicyVersion, index: usize) -> ApiResource {
        let kind = GroupVersionKind::gvk(GROUP, version.as_str(), self.kinds()[index]);
        ApiResource::from_gvk_with_plural(&kind, self.plurals()[index])
    }
}

/// A version of the API. The fields that a policy of ours has are the same in both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyVersion {
    /// Stable: policies that validate since Kubernetes 1.30, policies that mutate since 1.36.
    V1,
    /// Policies that validate in Kubernetes 1.28 and 1.29, policies that mutate in 1.34 and 1.35, where somebody switched
    /// it on.
    V1Beta1,
}

impl PolicyVersion {
    /// The better one first.
    const ALL: [Self; 2] = [Self::V1, Self::V1Beta1];

    /// As in `apiVersion`, without the group.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V1Beta1 => "v1beta1",
        }
    }
}

/// A policy could not be applied, or nobody could say whether there can be any.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// What the cluster serves could not be read.
    #[error("ask which admission policies the cluster serves")]
    DiscoverKinds(#[source] Box<kube::Error>),
    /// The object could not be applied.
    #[error("apply {kind} {name}")]
    ApplyPolicy {
        /// Its kind.
        kind: String,
        /// Its name.
        name: String,
        /// Why.
        #[source]
        source: Box<kube::Error>,
    },
    /// The apiserver did not answer in time.
    #[error("no complete answer within {} s", REQUEST_TIMEOUT.as_secs())]
    AwaitAnswer,
}

impl PolicyError {
    /// The kind of the error.
    pub fn category(&self) -> Category {
        match self {
            Self::DiscoverKinds(source) | Self::ApplyPolicy { source, .. } => categorize(source),
            Self::AwaitAnswer => Category::ResponseTimeout,
        }
    }
}

/// The version in which a cluster serves policies and bindings of a kind; none when it serves none. Discovery is open to
/// everybody.
pub async fn find_served(client: &Client, kind: PolicyKind) -> Result<Option<PolicyVersion>, PolicyError> {
    for version in PolicyVersion::ALL {
        let group_version = format!("{GROUP}/{}", version.as_str());
        let request = client.list_api_group_resources(&group_version);
        let served = match tokio::time::timeout(REQUEST_TIMEOUT, request).await {
            Ok(Ok(list)) => list.resources.into_iter().map(|resource| resource.name).collect(),
            // The whole version is not served.
            Ok(Err(error)) if categorize(&error) == Category::NotFound => Vec::new(),
            Ok(Err(error)) => return Err(PolicyError::DiscoverKinds(Box::new(error))),
            Err(_) => return Err(PolicyError::AwaitAnswer),
        };
        if is_complete(kind, &served) {
            return Ok(Some(version));
        }
    }
    Ok(None)
}

/// Whether the resources of a version hold all that is needed: `v1` of the group is much older than policies in it.
fn is_complete(kind: PolicyKind, served: &[String]) -> bool {
    kind.plurals().iter().all(|plural| served.iter().any(|name| name == plural))
}

/// Applies a policy or a binding, so that its `spec` is this and nothing more. With a resourceVersion in it, whoever has
/// changed the object since wins: the answer is then a conflict.
pub async fn apply_policy(
    client: &Client,
    kind: &ApiResource,
    object: &DynamicObject,
    manager: &str,
) -> Result<DynamicObject, PolicyError> {
    let params = PatchParams::apply(manager).force();
    let applied = send(client, kind, object, &params, &Patch::Apply(object)).await?;
    let (found, wanted) = (&applied.data["spec"], &object.data["spec"]);
    if found == wanted {
        return Ok(applied);
    }
    // An apply leaves what others have added, and one more condition may be enough for a policy to do nothing.
    let patch = Patch::Merge(json!({
        "metadata": { "resourceVersion": applied.resource_version(), "uid": applied.uid() },
        "spec": difference(found, wanted),
    }));
    let params = PatchParams { field_manager: Some(manager.to_owned()), ..PatchParams::default() };
    send(client, kind, &applied, &params, &patch).await
}

async fn send(
    client: &Client,
    kind: &ApiResource,
    object: &DynamicObject,
    params: &PatchParams,
    patch: &Patch<impl Serialize + Debug>,
) -> Result<DynamicObject, PolicyError> {
    let api: Api<DynamicObject> = Api::all_with(client.clone(), kind);
    let name = object.name_any();
    match tokio::time::timeout(REQUEST_TIMEOUT, api.patch(&name, params, patch)).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => {
            Err(PolicyError::ApplyPolicy { kind: kind.kind.clone(), name, source: Box::new(error) })
        }
        Err(_) => Err(PolicyError::AwaitAnswer),
    }
}

/// What merged into `found` makes it `wanted`: a null takes a field away.
fn difference(found: &Value, wanted: &Value) -> Value {
    let (Value::Object(found), Value::Object(wanted)) = (found, wanted) else { return wanted.clone() };
    let surplus = found.keys().filter(|key| !wanted.contains_key(*key));
    let mut merge: Map<String, Value> = surplus.map(|key| (key.clone(), Value::Null)).collect();
    merge.extend(
        wanted
            .iter()
            .map(|(key, wanted)| (key.clone(), difference(found.get(key).unwrap_or(&Value::Null), wanted))),
    );
    Value::Object(merge)
}
