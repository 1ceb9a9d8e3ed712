//! Which addresses are refused, in every disguise.

use super::{CheckedResolver, DestinationPolicy, RefuseDestination};
use tower::ServiceExt as _;

fn check(policy: DestinationPolicy, address: &str) -> Result<(), RefuseDestination> {
    policy.check(address.parse().unwrap())
}

#[test]
fn metadata_addresses_are_refused_whatever_is_allowed() {
    let policy = DestinationPolicy { allow_loopback: true };
    for address in
        ["169.254.169.254", "::ffff:169.254.169.254", "fe80::1", "fd00:ec2::254", "100.100.100.200"]
    {
        assert_eq!(check(policy, address), Err(RefuseDestination::LinkLocal), "{address}");
    }
}

#[test]
fn loopback_needs_the_setting() {
    for address in ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"] {
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
    for address in ["0.0.0.0", "::", "255.255.255.255", "224.0.0.1", "ff02::1"] {
        assert_eq!(
            check(DestinationPolicy::default(), address),
            Err(RefuseDestination::NotAHost),
            "{address}"
        );
    }
    for address in ["10.0.0.1", "192.168.1.1", "172.16.0.1", "8.8.8.8", "2001:db8::1", "fd12::1"] {
        assert_eq!(check(DestinationPolicy::default(), address), Ok(()), "{address}");
    }
}

#[tokio::test]
async fn a_name_that_resolves_to_a_refused_address_is_refused() {
    let resolver = CheckedResolver::new(DestinationPolicy::default());
    let error = resolver.oneshot("localhost".parse().unwrap()).await.unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&RefuseDestination::Loopback));
}
