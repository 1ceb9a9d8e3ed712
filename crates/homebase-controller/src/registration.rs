//! Reads registration Secrets: which cluster, and whether its kubeconfig may be used. It starts nothing, and
//! no text that it makes holds a value of a Secret.

use std::sync::Arc;

use homebase_api::conditions::work_cluster::CredentialsValid;
use homebase_api::{annotations, labels};
use homebase_core::{ClusterId, InvalidName};
use homebase_fleet::findings::Unusable;
use homebase_kubeconfig::{Policy, Reason, Rejection, SanitizedKubeconfig, sanitize};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;

use crate::registry::SecretRef;

#[cfg(test)]
mod tests;

/// The keys that may hold the kubeconfig; the first one that is there counts.
const DATA_KEYS: [&str; 3] = ["kubeconfig", "value", "config"];
/// What a Secret's name ends with by custom, and the cluster's name does not.
const NAME_SUFFIX: &str = "-kubeconfig";
/// Settings that later versions will read. Until then they are refused, for to ignore `paused` or
/// `watch-namespaces` would do what somebody forbade.
const UNSUPPORTED_ANNOTATIONS: [&str; 9] = [
    annotations::PAUSED,
    annotations::WATCH_NAMESPACES,
    annotations::CRD_POLICY,
    annotations::QPS,
    annotations::BURST,
    annotations::MAX_IN_FLIGHT,
    annotations::DEREGISTRATION_POLICY,
    annotations::EXPECTED_CLUSTER_UID,
    annotations::ALLOW_INSECURE,
];

/// The selector of registration Secrets. It narrows the watch, so that a lost label arrives as a deletion.
pub fn selector() -> String {
    format!("{}={}", labels::CLUSTER, labels::TRUE)
}

/// A registration as its Secret says it.
#[derive(Clone)]
pub struct Registration {
    /// The Secret.
    pub secret: SecretRef,
    /// The cluster's name, or why there is none.
    pub id: Result<ClusterId, InvalidName>,
    /// The kubeconfig, or why it cannot be used.
    pub kubeconfig: Result<Arc<SanitizedKubeconfig>, Unusable>,
}

impl PartialEq for Registration {
    fn eq(&self, other: &Self) -> bool {
        self.secret == other.secret
    }
}

impl Registration {
    /// Whether a session that was started for `other` still does what this registration says.
    pub fn is_same_connection(&self, other: &Self) -> bool {
        self.secret.uid == other.secret.uid
            && match (&self.kubeconfig, &other.kubeconfig) {
                (Ok(mine), Ok(theirs)) => mine.fingerprint() == theirs.fingerprint(),
                (Err(mine), Err(theirs)) => mine == theirs,
                _ => false,
            }
    }

    /// Host and port of the apiserver; nothing else of the URL, which may hold a path that is nobody's business.
    pub fn server(&self) -> Option<String> {
        let kubeconfig = self.kubeconfig.as_ref().ok()?;
        let (host, port) = (kubeconfig.server().host(), kubeconfig.server().port());
        Some(if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") })
    }
}

/// Reads one Secret.
pub fn read(secret: &Secret) -> Registration {
    Registration {
        secret: SecretRef {
            name: secret.name_any(),
            uid: secret.uid().unwrap_or_default(),
            resource_version: secret.resource_version().unwrap_or_default(),
            created: secret.creation_timestamp().map_or(Timestamp::UNIX_EPOCH, |time| time.0),
        },
        id: name(secret),
        kubeconfig: unsupported(secret).and_then(|()| kubeconfig(secret)),
    }
}

fn name(secret: &Secret) -> Result<ClusterId, InvalidName> {
    let own = secret.name_any();
    match secret.annotations().get(annotations::CLUSTER_NAME) {
        Some(name) => name.parse(),
        None => own.strip_suffix(NAME_SUFFIX).unwrap_or(&own).parse(),
    }
}

fn unsupported(secret: &Secret) -> Result<(), Unusable> {
    let found: Vec<&str> =
        UNSUPPORTED_ANNOTATIONS.into_iter().filter(|key| secret.annotations().contains_key(*key)).collect();
    if found.is_empty() {
        return Ok(());
    }
    let message = format!(
        "this version of Homebase does not carry out the annotations {}: remove them from the Secret",
        found.join(", ")
    );
    Err(Unusable { reason: CredentialsValid::BadKubeConfig, message })
}

fn kubeconfig(secret: &Secret) -> Result<Arc<SanitizedKubeconfig>, Unusable> {
    let data = secret.data.as_ref();
    let found = DATA_KEYS.iter().find_map(|key| data.and_then(|data| data.get(*key)));
    let Some(bytes) = found else {
        let message =
            format!("the Secret has none of the keys {}: put the kubeconfig under one", DATA_KEYS.join(", "));
        return Err(Unusable { reason: CredentialsValid::KeyNotFound, message });
    };
    sanitize(&bytes.0, &Policy::default()).map(Arc::new).map_err(|rejections| unusable(&rejections))
}

fn unusable(rejections: &[Rejection]) -> Unusable {
    let reason = match Reason::of(rejections) {
        Some(Reason::InsecureKubeConfig) => CredentialsValid::InsecureKubeConfig,
        Some(Reason::BadKubeConfig) | None => CredentialsValid::BadKubeConfig,
    };
    let faults: Vec<String> = rejections.iter().map(ToString::to_string).collect();
    Unusable { reason, message: faults.join("; ") }
}
