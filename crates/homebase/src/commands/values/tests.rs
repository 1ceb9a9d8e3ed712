//! What is taken for a value and what is not.

use super::{AccountName, Lifetime, NamespaceName, ServerUrl, WatchedNamespaces};

#[test]
fn durations_have_a_unit_and_a_limit() {
    for (text, seconds) in [("0s", 0), ("90s", 90), ("10m", 600), ("24h", 86_400), ("90d", 7_776_000)] {
        assert_eq!(text.parse::<Lifetime>().unwrap().duration().as_secs(), seconds, "{text}");
    }
    for text in ["", "s", "90", "-1s", "+1s", "1.5h", "1 h", "1w", "3651d", "99999999999999999999d", "1ms"] {
        assert!(text.parse::<Lifetime>().is_err(), "{text}");
    }
}

#[test]
fn a_duration_is_shown_as_it_was_written() {
    for text in ["0s", "90s", "10m", "25h", "90d"] {
        assert_eq!(text.parse::<Lifetime>().unwrap().to_string(), text);
    }
    assert_eq!("24h".parse::<Lifetime>().unwrap().to_string(), "1d");
}

#[test]
fn names_are_those_of_kubernetes() {
    assert_eq!("homebase-system".parse::<NamespaceName>().unwrap().as_str(), "homebase-system");
    for text in ["", "-a", "a-", "A", "a.b", "a/b", "../a", &"a".repeat(64)] {
        assert!(text.parse::<NamespaceName>().is_err(), "{text}");
    }
    assert_eq!("a.b-c".parse::<AccountName>().unwrap().as_str(), "a.b-c");
    for text in ["", "A", "a/b", "a:b", "../token"] {
        assert!(text.parse::<AccountName>().is_err(), "{text}");
    }
}

#[test]
fn a_server_is_reached_by_https() {
    assert_eq!("https://10.0.0.1:6443".parse::<ServerUrl>().unwrap().as_str(), "https://10.0.0.1:6443");
    for text in ["", "api.example.com", "http://api.example.com", "https://", "ftp://a"] {
        assert!(text.parse::<ServerUrl>().is_err(), "{text}");
    }
}

#[test]
fn a_list_of_namespaces_has_no_mistake() {
    let list = "two, one,one".parse::<WatchedNamespaces>().unwrap().0;
    assert_eq!(list.to_string(), "namespaces one, two");
    let many = (0..65).map(|number| format!("n{number}")).collect::<Vec<_>>().join(",");
    for text in ["", ",", "a,", "a,B", "*", &many] {
        assert!(text.parse::<WatchedNamespaces>().is_err(), "{text:?}");
    }
}
