//! Builds the client of one cluster: an HTTP/2 stack of its own with deadlines, limits and the destination
//! policy. It takes nothing from the environment: no proxy, no kubeconfig, no default of kube's loader.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use homebase_kubeconfig::{SanitizedKubeconfig, Trust};
use http::{HeaderValue, Uri, header};
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::{Connect, HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kube::client::{Body, ClientBuilder, ConfigExt as _};
use kube::{Client, Config};
use tower::{BoxError, Service, ServiceBuilder};

use crate::bound::BoundLayer;
use crate::destination::{CheckedResolver, DestinationPolicy, RefuseDestination};
use crate::observe::{ObserveLayer, Observer};
use crate::resolver::Turns;

mod credentials;
mod escape;
mod lanes;
pub(crate) mod paths;
mod proxy;
mod server_name;
#[cfg(test)]
mod tests;
mod tls;

pub use credentials::config_of;
use escape::EscapeLayer;
pub use escape::RefuseBody;
use lanes::Lanes;
use paths::PathLayer;
pub use paths::RefusePath;
pub use server_name::WrongServerName;
use server_name::without_expected_name;
pub use tls::UnusableTls;

/// TCP and TLS together: a cluster on the other side of the world answers within one second. Shorter than the
/// timeout of a probe, so that a probe can tell a connection that was never made from an answer that never came.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);
/// From the request to the head of the answer. Watches answer at once too; what follows is their body.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);
/// From the request to the end of its answer, with the wait for its turn: it releases a worker whose apiserver answers
/// headers and then hangs. Longer than [`RESPONSE_TIMEOUT`]: a request that is given up from outside ends unseen, so one
/// that has no answer has to be given up inside, where the session is told.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(RESPONSE_TIMEOUT.as_secs() + 2);
/// A connection that says nothing for this long gets an HTTP/2 ping …
const PING_INTERVAL: Duration = Duration::from_secs(10);
/// … and is given up when the ping is not answered: a peer that hangs is found although its TCP lives.
const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// An idle connection is closed before a common load balancer drops it silently (240 s).
const IDLE_TIMEOUT: Duration = Duration::from_secs(90);
/// HTTP/2 needs one connection; a second one serves a server that only speaks HTTP/1.1.
const IDLE_CONNECTIONS: usize = 2;
/// hyper's HTTP/1 buffer stays as large as it ever grew: hold it at what a reconcile needs.
const HTTP1_BUFFER: usize = 16 * 1024;

/// What one client may use.
#[derive(Clone, Copy, Debug)]
pub struct ClientLimits {
    /// Requests that wait for an answer at the same time; further ones queue in the client.
    pub max_in_flight: usize,
    /// Requests that begin within one second; further ones queue in the client.
    pub requests_per_second: u64,
}

impl ClientLimits {
    /// More requests at the same time than an apiserver lets through by default (400 + 200).
    pub const MAX_IN_FLIGHT: usize = 600;
    /// More requests within one second than an apiserver's own limits let through.
    pub const MAX_REQUESTS_PER_SECOND: u64 = 10_000;
}

/// A client could not be built. No message holds a value of the kubeconfig.
#[derive(Debug, thiserror::Error)]
pub enum BuildClientError {
    /// The server's URL has an address that is never connected to.
    #[error("check the server's address")]
    CheckDestination(#[from] RefuseDestination),
    /// The server's URL is not one.
    #[error("the server's URL is not a URL")]
    ParseServer,
    /// The certificates or the key are not usable.
    #[error("set up TLS")]
    SetUpTls(#[from] UnusableTls),
    /// The TLS server name is not a name.
    #[error("tls-server-name is not a host name or address")]
    ParseServerName,
    /// The kubeconfig asks for a connection that proves nothing of the server.
    #[error("refuse a connection without TLS or without verification of the server")]
    RefuseInsecure,
    /// The token cannot be sent in a header.
    #[error("the token has characters that a token cannot have")]
    SetUpCredentials,
}

/// Builds the client of one cluster from a configuration that was filled field by field: over TLS and without a proxy,
/// whatever the configuration says of one.
pub fn build_client(
    config: &Config,
    destinations: DestinationPolicy,
    limits: ClientLimits,
    observer: Arc<dyn Observer>,
) -> Result<Client, BuildClientError> {
    if config.cluster_url.scheme() != Some(&http::uri::Scheme::HTTPS) {
        return Err(BuildClientError::RefuseInsecure);
    }
    check_literal_address(&config.cluster_url, destinations)?;
    let connector = ConnectDeadline { inner: over_tls(config, tcp(destinations, Turns::home()))? };
    assemble(config, limits, observer, &connector)
}

/// Builds the client of a registered cluster, in the way that its kubeconfig says: the sanitizer has let through what
/// of it the hub's settings allow. `user_agent` is what the apiserver logs, if not the hub's name.
pub fn build_registered_client(
    kubeconfig: &SanitizedKubeconfig,
    user_agent: Option<HeaderValue>,
    destinations: DestinationPolicy,
    limits: ClientLimits,
    observer: Arc<dyn Observer>,
) -> Result<Client, BuildClientError> {
    let mut config = config_of(kubeconfig)?;
    if let Some(user_agent) = user_agent {
        config.headers = vec![(header::USER_AGENT, user_agent)];
    }
    check_literal_address(&config.cluster_url, destinations)?;
    if let Some(url) = kubeconfig.proxy() {
        let url: Uri = url.url().parse().map_err(|_| BuildClientError::ParseServer)?;
        check_literal_address(&url, destinations)?;
        let tunnel = proxy::tunnel(&url, &config, tcp(destinations, Turns::work()))?;
        let connector = ConnectDeadline { inner: over_tls(&config, tunnel)? };
        return assemble(&config, limits, observer, &connector);
    }
    if *kubeconfig.trust() == Trust::Plaintext {
        let connector = ConnectDeadline { inner: tcp(destinations, Turns::work()) };
        return assemble(&config, limits, observer, &connector);
    }
    let connector = ConnectDeadline { inner: over_tls(&config, tcp(destinations, Turns::work()))? };
    assemble(&config, limits, observer, &connector)
}

/// TCP to addresses that the policy allows.
fn tcp(destinations: DestinationPolicy, turns: Turns) -> Tcp {
    let mut tcp = HttpConnector::new_with_resolver(CheckedResolver::new(destinations, turns));
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp
}

type Tcp = HttpConnector<CheckedResolver>;

/// TLS, and nothing else, over a connection.
fn over_tls<T>(config: &Config, inner: T) -> Result<HttpsConnector<T>, BuildClientError> {
    let tls = tls::client_config(config)?;
    let mut builder = HttpsConnectorBuilder::new().with_tls_config(tls).https_only();
    if let Some(name) = &config.tls_server_name {
        let name = name.clone().try_into().map_err(|_| BuildClientError::ParseServerName)?;
        builder = builder.with_server_name_resolver(FixedServerNameResolver::new(name));
    }
    Ok(builder.enable_all_versions().wrap_connector(inner))
}

fn assemble<C>(
    config: &Config,
    limits: ClientLimits,
    observer: Arc<dyn Observer>,
    connector: &C,
) -> Result<Client, BuildClientError>
where
    C: Connect + Clone + Send + Sync + 'static,
{
    let connector = connector.clone();
    let lanes = Lanes::new(move || {
        legacy::Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .http1_read_buf_exact_size(HTTP1_BUFFER)
            .http2_keep_alive_interval(PING_INTERVAL)
            .http2_keep_alive_timeout(PING_TIMEOUT)
            .build::<_, Body>(connector.clone())
    });

    let auth = config.auth_layer().map_err(|_| BuildClientError::SetUpCredentials)?;
    let headers = config.extra_headers_layer().map_err(|_| BuildClientError::SetUpCredentials)?;
    let service = ServiceBuilder::new()
        .layer(PathLayer)
        .layer(EscapeLayer)
        .layer(ObserveLayer(observer))
        .layer(BoundLayer)
        .rate_limit(limits.requests_per_second, Duration::from_secs(1))
        .concurrency_limit(limits.max_in_flight)
        .timeout(RESPONSE_TIMEOUT)
        .layer(config.base_uri_layer())
        .option_layer(auth)
        .layer(headers)
        .map_err(BoxError::from)
        .service(lanes);
    Ok(ClientBuilder::new(service, config.default_namespace.clone()).build())
}

/// An empty configuration for a server, with nothing inherited.
pub(crate) fn bare_config(server: Uri) -> Config {
    let mut config = Config::new(server);
    config.proxy_url = None;
    // Retries belong to the work queue: kube's own can hold one call for minutes.
    config.default_retry = false;
    config.headers = headers();
    config
}

/// The headers that go with every request.
pub(crate) fn headers() -> Vec<(header::HeaderName, HeaderValue)> {
    vec![(header::USER_AGENT, HeaderValue::from_static(USER_AGENT))]
}

/// What apiservers write into their audit logs.
const USER_AGENT: &str = concat!("homebase/", env!("CARGO_PKG_VERSION"));

/// hyper resolves names only, so an address in the URL itself is checked here.
fn check_literal_address(server: &Uri, destinations: DestinationPolicy) -> Result<(), BuildClientError> {
    let host = server.host().ok_or(BuildClientError::ParseServer)?;
    match host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        Ok(address) => Ok(destinations.check(address)?),
        Err(_) => Ok(()),
    }
}

/// No connection within the connect timeout.
#[derive(Debug, thiserror::Error)]
#[error("no connection and TLS session within {} s", CONNECT_TIMEOUT.as_secs())]
pub struct ConnectTooSlow;

/// A connector with a deadline over TCP *and* TLS: `HttpConnector` itself bounds TCP only, so that a server
/// that accepts and never answers the TLS handshake would hold a connection for ever.
#[derive(Clone)]
struct ConnectDeadline<C> {
    inner: C,
}

impl<C> Service<Uri> for ConnectDeadline<C>
where
    C: Service<Uri>,
    C::Error: Into<BoxError>,
    C::Future: Send + 'static,
    C::Response: Send,
{
    type Response = C::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<C::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, server: Uri) -> Self::Future {
        let connecting = self.inner.call(server);
        Box::pin(async move {
            match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
                Ok(connected) => connected.map_err(|error| without_expected_name(error.into())),
                Err(_) => Err(ConnectTooSlow.into()),
            }
        })
    }
}
