//! Registrations as users make them: Secrets with kubeconfigs. It must not look at what the hub makes of them.

use std::time::Duration;

use homebase_api::labels;
use homebase_testkit::{ControlPlane, HubRights};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use serde_json::json;

use super::{FIELD_MANAGER, Fleet, NAMESPACE};

/// Longer than the suite runs.
pub(super) const TOKEN_LIFETIME: Duration = Duration::from_secs(3600);
/// Enough to know a token by, and the only part of it that is a secret: its signature's end.
const TOKEN_TAIL: usize = 48;

/// A registration that was made.
#[derive(Clone, Debug)]
pub(crate) struct Registration {
    /// Name of the Secret.
    pub(crate) secret: String,
}

/// A kubeconfig of a service account of the hub's own on that cluster, with exactly the rights that are shipped. Each
/// call makes another token for the same account.
pub(crate) async fn kubeconfig(plane: &ControlPlane) -> String {
    plane.kubeconfig_for_work(NAMESPACE, &account(plane), TOKEN_LIFETIME).await.unwrap()
}

/// The hub's account on a work cluster: another one on each, so that audit logs can tell. An account with other
/// rights has a name that begins with it.
pub(crate) fn account(plane: &ControlPlane) -> String {
    format!("hub-on-{}", plane.name())
}

impl Fleet {
    /// Registers a work cluster under its own name.
    pub(crate) async fn register(&self, plane: &ControlPlane) -> Registration {
        self.register_as(plane.name(), kubeconfig(plane).await).await
    }

    /// Creates, or updates, the registration of a cluster with this kubeconfig.
    pub(crate) async fn register_as(&self, cluster: &str, kubeconfig: impl AsRef<[u8]>) -> Registration {
        let kubeconfig = kubeconfig.as_ref();
        self.keep_tokens_of(&String::from_utf8_lossy(kubeconfig));
        let secret = format!("{cluster}-kubeconfig");
        let object = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": {"name": secret, "labels": {labels::CLUSTER: labels::TRUE}},
            "data": {"kubeconfig": ByteString(kubeconfig.to_vec())},
        });
        let params = PatchParams::apply(FIELD_MANAGER).force();
        self.registrations().await.patch(&secret, &params, &Patch::Apply(object)).await.unwrap();
        Registration { secret }
    }

    /// Deletes the Secret of a registration.
    pub(crate) async fn deregister(&self, registration: &Registration) {
        self.registrations().await.delete(&registration.secret, &DeleteParams::default()).await.unwrap();
    }

    /// The Secrets of the registration namespace.
    pub(crate) async fn registrations(&self) -> Api<Secret> {
        Api::namespaced(self.home.client().await.unwrap(), NAMESPACE)
    }

    /// From now on, the tokens of this kubeconfig must appear nowhere.
    pub(crate) fn keep_tokens_of(&self, kubeconfig: &str) {
        for token in kubeconfig.lines().filter_map(|line| line.trim().strip_prefix("token: ")) {
            let from = token.len().saturating_sub(TOKEN_TAIL);
            if let Some(tail) = token.get(from..).filter(|tail| !tail.is_empty()) {
                self.keep_secret(tail);
            }
        }
    }
}
