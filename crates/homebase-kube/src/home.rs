//! Finds the home cluster the way every Kubernetes tool does. Only the home cluster: what a user registers
//! never comes through here.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};
use tokio::sync::Notify;

use self::reload::{Watching, mark};
use crate::client::{BuildClientError, ClientLimits, build_client, headers};
use crate::destination::DestinationPolicy;
use crate::observe::Observer;
use crate::rotating::ClientSlot;

mod reload;
#[cfg(test)]
mod tests;

pub use reload::Reload;

/// The hub writes one status for each cluster now and then; what it may ask of its home is generous.
const HOME_LIMITS: ClientLimits = ClientLimits { max_in_flight: 64, requests_per_second: 500 };

/// The home cluster could not be found or its client not be built.
#[derive(Debug, thiserror::Error)]
pub enum FindHomeError {
    /// The file that was named cannot be opened.
    #[error("open the kubeconfig {}", path.display())]
    OpenKubeconfig {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file that was named is no kubeconfig. kube's own words would quote the lines around a fault, and those
    /// may hold a token.
    #[error("use the kubeconfig {}: it is malformed, or its current-context, cluster or user is missing", path.display())]
    ReadKubeconfig {
        /// The file.
        path: PathBuf,
    },
    /// No file was named, and none of the usual places has a configuration that can be used.
    #[error(
        "find the home cluster: give --kubeconfig, set KUBECONFIG, write ~/.kube/config, or run in a pod with a \
         service account; what is there cannot be used"
    )]
    Infer,
    /// The configuration does not make a client.
    #[error("build the client of the home cluster")]
    Build(#[from] BuildClientError),
}

/// The way to the home cluster.
pub struct HomeAccess {
    /// Its client, which uses the newest credentials.
    pub slot: ClientSlot,
    /// The task that reads the credentials again.
    pub reload: Reload,
}

/// The client of the home cluster; `observer` is made for its host: from the file that was named, else from
/// `KUBECONFIG`, `~/.kube/config` or the pod's service account, in this order.
pub async fn find_home(
    path: Option<&Path>,
    observer: impl FnOnce(&str) -> Arc<dyn Observer>,
) -> Result<HomeAccess, FindHomeError> {
    let config = load(path).await?;
    let host = config.cluster_url.authority().map(ToString::to_string).unwrap_or_default();
    let refused = Arc::new(Notify::new());
    let observer: Arc<dyn Observer> = Arc::new(Watching { inner: observer(&host), refused: refused.clone() });
    let slot = ClientSlot::new(build(&config, observer.clone())?);
    let path = path.map(Path::to_owned);
    let reload = Reload { path, slot: slot.clone(), mark: mark(&config), observer, refused };
    Ok(HomeAccess { slot, reload })
}

async fn load(path: Option<&Path>) -> Result<Config, FindHomeError> {
    let mut config = match path {
        Some(path) => read(path).await.map_err(|error| match error {
            KubeconfigError::ReadConfig(source, path) => FindHomeError::OpenKubeconfig { path, source },
            _ => FindHomeError::ReadKubeconfig { path: path.to_owned() },
        })?,
        None => Config::infer().await.map_err(|_| FindHomeError::Infer)?,
    };
    config.headers.extend(headers());
    Ok(config)
}

fn build(config: &Config, observer: Arc<dyn Observer>) -> Result<Client, FindHomeError> {
    // The operator of the hub chose this address, so a laptop's own cluster is fine.
    let destinations = DestinationPolicy { allow_loopback: true };
    Ok(build_client(config, destinations, HOME_LIMITS, observer)?)
}

async fn read(path: &Path) -> Result<Config, KubeconfigError> {
    let kubeconfig = Kubeconfig::read_from(path)?;
    Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await
}
