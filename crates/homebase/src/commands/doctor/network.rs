//! Name resolution and TCP, apart from each other, so that each can be told to have failed. It sends no byte.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use homebase_core::Chain;
use homebase_kube::destination::DestinationPolicy;
use homebase_kube::resolver;
use homebase_kubeconfig::Server;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::report::{Check, Finding};

/// As long as the hub waits for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);
/// More addresses than a name has in practice; each may take the whole timeout.
const MAX_TRIED: usize = 4;

const DNS_FIX: &str = "correct the host in the kubeconfig's `server`, or the DNS that this machine asks";
const TCP_FIX: &str =
    "check that the apiserver runs, its port, and the firewalls and network policies on the way";

/// The addresses of the server that the hub would connect to.
pub(super) async fn resolve(server: &Server, destinations: DestinationPolicy) -> (Finding, Vec<SocketAddr>) {
    let host = server.host();
    let literal = host.parse::<IpAddr>().ok();
    let found = match literal {
        Some(address) => Ok(vec![SocketAddr::new(address, server.port())]),
        None => look_up(host, server.port()).await,
    };
    let addresses = match found {
        Ok(addresses) => addresses,
        Err(words) => return (Finding::fail(Check::Dns, words, DNS_FIX), Vec::new()),
    };
    for address in &addresses {
        if let Err(refused) = destinations.check(address.ip()) {
            let finding = Finding::fail(
                Check::Dns,
                format!("{}: {refused}", address.ip()),
                "make `server` an address that the hub may connect to",
            );
            return (finding, Vec::new());
        }
    }
    let words = match literal {
        Some(address) => format!("{address} is an address, no name to resolve"),
        None => format!(
            "{host} has {}",
            addresses.iter().map(|a| a.ip().to_string()).collect::<Vec<_>>().join(", ")
        ),
    };
    (Finding::pass(Check::Dns, words), addresses)
}

async fn look_up(host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    let found = resolver::look_up(host).await.map_err(|error| format!("{host}: {}", Chain(&error)))?;
    Ok(found.into_iter().map(|address| SocketAddr::new(address, port)).collect())
}

/// Connects to the first address that takes a connection.
pub(super) async fn connect(addresses: &[SocketAddr]) -> Finding {
    let mut failures = Vec::new();
    for address in addresses.iter().take(MAX_TRIED) {
        match timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
            Ok(Ok(_)) => return Finding::pass(Check::Tcp, format!("{address} takes connections")),
            Ok(Err(error)) => failures.push(format!("{address}: {error}")),
            Err(_) => failures.push(format!("{address}: no answer within {} s", CONNECT_TIMEOUT.as_secs())),
        }
    }
    Finding::fail(Check::Tcp, failures.join("; "), TCP_FIX)
}
