//! Which requests make a session doubt its cluster.

use futures::FutureExt as _;
use http::StatusCode;
use tokio::sync::Notify;

use super::{NOT_WORK, STREAK, Signals};

const WORK: &str = "/apis/apps/v1/namespaces/a/statefulsets/b";

fn is_notified(notify: &Notify) -> bool {
    notify.notified().now_or_never().is_some()
}

#[test]
fn only_an_unbroken_streak_without_answers_is_told() {
    let signals = Signals::default();
    let unanswered = [None, Some(StatusCode::SERVICE_UNAVAILABLE)];
    for status in unanswered.into_iter().cycle().take(STREAK as usize - 1) {
        signals.request(WORK, status);
    }
    assert!(!is_notified(&signals.failing));
    // Probes are another matter, and an error is an answer.
    for path in NOT_WORK {
        signals.request(path, None);
        signals.request(path, Some(StatusCode::OK));
    }
    assert!(!is_notified(&signals.failing));
    signals.request(WORK, None);
    assert!(is_notified(&signals.failing));
    signals.request(WORK, Some(StatusCode::INTERNAL_SERVER_ERROR));
    signals.request(WORK, None);
    assert!(!is_notified(&signals.failing));
    assert!(!is_notified(&signals.answered));
}

#[test]
fn the_first_request_of_a_trial_decides_it() {
    let signals = Signals::default();
    signals.begin_trial();
    signals.request(NOT_WORK[0], Some(StatusCode::OK));
    assert!(!is_notified(&signals.answered));
    signals.request(WORK, Some(StatusCode::CONFLICT));
    assert!(is_notified(&signals.answered));
    signals.request(WORK, None);
    assert!(!is_notified(&signals.failing));
    signals.begin_trial();
    signals.request(WORK, None);
    assert!(is_notified(&signals.failing));
}

#[test]
fn after_a_trial_one_failure_is_an_accident_again() {
    let signals = Signals::default();
    signals.begin_trial();
    signals.end_trial();
    signals.request(WORK, None);
    signals.request(WORK, Some(StatusCode::OK));
    assert!(!is_notified(&signals.failing) && !is_notified(&signals.answered));
}

#[test]
fn refused_credentials_are_told_whatever_the_request() {
    let signals = Signals::default();
    for path in [WORK, NOT_WORK[0]] {
        signals.request(path, Some(StatusCode::UNAUTHORIZED));
        assert!(is_notified(&signals.refused));
    }
}
