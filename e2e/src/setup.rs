//! What every benchmark makes before it measures: namespaces, and Secrets that register a cluster. It must not measure.

use anyhow::{Context as _, Result};
use homebase_api::labels;
use homebase_testkit::ControlPlane;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;

/// The namespace of registrations.
pub(crate) const NAMESPACE: &str = "homebase-system";

/// Creates a namespace if it is not there.
pub(crate) async fn create_namespace(plane: &ControlPlane, name: &str, manager: &str) -> Result<()> {
    let namespaces: Api<Namespace> = Api::all(plane.client().await?);
    let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    let applied = namespaces.patch(name, &PatchParams::apply(manager), &Patch::Apply(object)).await;
    applied.with_context(|| format!("cannot create the namespace {name}"))?;
    Ok(())
}

/// A registration in a form whose Secret is called what the cluster is called.
pub(crate) fn registration(name: &str, kubeconfig: &str) -> Secret {
    let data = ("kubeconfig".to_owned(), ByteString(kubeconfig.as_bytes().to_vec()));
    let mut secret = Secret { data: Some([data].into()), ..Secret::default() };
    secret.metadata.name = Some(name.to_owned());
    secret.metadata.labels = Some([(labels::CLUSTER.to_owned(), labels::TRUE.to_owned())].into());
    secret
}
