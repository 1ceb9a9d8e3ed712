//! The way to an apiserver through an HTTP proxy: a connection to the proxy, which is asked to forward it (CONNECT), so
//! that TLS with the apiserver goes through it unread. Which proxy is said by the registration, never by the environment.

use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::proxy::Tunnel;
use kube::Config;
use kube::config::AuthInfo;
use tower::util::MapErr;
use tower::{BoxError, Service, ServiceExt as _};

use super::{BuildClientError, Tcp};

/// The proxy did not forward the connection.
#[derive(Debug, thiserror::Error)]
#[error("reach the server through the proxy of the registration")]
pub(super) struct ReachThroughProxy(#[source] BoxError);

type ToProxy = Tunnel<HttpsConnector<Tcp>>;
type Failure = <ToProxy as Service<Uri>>::Error;
/// A connector to whatever lies behind the proxy.
pub(super) type Through = MapErr<ToProxy, fn(Failure) -> ReachThroughProxy>;

/// Connects to what is asked for through a proxy. The proxy's own TLS, where it has it, is trusted as that of the
/// server, as kubectl does; it gets no client certificate.
pub(super) fn tunnel(proxy: &Uri, config: &Config, tcp: Tcp) -> Result<Through, BuildClientError> {
    let mut anonymous = config.clone();
    anonymous.auth_info = AuthInfo::default();
    let tls = super::tls::client_config(&anonymous)?;
    let to_proxy = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1();
    let tunnel = Tunnel::new(proxy.clone(), to_proxy.wrap_connector(tcp));
    let failure: fn(Failure) -> ReachThroughProxy = |error| ReachThroughProxy(error.into());
    Ok(tunnel.map_err(failure))
}
