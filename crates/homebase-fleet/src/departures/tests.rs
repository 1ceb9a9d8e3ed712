//! Single deregistrations end at once, and the disappearance of half of a fleet does not.

use std::collections::BTreeSet;

use homebase_core::ClusterId;
use jiff::{SignedDuration, Timestamp};

use super::{Departures, HOLD, MIN_GONE, WINDOW};

fn names(range: std::ops::Range<usize>) -> BTreeSet<ClusterId> {
    range.map(|number| format!("cluster-{number:03}").parse().unwrap()).collect()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
}

fn after(limit: std::time::Duration) -> i64 {
    i64::try_from(limit.as_secs()).unwrap() + 1
}

#[test]
fn an_empty_list_ends_no_session_and_the_secrets_return_ends_the_doubt() {
    let mut departures = Departures::new(50);
    assert_eq!(departures.look(100, &names(0..100), at(0)), names(0..0));
    assert_eq!(departures.count(), 100);
    // Half of them come back.
    assert_eq!(departures.look(100, &names(0..50), at(1)), names(0..0));
    assert_eq!(departures.doubted().cloned().collect::<BTreeSet<_>>(), names(0..50));
    assert_eq!(departures.look(100, &names(0..0), at(2)), names(0..0));
    assert_eq!(departures.count(), 0);
}

#[test]
fn a_share_below_the_limit_and_small_fleets_are_deregistered_at_once() {
    let mut departures = Departures::new(50);
    assert_eq!(departures.look(100, &names(0..49), at(0)), names(0..49));
    for fleet in 1..MIN_GONE {
        let mut departures = Departures::new(50);
        assert_eq!(departures.look(fleet, &names(0..fleet), at(0)), names(0..fleet), "{fleet}");
    }
    let mut off = Departures::new(0);
    assert_eq!(off.look(100, &names(0..100), at(0)), names(0..100));
}

#[test]
fn what_disappears_in_several_looks_counts_together_within_the_window_only() {
    let mut departures = Departures::new(50);
    assert_eq!(departures.look(10, &names(0..3), at(0)), names(0..3));
    assert_eq!(departures.look(7, &names(3..5), at(1)), names(0..0), "five of ten");
    let mut slow = Departures::new(50);
    for number in 0..10 {
        let one = names(number..number + 1);
        let now = at(after(WINDOW) * i64::try_from(number).unwrap());
        assert_eq!(slow.look(10 - number, &one, now), one, "one by one");
    }
    // One that is registered again in between has not left.
    let mut cycles = Departures::new(50);
    for _ in 0..20 {
        assert_eq!(cycles.look(2, &names(0..2), at(0)), names(0..2));
        for id in names(0..2) {
            cycles.back(&id);
        }
    }
}

#[test]
fn the_absence_is_confirmed_by_name_before_a_session_ends() {
    let mut departures = Departures::new(50);
    departures.look(4, &names(0..4), at(0));
    assert_eq!(departures.due(at(1)), Vec::new());
    let later = after(HOLD);
    assert_eq!(departures.due(at(later)).len(), 4);
    assert_eq!(departures.due(at(later + 1)), Vec::new(), "asked already");
    for id in names(0..2) {
        departures.confirm(&id);
    }
    // The Secrets of the others are there: the list is wrong, and the doubt goes on.
    assert_eq!(departures.look(4, &names(0..4), at(later + 2)), names(0..2));
    assert_eq!(departures.look(2, &names(2..4), at(later + 3)), names(0..0));
    assert_eq!(departures.due(at(2 * later)).len(), 2);
    // One that was confirmed and came back in the same moment stays.
    for id in names(2..3) {
        departures.confirm(&id);
    }
    assert_eq!(departures.look(2, &names(3..4), at(2 * later + 1)), names(0..0));
}
