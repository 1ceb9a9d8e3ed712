//! What is made of the system's configuration, and lookups that need no name server.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hickory_resolver::config::{NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::system_conf::parse_resolv_conf;
use tokio::net::UdpSocket;

use super::look_up_in_turn;
use super::{
    MAX_LOOKUPS, QUERY_TIMEOUT, RESOLVE_TIMEOUT, RETRIES, ResolveHost, Turns, asking, bounded, like_libc,
    look_up,
};

#[test]
fn search_domains_and_ndots_are_the_systems_and_waits_are_bounded() {
    let text = "domain ignored.example\nsearch ns.svc.cluster.local svc.cluster.local\nnameserver 10.96.0.10\n\
                options ndots:5 timeout:30 attempts:5\n";
    let (config, options) = parse_resolv_conf(text).unwrap();
    let (config, options) = (like_libc(config), bounded(options));
    let search: Vec<_> = config.search().iter().map(ToString::to_string).collect();
    assert_eq!(search, ["ns.svc.cluster.local", "svc.cluster.local"]);
    assert_eq!((config.domain(), config.name_servers().len(), options.ndots), (None, 1, 5));
    assert_eq!((options.timeout, options.attempts), (QUERY_TIMEOUT, RETRIES));
    let tries = u32::try_from(1 + RETRIES).unwrap();
    assert!(QUERY_TIMEOUT * tries < RESOLVE_TIMEOUT, "one that answers for one family only is never heard");
}

#[tokio::test]
async fn localhost_needs_no_name_server() {
    let found = look_up("localhost").await.unwrap();
    assert!(found.iter().all(IpAddr::is_loopback), "{found:?}");
    assert!(found.contains(&Ipv4Addr::LOCALHOST.into()) || found.contains(&Ipv6Addr::LOCALHOST.into()));
}

#[tokio::test]
async fn work_clusters_that_wait_leave_the_home_cluster_its_turn() {
    let all = u32::try_from(MAX_LOOKUPS).unwrap();
    let _held = Turns::work().0.acquire_many(all).await.unwrap();
    let waits = look_up_in_turn("localhost", Turns::work());
    let waited = tokio::time::timeout(Duration::from_millis(100), waits).await;
    assert!(waited.is_err(), "{waited:?}");
    look_up("localhost").await.unwrap();
}

#[tokio::test]
async fn each_runtime_has_a_resolver_that_lives() {
    let other = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(look_up("localhost")).unwrap();
    });
    other.join().unwrap();
    look_up("localhost").await.unwrap();
}

#[tokio::test]
async fn what_is_no_name_has_no_address() {
    for host in ["", "a b", "..", &"a".repeat(300)] {
        let error: ResolveHost = look_up(host).await.unwrap_err();
        assert!(!error.to_string().is_empty());
    }
}

/// A name server that knows `api.corp.example` by one IPv4 address, and says nothing about its IPv6 addresses. It counts
/// what it is asked.
async fn name_server() -> (u16, Arc<AtomicUsize>) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = socket.local_addr().unwrap().port();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    tokio::spawn(async move {
        let mut query = [0; 512];
        while let Ok((length, client)) = socket.recv_from(&mut query).await {
            count.fetch_add(1, Ordering::Relaxed);
            let question = &query[12..length];
            let end = question.iter().position(|byte| *byte == 0).unwrap() + 5;
            let (question, kind) = (&question[..end], question[end - 3]);
            let is_known = question.starts_with(b"\x03api\x04corp\x07example\x00");
            if kind != A && is_known {
                continue;
            }
            // Response, recursion available; and NXDOMAIN of what is not known.
            let code = if is_known { 0x80 } else { 0x83 };
            let mut answer = [&query[..2], &[0x81, code, 0, 1, 0, u8::from(is_known), 0, 0, 0, 0]].concat();
            answer.extend_from_slice(question);
            if is_known {
                // The name of the question, A, IN, 60 s, four bytes.
                answer.extend_from_slice(&[0xc0, 12, 0, A, 0, 1, 0, 0, 0, 60, 0, 4, 10, 1, 2, 3]);
            }
            socket.send_to(&answer, client).await.unwrap();
        }
    });
    (port, asked)
}

/// The type of a record of an IPv4 address.
const A: u8 = 1;

#[tokio::test]
async fn a_name_is_found_in_a_search_domain_by_a_server_that_is_silent_about_ipv6() {
    let (port, asked) = name_server().await;
    let mut server = NameServerConfig::udp(Ipv4Addr::LOCALHOST.into());
    server.connections[0].port = port;
    let search = vec!["other.example.".parse().unwrap(), "corp.example.".parse().unwrap()];
    let config = ResolverConfig::from_parts(None, search, vec![server]);
    let resolver = asking(config, ResolverOpts::default()).unwrap();
    let find = async || {
        let found = tokio::time::timeout(RESOLVE_TIMEOUT, resolver.lookup_ip("api")).await.unwrap().unwrap();
        found.iter().collect::<Vec<_>>()
    };
    let address = vec![IpAddr::from([10, 1, 2, 3])];
    assert_eq!(find().await, address, "although nothing is said of IPv6 addresses");
    assert!(asked.load(Ordering::Relaxed) >= 3);
    let error = resolver.lookup_ip("none.corp.example.").await.unwrap_err();
    assert!(matches!(ResolveHost::of(error), ResolveHost::Absent));
}
