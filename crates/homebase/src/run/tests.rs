//! When the hub is ready, and what it says.

use std::time::Duration;

use super::{Contact, readiness};

fn said(contact: &Contact, other: Option<&str>, synced: bool) -> (bool, String) {
    let health = readiness(contact, other.map(str::to_owned), synced);
    (health.is_ok(), format!("{health:?}"))
}

#[test]
fn a_hub_is_ready_with_the_registrations_and_while_its_home_does_not_refuse_it() {
    let refused = |seconds| Contact::Refused(Duration::from_secs(seconds), "401".to_owned());
    let silent = Contact::Silent(Duration::from_secs(900), "timed out".to_owned());
    assert!(said(&Contact::Up, None, true).0);
    assert!(!said(&Contact::Up, None, false).0);
    assert!(said(&refused(29), None, true).0 && !said(&refused(30), None, true).0);
    // One that has never begun says at once why.
    let (ready, words) = said(&refused(0), None, false);
    assert!(!ready && words.contains("401"), "{words}");
    let (ready, words) = said(&silent, None, true);
    assert!(ready && words.contains("has not answered for 900s"), "{words}");
    assert!(!said(&silent, None, false).0);
}

#[test]
fn a_hub_that_stands_by_is_not_ready_and_names_the_other_one() {
    let (ready, words) = said(&Contact::Up, Some("hub-0"), false);
    assert!(!ready && words.contains("another hub, hub-0, works in this namespace"), "{words}");
}
