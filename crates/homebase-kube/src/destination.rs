//! Decides which addresses the hub connects to, after name resolution, so that a kubeconfig cannot point it
//! at a metadata service or at its own host. It opens no connection.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::vec;

use hyper_util::client::legacy::connect::dns::Name;
use tower::Service;

use crate::resolver::{Turns, look_up_in_turn};

mod embedded;
#[cfg(test)]
mod tests;

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
    /// A link-local address, or another one where cloud providers serve machine credentials.
    #[error(
        "the server's address is link-local, site-local or a cloud metadata address, which is never allowed"
    )]
    LinkLocal,
    /// An address that no server has.
    #[error("the server's address is unspecified, multicast or broadcast, which no apiserver has")]
    NotAHost,
}

impl DestinationPolicy {
    /// Says whether the hub may connect to an address.
    ///
    /// An IPv6 address that stands for an IPv4 address, by translation or through a tunnel, is judged as both.
    pub fn check(self, address: IpAddr) -> Result<(), RefuseDestination> {
        match address.to_canonical() {
            IpAddr::V4(address) => self.check_v4(address),
            IpAddr::V6(address) => {
                self.check_v6(address)?;
                embedded::in_address(address).try_for_each(|inner| self.check_v4(inner))
            }
        }
    }

    fn check_v4(self, address: Ipv4Addr) -> Result<(), RefuseDestination> {
        if address.is_link_local() || METADATA_V4.contains(&address) {
            return Err(RefuseDestination::LinkLocal);
        }
        // All of 0.0.0.0/8 is "this host on this network" (RFC 1122, section 3.2.1.3).
        if address.octets()[0] == 0 || address.is_multicast() || address.is_broadcast() {
            return Err(RefuseDestination::NotAHost);
        }
        self.check_loopback(address.is_loopback())
    }

    fn check_v6(self, address: Ipv6Addr) -> Result<(), RefuseDestination> {
        let is_site_local = address.segments()[0] & 0xffc0 == SITE_LOCAL;
        let is_metadata = METADATA_V6.contains(&address) || address.segments()[..2] == AWS_LOCAL;
        if address.is_unicast_link_local() || is_site_local || is_metadata {
            return Err(RefuseDestination::LinkLocal);
        }
        if address.is_unspecified() || address.is_multicast() {
            return Err(RefuseDestination::NotAHost);
        }
        self.check_loopback(address.is_loopback())
    }

    fn check_loopback(self, is_loopback: bool) -> Result<(), RefuseDestination> {
        if is_loopback && !self.allow_loopback { Err(RefuseDestination::Loopback) } else { Ok(()) }
    }
}

/// Services of clouds for their machines, outside the link-local range 169.254.0.0/16.
const METADATA_V4: [Ipv4Addr; 3] = [
    // Alibaba Cloud: instance metadata (ECS User Guide, "View instance metadata").
    Ipv4Addr::new(100, 100, 100, 200),
    // Azure: WireServer, which hands out goal states and certificates ("What is IP address 168.63.129.16?").
    Ipv4Addr::new(168, 63, 129, 16),
    // Oracle Cloud Infrastructure Classic: instance metadata ("Retrieving Instance Metadata").
    Ipv4Addr::new(192, 0, 0, 192),
];

/// The same over IPv6, outside the link-local range `fe80::/10`.
const METADATA_V6: [Ipv6Addr; 3] = [
    // Google Cloud: `metadata.google.internal` on IPv6 ("About VM metadata").
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
    // Oracle Cloud Infrastructure: instance metadata on IPv6 ("Instance Metadata Service").
    Ipv6Addr::new(0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe),
    // Scaleway: instance metadata on IPv6 ("Use instance metadata").
    Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42),
];

/// `fd00:ec2::/32`, which AWS uses for the services that it gives to instances: metadata (`::254`), credentials of EKS Pod
/// Identity (`::23`), the resolver (`::253`) and the clock (`::123`) ("Local addresses" of the Amazon EC2 and Amazon EKS
/// guides).
const AWS_LOCAL: [u16; 2] = [0xfd00, 0xec2];

/// `fec0::/10`: local to a site, deprecated by RFC 3879, and not routed like a private network (`fc00::/7`).
const SITE_LOCAL: u16 = 0xfec0;

/// The resolver of the hub's connections. It checks the addresses of a name each time that they are to be connected to,
/// and refuses all of them when one is refused, so that a name cannot smuggle one in beside a good one.
#[derive(Clone, Debug)]
pub(crate) struct CheckedResolver {
    policy: DestinationPolicy,
    turns: Turns,
}

impl CheckedResolver {
    pub(crate) fn new(policy: DestinationPolicy, turns: Turns) -> Self {
        Self { policy, turns }
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
        let Self { policy, turns } = *self;
        Box::pin(async move {
            let found = look_up_in_turn(name.as_str(), turns).await?;
            for address in &found {
                policy.check(*address)?;
            }
            // hyper puts the port in.
            let addresses: Vec<SocketAddr> = found.into_iter().map(|address| (address, 0).into()).collect();
            Ok(addresses.into_iter())
        })
    }
}
