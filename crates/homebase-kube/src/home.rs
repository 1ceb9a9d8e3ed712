//! Finds the home cluster the way every Kubernetes tool does. Only the home cluster: what a user registers
//! never comes through here.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};

use crate::client::{BuildClientError, ClientLimits, build_client, headers};
use crate::destination::DestinationPolicy;
use crate::observe::Observer;

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

/// The client of the home cluster, and its host for metrics: from the file that was named, else from
/// `KUBECONFIG`, `~/.kube/config` or the pod's service account, in this order.
pub async fn home_client(
    path: Option<&Path>,
    observer: impl FnOnce(&str) -> Arc<dyn Observer>,
) -> Result<Client, FindHomeError> {
    let mut config = match path {
        Some(path) => read(path).await.map_err(|error| match error {
            KubeconfigError::ReadConfig(source, path) => FindHomeError::OpenKubeconfig { path, source },
            _ => FindHomeError::ReadKubeconfig { path: path.to_owned() },
        })?,
        None => Config::infer().await.map_err(|_| FindHomeError::Infer)?,
    };
    config.headers.extend(headers());
    let host = config.cluster_url.authority().map(ToString::to_string).unwrap_or_default();
    // The operator of the hub chose this address, so a laptop's own cluster is fine.
    let destinations = DestinationPolicy { allow_loopback: true };
    Ok(build_client(&config, destinations, HOME_LIMITS, observer(&host))?)
}

async fn read(path: &Path) -> Result<Config, KubeconfigError> {
    let kubeconfig = Kubeconfig::read_from(path)?;
    Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await
}

#[cfg(test)]
mod tests {
    //! What is said of a home kubeconfig that cannot be used.

    use std::error::Error as _;

    use homebase_core::Chain;

    use super::{FindHomeError, home_client};

    async fn said(path: &std::path::Path) -> FindHomeError {
        home_client(Some(path), |_| unreachable!("no client is built")).await.err().unwrap()
    }

    #[tokio::test]
    async fn the_lines_of_a_malformed_file_are_not_shown() {
        let path = std::env::temp_dir().join(format!("homebase-home-{}.yaml", std::process::id()));
        std::fs::write(&path, "users:\n- name: u\n  user: {token: canary-in-the-file\n").unwrap();
        let error = said(&path).await;
        std::fs::remove_file(&path).unwrap();
        assert!(!Chain(&error).to_string().contains("canary"), "{}", Chain(&error));
        assert!(error.to_string().contains("homebase-home-"), "{error}");
    }

    #[tokio::test]
    async fn a_file_that_is_not_there_is_named() {
        let error = said(std::path::Path::new("/no/such/kubeconfig")).await;
        assert!(error.to_string().contains("/no/such/kubeconfig") && error.source().is_some(), "{error}");
    }
}
