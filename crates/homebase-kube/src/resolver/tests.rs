//! What is made of the system's configuration, and lookups that need no name server.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use hickory_resolver::system_conf::parse_resolv_conf;

use super::look_up_in_turn;
use super::{
    MAX_LOOKUPS, QUERY_TIMEOUT, RESOLVE_TIMEOUT, RETRIES, ResolveHost, Turns, bounded, like_libc, look_up,
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
