//! Names at their limits. Hostile characters must never get through.

use proptest::prelude::*;

use super::{ClusterId, InvalidName, MAX_SUBDOMAIN, ObjectKey};

#[test]
fn a_name_of_the_greatest_length_is_accepted_and_one_more_is_not() {
    let longest = "a".repeat(MAX_SUBDOMAIN);
    assert!(longest.parse::<ClusterId>().is_ok());
    assert_eq!(format!("{longest}a").parse::<ClusterId>(), Err(InvalidName::TooLong(MAX_SUBDOMAIN + 1)));
}

#[test]
fn what_kubernetes_would_refuse_is_refused() {
    assert_eq!("".parse::<ClusterId>(), Err(InvalidName::Empty));
    for bad in ["-a", "a-", "a..b", ".a", "a.", "A", "a_b", "a/b", "a\nb", "ä", "a b", "a.-b", "\0"] {
        assert_eq!(bad.parse::<ClusterId>(), Err(InvalidName::NotDns1123), "{bad:?}");
    }
    for good in ["a", "0", "a-b", "a.b", "boston", "eu-1.example.com"] {
        assert!(good.parse::<ClusterId>().is_ok(), "{good}");
    }
}

#[test]
fn a_key_prints_as_kubectl_users_write_it() {
    assert_eq!(ObjectKey::new("ns", "name").to_string(), "ns/name");
    assert_eq!(ObjectKey::new("", "node").to_string(), "node");
}

proptest! {
    #[test]
    fn what_is_accepted_holds_only_harmless_characters(text in ".{0,300}") {
        if let Ok(id) = text.parse::<ClusterId>() {
            prop_assert!(id.as_str().bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-' || c == b'.'));
        }
    }
}
