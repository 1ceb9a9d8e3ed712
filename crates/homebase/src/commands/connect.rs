//! Connects to clusters with the credentials of whoever runs the command, as kubectl would find them. What a user
//! has registered never comes through here, and no text made here holds a value of a kubeconfig.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use homebase_kube::client::{BuildClientError, ClientLimits, build_client, build_registered_client};
use homebase_kube::destination::DestinationPolicy;
use homebase_kube::observe::Observer;
use homebase_kubeconfig::SanitizedKubeconfig;
use http::{HeaderValue, Method, StatusCode, header};
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};

/// What a command may ask of a cluster: it is one person's, and soon over.
const LIMITS: ClientLimits = ClientLimits { max_in_flight: 8, requests_per_second: 50 };
/// What apiservers write into their audit logs: not the hub's name.
const USER_AGENT: &str = concat!("homebase-cli/", env!("CARGO_PKG_VERSION"));

/// Nobody counts the requests of a command.
struct Unobserved;

impl Observer for Unobserved {
    fn request(&self, _: &Method, _: &str, _: Option<StatusCode>) {}

    fn watch_started(&self, _: &str) {}

    fn watch_activity(&self, _: &str) {}

    fn watch_ended(&self, _: &str) {}
}

/// The configuration in a file, or where kubectl would look without one.
pub(crate) async fn load(path: Option<&Path>, context: Option<&str>) -> anyhow::Result<Config> {
    let options = KubeConfigOptions { context: context.map(str::to_owned), ..KubeConfigOptions::default() };
    let kubeconfig = match path {
        Some(path) => Kubeconfig::read_from(path)
            .map_err(words)
            .with_context(|| format!("read the kubeconfig {}", path.display()))?,
        None => match Kubeconfig::read() {
            Ok(kubeconfig) => kubeconfig,
            Err(KubeconfigError::FindPath | KubeconfigError::ReadConfig(..)) => {
                return Config::incluster().map_err(|_| {
                    anyhow::anyhow!(
                        "no cluster is configured: give --kubeconfig, set KUBECONFIG, write ~/.kube/config, or run \
                         in a pod with a service account"
                    )
                });
            }
            Err(error) => return Err(words(error)).context("read the kubeconfig"),
        },
    };
    let place = || path.map_or("the kubeconfig".to_owned(), |path| path.display().to_string());
    Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .map_err(words)
        .with_context(|| format!("use {}", place()))
}

/// A client with the credentials of the configuration.
pub(crate) fn client(config: &Config) -> anyhow::Result<Client> {
    let mut config = config.clone();
    config.headers.extend([user_agent()]);
    // Whoever runs the command chose this address.
    let destinations = DestinationPolicy { allow_loopback: true };
    build_client(&config, destinations, LIMITS, Arc::new(Unobserved)).map_err(|error| match error {
        // What a program said of its failure may hold what it was to keep.
        BuildClientError::SetUpCredentials => anyhow::anyhow!(
            "the credentials of the kubeconfig cannot be had: if it names a program or a file for them, `kubectl get \
             namespaces` with the same kubeconfig tells why"
        ),
        other => other.into(),
    })
}

/// A client with registered credentials, built as the hub builds its own.
pub(crate) fn registered_client(
    kubeconfig: &SanitizedKubeconfig,
    destinations: DestinationPolicy,
) -> anyhow::Result<Client> {
    let user_agent = Some(user_agent().1);
    Ok(build_registered_client(kubeconfig, user_agent, destinations, LIMITS, Arc::new(Unobserved))?)
}

fn user_agent() -> (header::HeaderName, HeaderValue) {
    (header::USER_AGENT, HeaderValue::from_static(USER_AGENT))
}

/// What is wrong with a kubeconfig. Parsers print the lines around a fault, which may hold a token.
fn words(error: KubeconfigError) -> anyhow::Error {
    match error {
        KubeconfigError::Parse(_) | KubeconfigError::ParseCertificates(_) => anyhow::anyhow!(
            "it is not a kubeconfig: `kubectl --kubeconfig FILE config view` tells where the fault is"
        ),
        KubeconfigError::LoadContext(_) => anyhow::anyhow!("it has no such context"),
        other => other.into(),
    }
}

/// Refuses a configuration from which no registration can be made.
pub(crate) fn check_usable(config: &Config) -> anyhow::Result<()> {
    if config.accept_invalid_certs {
        bail!(
            "the kubeconfig skips the verification of the server, and the hub does not: give it the \
             certificate-authority-data of the cluster"
        );
    }
    Ok(())
}
