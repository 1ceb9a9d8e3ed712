//! What a Lease says of the hub.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use serde_json::json;

use super::{HubLife, judge};

fn lease(holder: &str, renewed: &str) -> Lease {
    serde_json::from_value(json!({
        "metadata": {"name": "homebase.active"},
        "spec": {"holderIdentity": holder, "renewTime": renewed},
    }))
    .unwrap()
}

fn life(holder: &str, renewed: &str) -> HubLife {
    judge(&lease(holder, renewed), "2026-12-01T12:08:00Z".parse().unwrap())
}

#[test]
fn a_hub_that_renews_is_alive_also_when_clocks_differ() {
    for renewed in
        ["2026-12-01T12:07:55.000000Z", "2026-12-01T12:07:00.000000Z", "2026-12-01T12:08:59.000000Z"]
    {
        let life = life("hub-0", renewed);
        assert_eq!(life, HubLife::Alive { holder: "hub-0".to_owned() });
        assert!(!life.is_dead());
    }
}

#[test]
fn a_hub_that_does_not_is_silent_and_one_that_was_stopped_has_stopped() {
    let silent = life("hub-0", "2026-12-01T12:00:00.000000Z");
    assert_eq!(silent, HubLife::Silent { holder: Some("hub-0".to_owned()), since: Duration::from_mins(8) });
    assert_eq!(silent.to_string(), "hub silent for 8m (hub-0)");
    assert!(silent.is_dead());
    // A clock that is far behind would call a dead hub alive.
    let ahead = life("hub-0", "2026-12-01T13:00:00.000000Z");
    assert_eq!(ahead, HubLife::Silent { holder: Some("hub-0".to_owned()), since: Duration::ZERO });
    let stopped = life("", "2026-12-01T12:07:50.000000Z");
    assert_eq!(stopped.to_string(), "hub stopped 10s ago");
    assert!(stopped.is_dead() && HubLife::NeverSeen.is_dead());
}
