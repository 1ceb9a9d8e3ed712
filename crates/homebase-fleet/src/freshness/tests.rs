//! Which watch counts as the oldest, after starts and news.

use jiff::{SignedDuration, Timestamp};

use super::Freshness;

fn at(seconds: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
}

#[test]
fn the_one_that_is_silent_longest_counts() {
    let mut freshness = Freshness::default();
    assert_eq!(freshness.oldest(), None);
    freshness.started("pods", at(0));
    freshness.started("services", at(1));
    assert_eq!(freshness.oldest(), Some(("pods", at(0))));
    freshness.heard("pods", at(5));
    assert_eq!(freshness.oldest(), Some(("services", at(1))));
    freshness.clear();
    assert_eq!(freshness.oldest(), None);
}

#[test]
fn a_new_start_is_news_only_after_a_watch_that_brought_some() {
    let mut freshness = Freshness::default();
    freshness.started("pods", at(0));
    freshness.heard("pods", at(60));
    freshness.ended("pods");
    freshness.started("pods", at(200));
    assert_eq!(freshness.oldest(), Some(("pods", at(200))));
    for silent in [400, 600] {
        freshness.ended("pods");
        freshness.started("pods", at(silent));
        assert_eq!(freshness.oldest(), Some(("pods", at(200))));
    }
    freshness.heard("pods", at(601));
    assert_eq!(freshness.oldest(), Some(("pods", at(601))));
}

#[test]
fn a_watch_that_nobody_needs_any_more_is_not_missed_and_forgotten_in_time() {
    let mut freshness = Freshness::default();
    freshness.started("pods", at(0));
    freshness.started("a source", at(0));
    freshness.heard("pods", at(60));
    assert_eq!(freshness.oldest(), Some(("a source", at(0))));
    freshness.ended("a source");
    assert_eq!(freshness.oldest(), Some(("pods", at(60))));
    // It broke, and was silent before: soon it is still the same watch, and much later another one.
    freshness.started("a source", at(100));
    assert_eq!(freshness.oldest(), Some(("a source", at(0))));
    freshness.ended("a source");
    freshness.started("a source", at(600));
    assert_eq!(freshness.oldest(), Some(("pods", at(60))));
}

#[test]
fn of_two_under_one_name_the_end_of_one_leaves_the_other() {
    let mut freshness = Freshness::default();
    freshness.started("pods", at(0));
    freshness.started("pods", at(1));
    freshness.ended("pods");
    assert!(freshness.oldest().is_some());
    freshness.ended("pods");
    assert_eq!(freshness.oldest(), None);
}

#[test]
fn what_comes_in_late_on_a_watch_of_the_work_before_makes_no_entry() {
    let mut freshness = Freshness::default();
    freshness.heard("pods", at(0));
    assert_eq!(freshness.oldest(), None);
}

#[test]
fn after_an_outage_the_silence_of_before_does_not_count() {
    let mut freshness = Freshness::default();
    freshness.started("pods", at(0));
    freshness.ended("pods");
    freshness.renew(at(300));
    freshness.started("pods", at(301));
    assert_eq!(freshness.oldest(), Some(("pods", at(300))));
}
