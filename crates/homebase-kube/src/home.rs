//! Finds the home cluster the way every Kubernetes tool does. Only the home cluster: what a user registers
//! never comes through here.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use crate::client::{BuildClientError, ClientLimits, build_client, headers};
use crate::destination::DestinationPolicy;
use crate::observe::Observer;

/// The hub writes one status for each cluster now and then; what it may ask of its home is generous.
const HOME_LIMITS: ClientLimits = ClientLimits { max_in_flight: 64, requests_per_second: 500 };

/// The home cluster could not be found or its client not be built.
#[derive(Debug, thiserror::Error)]
pub enum FindHomeError {
    /// The file that was named cannot be used.
    #[error("read the kubeconfig {}", path.display())]
    ReadKubeconfig {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<kube::config::KubeconfigError>,
    },
    /// No file was named, and none of the usual places has a configuration.
    #[error(
        "find the home cluster: give --kubeconfig, set KUBECONFIG, write ~/.kube/config, or run in a pod with a \
         service account"
    )]
    Infer(#[source] Box<kube::config::InferConfigError>),
    /// The configuration does not make a client.
    #[error("build the client of the home cluster")]
    Build(#[from] BuildClientError),
}

/// The client of the home cluster, and its host for metrics: from the file that was named, else from
/// `KUBECONFIG`, `~/.kube/config` or the pod's service account, in this order.
pub async fn home_client(
    path: Option<&Path>,
    observer: impl FnOnce(&str) -> Arc<dyn Observer>,
) -> Result<Client, FindHomeError> {
    let mut config = match path {
        Some(path) => read(path).await.map_err(|source| FindHomeError::ReadKubeconfig {
            path: path.to_owned(),
            source: Box::new(source),
        })?,
        None => Config::infer().await.map_err(|error| FindHomeError::Infer(Box::new(error)))?,
    };
    config.headers.extend(headers());
    let host = config.cluster_url.authority().map(ToString::to_string).unwrap_or_default();
    // The operator of the hub chose this address, so a laptop's own cluster is fine.
    let destinations = DestinationPolicy { allow_loopback: true };
    Ok(build_client(&config, destinations, HOME_LIMITS, observer(&host))?)
}

async fn read(path: &Path) -> Result<Config, kube::config::KubeconfigError> {
    let kubeconfig = Kubeconfig::read_from(path)?;
    Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await
}
