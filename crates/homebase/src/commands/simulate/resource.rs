//! Makes the objects of a rehearsal, of whatever kind. What is there already is never written.

use anyhow::Context as _;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{ApiResource, DynamicObject, PostParams};
use kube::core::GroupVersionKind;
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};

use super::super::attest::words;
use super::super::grant::FIELD_MANAGER;

/// An object that was made, or that is on its way.
pub(super) struct Sent {
    pub(super) api: Api<DynamicObject>,
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) namespace: String,
    /// None as long as nobody has answered: then it is known by who made it.
    pub(super) uid: Option<String>,
}

/// The objects of one rehearsal.
pub(super) struct Objects {
    /// The field manager of this rehearsal alone, by which its objects are told from others of their names.
    pub(super) manager: String,
    pub(super) sent: Vec<Sent>,
}

impl Default for Objects {
    fn default() -> Self {
        Self { manager: format!("{FIELD_MANAGER}-{:016x}", fastrand::u64(..)), sent: Vec::new() }
    }
}

impl Objects {
    /// Makes an object, in its namespace if it has one; false when there is one of its name, which stays as it is.
    pub(super) async fn create(&mut self, client: &Client, object: &Value) -> anyhow::Result<bool> {
        let text =
            |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (kind, name, namespace) = (text("/kind"), text("/metadata/name"), text("/metadata/namespace"));
        let api_version = text("/apiVersion");
        let (group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, &kind));
        let (api, place): (Api<DynamicObject>, _) = if namespace.is_empty() {
            (Api::all_with(client.clone(), &resource), format!("create {kind} {name}"))
        } else {
            let place = format!("create {kind} {namespace}/{name}");
            (Api::namespaced_with(client.clone(), &namespace, &resource), place)
        };
        let object: DynamicObject = serde_json::from_value(object.clone()).with_context(|| place.clone())?;
        let params = PostParams { field_manager: Some(self.manager.clone()), ..PostParams::default() };
        // Before it is sent: we may be interrupted when it is made and nobody has told us yet.
        self.sent.push(Sent { api: api.clone(), kind, name, namespace, uid: None });
        match api.create(&params, &object).await {
            Ok(created) => {
                if let Some(sent) = self.sent.last_mut() {
                    sent.uid = created.uid();
                }
                Ok(true)
            }
            Err(error) if is_there(&error) => {
                self.sent.pop();
                Ok(false)
            }
            Err(error) => Err(anyhow::anyhow!("{}", words(&error))).context(place),
        }
    }
}

/// Whether an apiserver refused to create an object because there is one of its name.
fn is_there(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 409 && status.reason == "AlreadyExists")
}

/// Creates a namespace that is not there.
pub(super) async fn create_namespace(client: &Client, name: &str) -> anyhow::Result<()> {
    let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    let object: Namespace = serde_json::from_value(object).context("write a namespace")?;
    let api: Api<Namespace> = Api::all(client.clone());
    let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
    match api.create(&params, &object).await {
        Ok(_) => Ok(()),
        Err(error) if is_there(&error) => Ok(()),
        Err(error) => Err(anyhow::anyhow!("create namespace {name}: {}", words(&error))),
    }
}
