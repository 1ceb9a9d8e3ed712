//! Registration Secrets of any form, and the parts of a kubeconfig from which other tools make theirs. It must not
//! know what the hub does with them.

use homebase_testkit::{ControlPlane, eventually};
use k8s_openapi::ByteString;
use kube::api::{Patch, PatchParams};
use serde_json::{Map, Value, json};

use crate::fleet::pool::{apply_iris, connections, wait_deployment};
use crate::support::{CLUSTER_READY, FIELD_MANAGER, Fleet, SOON, account, condition, is};

/// A Secret as some tool writes it.
#[derive(Clone)]
pub(super) struct Form {
    pub(super) name: String,
    kind: &'static str,
    labels: Value,
    annotations: Value,
    data: Map<String, Value>,
}

impl Form {
    /// A Secret with these labels and nothing in it.
    pub(super) fn new(name: impl Into<String>, labels: Value) -> Self {
        Self { name: name.into(), kind: "Opaque", labels, annotations: json!({}), data: Map::new() }
    }

    /// Homebase's own form.
    pub(super) fn native(cluster: &str, kubeconfig: &str) -> Self {
        let labels = json!({homebase_api::labels::CLUSTER: homebase_api::labels::TRUE});
        Self::new(format!("{cluster}-kubeconfig"), labels).with("kubeconfig", kubeconfig)
    }

    /// The same with another type.
    pub(super) fn of_type(self, kind: &'static str) -> Self {
        Self { kind, ..self }
    }

    /// The same with other labels.
    pub(super) fn labelled(self, labels: Value) -> Self {
        Self { labels, ..self }
    }

    /// The same with these annotations instead of any before.
    pub(super) fn annotated(self, annotations: Value) -> Self {
        Self { annotations, ..self }
    }

    /// The same with one more key.
    pub(super) fn with(mut self, key: &str, value: impl AsRef<[u8]>) -> Self {
        self.data.insert(key.to_owned(), json!(ByteString(value.as_ref().to_vec())));
        self
    }

    /// The same without a key.
    pub(super) fn without(mut self, key: &str) -> Self {
        self.data.remove(key);
        self
    }

    /// Creates the Secret, or makes it so: what it had before and has no more is gone from it. Returns its
    /// resourceVersion.
    pub(super) async fn put(&self, fleet: &Fleet) -> String {
        let Self { name, kind, labels, annotations, data } = self;
        for value in data.values() {
            let bytes: ByteString = serde_json::from_value(value.clone()).unwrap();
            fleet.keep_tokens_of(&String::from_utf8_lossy(&bytes.0));
        }
        let object = json!({
            "apiVersion": "v1", "kind": "Secret", "type": kind, "data": data,
            "metadata": {"name": name, "labels": labels, "annotations": annotations},
        });
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let secrets = fleet.registrations().await;
        let made = secrets.patch(name, &params, &Patch::Apply(object)).await.unwrap();
        made.metadata.resource_version.unwrap()
    }

    /// Deletes the Secret.
    pub(super) async fn delete(&self, fleet: &Fleet) {
        fleet.deregister(&crate::support::Registration { secret: self.name.clone() }).await;
    }
}

/// The value of a field that has a line of its own in a kubeconfig.
pub(super) fn field<'a>(kubeconfig: &'a str, name: &str) -> &'a str {
    let value = |line: &'a str| line.trim().strip_prefix(name)?.strip_prefix(": ");
    kubeconfig.lines().find_map(value).unwrap()
}

/// A client certificate of the hub's own account: a user is a name, to which the shipped role is bound when
/// `kubeconfig` was called once, and it is by its name that the invariants know the hub.
pub(super) fn with_certificate(plane: &ControlPlane) -> String {
    let user = format!("system:serviceaccount:{}:{}", crate::support::NAMESPACE, account(plane));
    plane.kubeconfig_for_client_certificate(&user).unwrap()
}

/// Waits until there is no `WorkCluster` of this name.
pub(super) async fn wait_gone(fleet: &Fleet, cluster: &str) {
    eventually(format!("the WorkCluster {cluster} is gone"), SOON, || async {
        fleet.work_cluster(cluster).await.map_or(Ok(()), |_| Err("it is there"))
    })
    .await
    .unwrap();
}

/// Waits until a cluster is worked on under a Secret as it is now.
pub(super) async fn wait_taken(fleet: &Fleet, cluster: &str, version: &str) {
    let taken = fleet.wait_work_cluster(cluster, CLUSTER_READY, |found| {
        let seen = found.status.as_ref().and_then(|status| status.observed_secret.as_ref());
        let seen = seen.map(|secret| secret.resource_version.as_str()).unwrap_or_default();
        if seen != version {
            return Err(format!("{seen} of {version} was observed"));
        }
        is(&condition(found, "CredentialsValid")?, "True", "Valid")?;
        is(&condition(found, "Ready")?, "True", "AllChecksPassed")
    });
    taken.await;
}

/// The hub does its work on a cluster: returns the UID and the resourceVersion of the Deployment `app` there.
pub(super) async fn works(plane: &ControlPlane, namespace: &str, replicas: i32) -> (String, String) {
    apply_iris(plane, namespace, "app", replicas).await;
    wait_deployment(plane, (namespace, "app"), replicas.into()).await
}

/// The registration has ended, what it made stays: no connection is left, and the Deployment is as it was.
pub(super) async fn assert_left_alone(
    fleet: &Fleet,
    plane: &ControlPlane,
    namespace: &str,
    (replicas, before): (i64, &(String, String)),
) {
    crate::fleet::pool::no_connection(fleet.hub(), plane).await;
    assert_eq!(connections(fleet.hub(), plane), 0);
    assert_eq!(wait_deployment(plane, (namespace, "app"), replicas).await, *before);
}
