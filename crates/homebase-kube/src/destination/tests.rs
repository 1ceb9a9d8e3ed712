//! Which addresses are refused, in every disguise.

use std::net::Ipv4Addr;

use super::{CheckedResolver, DestinationPolicy, RefuseDestination};
use crate::resolver::Turns;
use tower::ServiceExt as _;

fn check(policy: DestinationPolicy, address: &str) -> Result<(), RefuseDestination> {
    policy.check(address.parse().unwrap())
}

#[test]
fn metadata_addresses_are_refused_whatever_is_allowed() {
    let policy = DestinationPolicy { allow_loopback: true };
    for address in [
        "169.254.169.254",
        "169.254.170.23",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "fe80::1",
        "fe80::a9fe:a9fe",
        "fec0::1",
        "feff::1",
        "fd00:ec2::254",
        "fd00:ec2::23",
        "fd20:ce::254",
        "fd00:c1::a9fe:a9fe",
        "fd00:42::42",
    ] {
        assert_eq!(check(policy, address), Err(RefuseDestination::LinkLocal), "{address}");
    }
}

/// Every way to write an IPv4 address as one of IPv6.
fn disguises(address: &str) -> Vec<String> {
    let address: Ipv4Addr = address.parse().unwrap();
    let [a, b, c, d] = address.octets();
    let (high, low) = (format!("{a:02x}{b:02x}"), format!("{c:02x}{d:02x}"));
    let inverted = Ipv4Addr::from(!u32::from(address));
    vec![
        format!("::{address}"),
        format!("::ffff:{address}"),
        format!("::ffff:0:{address}"),
        format!("64:ff9b::{address}"),
        format!("64:ff9b:1::{address}"),
        format!("64:ff9b:1:{high}:{c:02x}:{d:02x}00::"),
        format!("64:ff9b:1:{a:02x}:{b:02x}:{low}::"),
        format!("64:ff9b:1:0:{a:02x}:{b:02x}{c:02x}:{d:02x}00:0"),
        format!("2002:{high}:{low}::1"),
        // Teredo: as the server of the client 203.0.113.9, and as the client of that server.
        format!("2001:0:{high}:{low}:0:1:34ff:8ef6"),
        format!("2001:0:cb00:7109:0:1:{inverted}"),
        format!("2001:db8::5efe:{address}"),
        format!("fd12:1::200:5efe:{address}"),
    ]
}

#[test]
fn an_address_in_disguise_is_judged_as_what_it_is() {
    let policy = DestinationPolicy::default();
    for (address, verdict) in [
        ("169.254.169.254", Err(RefuseDestination::LinkLocal)),
        ("168.63.129.16", Err(RefuseDestination::LinkLocal)),
        ("127.0.0.1", Err(RefuseDestination::Loopback)),
        ("127.8.8.8", Err(RefuseDestination::Loopback)),
        ("224.0.0.1", Err(RefuseDestination::NotAHost)),
    ] {
        for disguise in disguises(address) {
            assert_eq!(check(policy, &disguise), verdict, "{disguise} for {address}");
        }
    }
    for disguise in disguises("10.1.2.3").into_iter().chain(disguises("203.0.113.7")) {
        assert_eq!(check(policy, &disguise), Ok(()), "{disguise}");
    }
}

#[test]
fn loopback_needs_the_setting() {
    for address in ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", "::127.0.0.1", "2002:7f00:1::"] {
        assert_eq!(
            check(DestinationPolicy::default(), address),
            Err(RefuseDestination::Loopback),
            "{address}"
        );
        assert_eq!(check(DestinationPolicy { allow_loopback: true }, address), Ok(()), "{address}");
    }
}

#[test]
fn addresses_of_no_host_are_refused_and_ordinary_ones_are_not() {
    for address in ["0.0.0.0", "0.1.2.3", "::", "::2", "255.255.255.255", "224.0.0.1", "ff02::1"] {
        assert_eq!(
            check(DestinationPolicy::default(), address),
            Err(RefuseDestination::NotAHost),
            "{address}"
        );
    }
    for address in
        ["10.0.0.1", "192.168.1.1", "172.16.0.1", "8.8.8.8", "2001:db8::1", "2001:4860::8888", "fd12::1"]
    {
        assert_eq!(check(DestinationPolicy::default(), address), Ok(()), "{address}");
    }
}

#[tokio::test]
async fn a_name_that_resolves_to_a_refused_address_is_refused() {
    let resolver = CheckedResolver::new(DestinationPolicy::default(), Turns::work());
    let error = resolver.oneshot("localhost".parse().unwrap()).await.unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&RefuseDestination::Loopback));
}
