//! Writes the objects of a rehearsal, of whatever kind.

use anyhow::Context as _;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};

use super::super::attest::words;
use super::super::grant::FIELD_MANAGER;

/// An object that was written.
pub(super) struct Applied {
    pub(super) api: Api<DynamicObject>,
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) uid: String,
    pub(super) namespace: String,
}

/// Creates a namespace that is not there.
pub(super) async fn apply_namespace(client: &Client, name: &str) -> anyhow::Result<()> {
    let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    let api: Api<Namespace> = Api::all(client.clone());
    let applied = api.patch(name, &PatchParams::apply(FIELD_MANAGER), &Patch::Apply(object)).await;
    applied.map(drop).map_err(|error| anyhow::anyhow!("create namespace {name}: {}", words(&error)))
}

/// Applies an object with a namespace.
pub(super) async fn apply(client: &Client, object: &Value) -> anyhow::Result<Applied> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (kind, name, namespace) = (text("/kind"), text("/metadata/name"), text("/metadata/namespace"));
    let api_version = text("/apiVersion");
    let (group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, &kind));
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &namespace, &resource);
    let params = PatchParams::apply(FIELD_MANAGER).force();
    let applied = api.patch(&name, &params, &Patch::Apply(object)).await;
    let applied = applied
        .map_err(|error| anyhow::anyhow!("{}", words(&error)))
        .with_context(|| format!("apply {kind} {namespace}/{name}"))?;
    Ok(Applied { uid: applied.uid().unwrap_or_default(), api, kind, name, namespace })
}
