//! A Lease is taken when nobody can hold it any more, and not a moment before.

use std::time::{Duration, Instant};

use super::{Candidate, Decision, RENEW, RENEW_DEADLINE, SeenLease, TAKE_OVER, TERM};

fn held(version: &str) -> SeenLease {
    SeenLease { version: version.to_owned(), is_held: true, is_gone: false }
}

#[test]
fn a_namespace_without_a_lease_a_released_one_and_that_of_a_dead_process_are_taken_at_once() {
    let now = Instant::now();
    assert_eq!(Candidate::default().observe(None, now), Decision::Take);
    let released = SeenLease { is_held: false, ..held("1") };
    assert_eq!(Candidate::default().observe(Some(&released), now), Decision::Take);
    let gone = SeenLease { is_gone: true, ..held("1") };
    assert_eq!(Candidate::default().observe(Some(&gone), now), Decision::Take);
}

#[test]
fn a_lease_that_is_renewed_is_never_taken() {
    let (mut candidate, start) = (Candidate::default(), Instant::now());
    for second in 0..60 {
        let lease = held(&(second / 14).to_string());
        assert_eq!(candidate.observe(Some(&lease), start + Duration::from_secs(second)), Decision::Wait);
    }
}

#[test]
fn a_lease_that_stays_as_it_is_is_taken_after_the_whole_time() {
    let (mut candidate, start) = (Candidate::default(), Instant::now());
    assert_eq!(candidate.observe(Some(&held("1")), start), Decision::Wait);
    let almost = TAKE_OVER.saturating_sub(Duration::from_millis(1));
    assert_eq!(candidate.observe(Some(&held("1")), start + almost), Decision::Wait);
    assert_eq!(candidate.observe(Some(&held("1")), start + TAKE_OVER), Decision::Take);
}

#[test]
fn a_lease_that_was_held_and_is_deleted_counts_as_silent_from_then() {
    let (mut candidate, start) = (Candidate::default(), Instant::now());
    assert_eq!(candidate.observe(Some(&held("1")), start), Decision::Wait);
    let deleted = start + Duration::from_secs(10);
    assert_eq!(candidate.observe(None, deleted), Decision::Wait);
    assert_eq!(candidate.observe(None, start + TAKE_OVER), Decision::Wait);
    assert_eq!(candidate.observe(None, deleted + TAKE_OVER), Decision::Take);
}

#[test]
fn a_holder_stops_before_anybody_takes_and_has_time_to_renew() {
    // Clocks whose rates differ by 3 %, one too slow and one too fast.
    assert!(TERM.mul_f64(1.03) < TAKE_OVER.mul_f64(0.97));
    assert!(RENEW + RENEW_DEADLINE < TERM);
}
