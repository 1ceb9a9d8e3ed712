//! Reads what a cluster is: the UID of its `kube-system` Namespace, and its version. It writes nothing and
//! judges nothing.

use std::time::{Duration, Instant};

use homebase_core::ClusterUid;
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client};

use crate::admit::is_uid;
use crate::error::{Category, RequestError, categorize};

/// How long the answer to one probe may take: long for a healthy apiserver, short beside the time in which
/// a black hole must be found.
pub const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// The namespace whose UID stands for the cluster: every cluster has it, and nobody can re-create it.
const IDENTITY_NAMESPACE: &str = "kube-system";

/// As much of a version as is shown: it becomes a metric label.
const MAX_VERSION: usize = 64;

/// The cluster's identity could not be read.
#[derive(Debug, thiserror::Error)]
pub enum FetchIdentityError {
    /// The request failed.
    #[error("read namespace {IDENTITY_NAMESPACE}: {0}")]
    ReadNamespace(RequestError),
    /// There was no answer in time.
    #[error("no answer from the apiserver within {} s", PROBE_TIMEOUT.as_secs())]
    AwaitAnswer,
    /// The namespace has no UID, or nonsense for one, which no Kubernetes apiserver does.
    #[error("namespace {IDENTITY_NAMESPACE} has no proper UID")]
    ReadUid,
    /// The version could not be read.
    #[error("read the server's version: {0}")]
    ReadVersion(RequestError),
}

impl FetchIdentityError {
    /// The kind of the error.
    pub fn category(&self) -> Category {
        match self {
            Self::ReadNamespace(error) | Self::ReadVersion(error) => categorize(error),
            Self::AwaitAnswer => Category::ResponseTimeout,
            Self::ReadUid => Category::Malformed,
        }
    }
}

/// What a probe learned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// What the cluster is.
    pub uid: ClusterUid,
    /// How long the apiserver took to say so.
    pub latency: Duration,
}

/// Asks a cluster who it is, within [`PROBE_TIMEOUT`].
pub async fn fetch_identity(client: &Client) -> Result<Identity, FetchIdentityError> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let started = Instant::now();
    let namespace = tokio::time::timeout(PROBE_TIMEOUT, namespaces.get_metadata(IDENTITY_NAMESPACE))
        .await
        .map_err(|_| FetchIdentityError::AwaitAnswer)?
        .map_err(|error| FetchIdentityError::ReadNamespace(error.into()))?;
    let uid = namespace.metadata.uid.filter(|uid| is_uid(uid)).ok_or(FetchIdentityError::ReadUid)?;
    Ok(Identity { uid: ClusterUid::new(uid), latency: started.elapsed() })
}

/// Reads the version of a cluster, such as `v1.36.3`.
pub async fn fetch_version(client: &Client) -> Result<String, FetchIdentityError> {
    let version = tokio::time::timeout(PROBE_TIMEOUT, client.apiserver_version())
        .await
        .map_err(|_| FetchIdentityError::AwaitAnswer)?
        .map_err(|error| FetchIdentityError::ReadVersion(error.into()))?;
    Ok(version.git_version.chars().filter(char::is_ascii_graphic).take(MAX_VERSION).collect())
}
