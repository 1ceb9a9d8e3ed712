//! Decides which addresses the hub connects to, after name resolution, so that a kubeconfig cannot point it
//! at a metadata service or at its own host. It opens no connection.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use std::vec;

use hyper_util::client::legacy::connect::dns::Name;
use tower::Service;

#[cfg(test)]
mod tests;

/// How long a name server may take. Shorter than the timeout of a connection, so that a name server which is silent is
/// not taken for an apiserver that is.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(3);

/// Which addresses are allowed beyond the ordinary ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DestinationPolicy {
    /// Loopback addresses: for tests, demos and a hub that runs on a laptop.
    pub allow_loopback: bool,
}

/// The address is one that the hub does not connect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefuseDestination {
    /// A loopback address.
    #[error("the server's address is a loopback address: set --allow-loopback-destinations to allow it")]
    Loopback,
    /// A link-local address, where cloud providers serve machine credentials.
    #[error("the server's address is link-local or a cloud metadata address, which is never allowed")]
    LinkLocal,
    /// An address that no server has.
    #[error("the server's address is unspecified, multicast or broadcast, which no apiserver has")]
    NotAHost,
}

/// The server's name could not be resolved.
#[derive(Debug, thiserror::Error)]
#[error("resolve the server's name")]
pub struct ResolveHost(#[source] io::Error);

/// Metadata services outside the link-local range: Oracle and Alibaba (100.100.100.200), AWS over IPv6.
const METADATA: [IpAddr; 2] = [
    IpAddr::V4(std::net::Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V6(std::net::Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];

impl DestinationPolicy {
    /// Says whether the hub may connect to an address.
    pub fn check(self, address: IpAddr) -> Result<(), RefuseDestination> {
        let address = address.to_canonical();
        let link_local = match address {
            IpAddr::V4(v4) => v4.is_link_local(),
            IpAddr::V6(v6) => v6.is_unicast_link_local(),
        };
        if link_local || METADATA.contains(&address) {
            return Err(RefuseDestination::LinkLocal);
        }
        if address.is_unspecified() || address.is_multicast() || address == IpAddr::from([255; 4]) {
            return Err(RefuseDestination::NotAHost);
        }
        if address.is_loopback() && !self.allow_loopback {
            return Err(RefuseDestination::Loopback);
        }
        Ok(())
    }
}

/// The resolver of the hub's connections: looks a name up anew for each connection and refuses the whole
/// answer when one of its addresses is refused, so that a name cannot smuggle one in beside a good one.
#[derive(Clone, Debug)]
pub(crate) struct CheckedResolver {
    policy: DestinationPolicy,
}

impl CheckedResolver {
    pub(crate) fn new(policy: DestinationPolicy) -> Self {
        Self { policy }
    }
}

impl Service<Name> for CheckedResolver {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = Box<dyn std::error::Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let policy = self.policy;
        Box::pin(async move {
            let looked_up = tokio::net::lookup_host((name.as_str(), 0));
            let found = tokio::time::timeout(RESOLVE_TIMEOUT, looked_up).await;
            let found = found.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(ResolveHost)?;
            let addresses: Vec<SocketAddr> = found.collect();
            for address in &addresses {
                policy.check(address.ip())?;
            }
            Ok(addresses.into_iter())
        })
    }
}
