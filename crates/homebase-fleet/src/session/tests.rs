//! The session against a simulated clock: by hand where a sequence matters, by proptest for what must hold
//! after every sequence.

use std::time::Duration;

use homebase_core::ClusterUid;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::{
    Action, Circuit, Crds, Event, Failure, FailureReason, PROBE_FAILURES, Permissions, STALE_AFTER, Session,
    State, Verdict,
};

const START: Timestamp = Timestamp::UNIX_EPOCH;

fn answered(verdict: Verdict) -> Event {
    Event::Answered { uid: ClusterUid::new("uid"), verdict, latency: Duration::from_millis(3) }
}

fn failed(reason: FailureReason) -> Event {
    Event::ProbeFailed(Failure { reason, message: "no".to_owned() })
}

fn running() -> Session {
    let (mut session, first) = Session::start(START);
    assert_eq!(first, [Action::Probe]);
    assert_eq!(session.on(answered(Verdict::Pinned), START, 1.0), [Action::InstallCrds]);
    let actions = session.on(Event::CrdsChecked(Crds::UpToDate), START, 1.0);
    assert_eq!(actions[0], Action::StartWork);
    assert_eq!(session.state(), State::Syncing);
    session.on(Event::SyncChanged { missing: None }, START, 1.0);
    assert_eq!(session.state(), State::Running);
    session
}

#[test]
fn a_black_hole_is_found_within_its_bound_and_work_is_held() {
    let mut session = running();
    let probe_timeout = Duration::from_secs(5);
    let mut elapsed = Duration::from_secs(10);
    for n in 1..=PROBE_FAILURES {
        elapsed += probe_timeout;
        let actions = session.on(failed(FailureReason::ResponseTimeout), START, 1.0);
        if n < PROBE_FAILURES {
            assert_eq!(session.state(), State::Degraded);
            let [Action::SetTimer(wait)] = actions[..] else { panic!("{actions:?}") };
            elapsed += wait;
        } else {
            assert_eq!(actions[0], Action::HoldWork);
        }
    }
    assert_eq!(session.state(), State::Unreachable);
    assert!(elapsed <= Duration::from_secs(60), "{elapsed:?}");
}

#[test]
fn refused_credentials_count_at_once() {
    let mut session = running();
    let actions = session.on(failed(FailureReason::Unauthorized), START, 1.0);
    assert_eq!(session.state(), State::Unreachable);
    assert_eq!(actions[..2], [Action::RereadSecret, Action::HoldWork]);
}

#[test]
fn one_refusal_reads_the_secret_again_once() {
    let mut session = running();
    assert_eq!(session.on(Event::Refused, START, 1.0), [Action::RereadSecret, Action::Probe]);
    assert_eq!(session.on(Event::Refused, START, 1.0), [Action::Probe]);
    let refused = session.on(failed(FailureReason::Unauthorized), START, 1.0);
    assert!(!refused.contains(&Action::RereadSecret), "{refused:?}");
    // Others may be refused, too, and so may these, after they have been accepted for a while.
    assert_eq!(session.on(Event::Rotated, START, 1.0), [Action::Probe]);
    session.on(answered(Verdict::Matched), START, 1.0);
    session.on(Event::RequestAnswered, START, 1.0);
    assert_eq!(session.on(Event::Refused, START, 1.0)[0], Action::RereadSecret);
    let later = START + SignedDuration::from_secs(61);
    session.on(answered(Verdict::Matched), later, 1.0);
    assert_eq!(session.on(Event::Refused, later, 1.0)[0], Action::RereadSecret);
}

#[test]
fn a_cluster_that_answers_nothing_but_probes_is_tried_with_one_piece_of_work() {
    let mut session = running();
    assert_eq!(session.on(Event::RequestsFail, START, 1.0), [Action::Probe]);
    let opened = session.on(answered(Verdict::Matched), START, 1.0);
    assert_eq!(opened, [Action::HoldWork, Action::SetTimer(Duration::from_secs(5))]);
    assert_eq!((session.state(), session.circuit()), (State::Unreachable, Circuit::Open));
    assert_eq!(session.failure().unwrap().reason, FailureReason::CircuitOpen);
    // What fails while it is open was sent before.
    assert_eq!(session.on(Event::RequestsFail, START, 1.0), []);
    assert_eq!(session.on(Event::RequestAnswered, START, 1.0), []);

    let trial = session.on(answered(Verdict::Matched), START, 1.0);
    assert_eq!(trial, [Action::TryWork, Action::SetTimer(Duration::from_secs(12))]);
    assert_eq!((session.state(), session.circuit()), (State::Unreachable, Circuit::HalfOpen));
    assert_eq!(session.failure().unwrap().reason, FailureReason::CircuitOpen, "it is told until it is over");
    let opened = session.on(Event::RequestsFail, START, 1.0);
    assert_eq!(opened, [Action::HoldWork, Action::SetTimer(Duration::from_secs(10))]);

    session.on(answered(Verdict::Matched), START, 1.0);
    assert_eq!(session.on(Event::RequestAnswered, START, 1.0), [Action::ResumeWork]);
    assert_eq!(session.circuit(), Circuit::Closed);
    assert_eq!(session.on(Event::RequestAnswered, START, 1.0), []);

    // After a while of peace the waits begin anew.
    session.on(answered(Verdict::Matched), START + SignedDuration::from_secs(61), 1.0);
    session.on(Event::RequestsFail, START, 1.0);
    let opened = session.on(answered(Verdict::Matched), START, 1.0);
    assert_eq!(opened, [Action::HoldWork, Action::SetTimer(Duration::from_secs(5))]);
}

#[test]
fn a_cluster_that_answers_no_probe_either_is_not_said_to_answer_them() {
    let mut session = running();
    session.on(Event::RequestsFail, START, 1.0);
    session.on(failed(FailureReason::ConnectionRefused), START, 1.0);
    assert_eq!(session.state(), State::Degraded);
    session.on(answered(Verdict::Matched), START, 1.0);
    assert_eq!((session.state(), session.circuit()), (State::Running, Circuit::Closed));
}

/// The circuit of a cluster whose work got nowhere.
fn opened() -> Session {
    let mut session = running();
    session.on(Event::RequestsFail, START, 1.0);
    session.on(answered(Verdict::Matched), START, 1.0);
    assert_eq!(session.circuit(), Circuit::Open);
    session
}

#[test]
fn a_cluster_without_work_is_let_in_by_the_next_probe() {
    let mut session = opened();
    session.on(answered(Verdict::Matched), START, 1.0);
    assert_eq!(session.on(answered(Verdict::Matched), START, 1.0)[0], Action::ResumeWork);
}

#[test]
fn a_trial_is_over_with_the_first_probe_that_fails() {
    let mut session = opened();
    session.on(answered(Verdict::Matched), START, 1.0);
    let actions = session.on(failed(FailureReason::ConnectTimeout), START, 1.0);
    assert_eq!(actions[0], Action::HoldWork);
    assert_eq!(session.state(), State::Unreachable);
}

#[test]
fn a_watch_that_is_silent_makes_the_view_stale_and_stops_nothing() {
    let mut session = running();
    let heard = |oldest| Event::Heard { oldest, watch: "pods".to_owned() };
    let now = START + STALE_AFTER;
    assert_eq!(session.on(heard(START + SignedDuration::from_millis(1)), now, 1.0), []);
    assert_eq!(session.stale(), None);
    assert_eq!(session.on(heard(START), now, 1.0), []);
    assert_eq!(session.stale().unwrap().since, START);
    assert_eq!(session.state(), State::Running);
    session.on(Event::TaskEnded { task: "watch".to_owned() }, now, 1.0);
    assert_eq!(session.stale(), None);
}

#[test]
fn a_cluster_that_answers_again_works_again_without_a_new_start() {
    let mut session = running();
    for _ in 0..PROBE_FAILURES {
        session.on(failed(FailureReason::ConnectTimeout), START, 1.0);
    }
    let actions = session.on(answered(Verdict::Matched), START, 1.0);
    assert_eq!(actions, [Action::TryWork, Action::SetTimer(Duration::from_secs(1))]);
    assert_eq!(session.state(), State::Unreachable, "until some work has been done");
    assert_eq!(session.on(Event::RequestAnswered, START, 1.0), [Action::ResumeWork]);
    assert_eq!((session.state(), session.failure()), (State::Running, None));
}

#[test]
fn another_cluster_behind_the_same_address_ends_all_work() {
    let mut session = running();
    let actions = session.on(answered(Verdict::Mismatch { pinned: ClusterUid::new("other") }), START, 1.0);
    assert_eq!(actions[0], Action::AbortWork, "nothing may be written there any more");
    assert_eq!(session.state(), State::Rejected);
}

#[test]
fn a_task_that_ends_starts_the_session_over() {
    let mut session = running();
    let actions = session.on(Event::TaskEnded { task: "watch".to_owned() }, START, 1.0);
    assert_eq!(actions[0], Action::StopWork);
    assert_eq!(session.state(), State::Connecting);
    assert_eq!(session.on(Event::TimerFired, START, 1.0), [Action::Probe]);
}

#[test]
fn a_session_that_breaks_each_time_is_started_over_less_and_less_often() {
    let mut session = running();
    let mut waits = Vec::new();
    for _ in 0..6 {
        let actions = session.on(Event::TaskEnded { task: "watch".to_owned() }, START, 1.0);
        let Some(Action::SetTimer(wait)) = actions.last() else { panic!("{actions:?}") };
        waits.push(wait.as_secs());
        session.on(answered(Verdict::Pinned), START, 1.0);
        session.on(Event::CrdsChecked(Crds::UpToDate), START, 1.0);
        session.on(Event::SyncChanged { missing: None }, START, 1.0);
    }
    assert_eq!(waits, [5, 10, 20, 40, 60, 60]);
    session.on(answered(Verdict::Pinned), START + SignedDuration::from_secs(61), 1.0);
    let actions = session.on(Event::TaskEnded { task: "watch".to_owned() }, START, 1.0);
    assert_eq!(actions.last(), Some(&Action::SetTimer(Duration::from_secs(5))));
}

#[test]
fn a_trouble_that_stays_is_not_hidden_by_the_next_try() {
    let (mut session, _) = Session::start(START);
    session.on(answered(Verdict::Pinned), START, 1.0);
    let trouble = Crds::ForeignOwner("somebody".to_owned());
    session.on(Event::CrdsChecked(trouble.clone()), START, 1.0);
    session.on(Event::TimerFired, START, 1.0);
    assert_eq!(session.on(answered(Verdict::Pinned), START, 1.0), [Action::InstallCrds]);
    assert_eq!(*session.crds(), trouble);
}

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        Just(answered(Verdict::Matched)),
        Just(answered(Verdict::Mismatch { pinned: ClusterUid::new("other") })),
        Just(answered(Verdict::Duplicate { holder: "older".to_owned() })),
        Just(failed(FailureReason::ConnectTimeout)),
        Just(failed(FailureReason::Unauthorized)),
        Just(Event::CrdsChecked(Crds::UpToDate)),
        Just(Event::PermissionsChecked(Permissions::Unknown("no".to_owned()))),
        Just(Event::CrdsChecked(Crds::Forbidden("no".to_owned()))),
        Just(Event::SyncChanged { missing: None }),
        Just(Event::SyncChanged { missing: Some("pods".to_owned()) }),
        Just(Event::TaskEnded { task: "watch".to_owned() }),
        Just(Event::Doubt),
        Just(Event::Refused),
        Just(Event::Rotated),
        Just(Event::RequestsFail),
        Just(Event::RequestAnswered),
        Just(Event::Heard { oldest: START, watch: "pods".to_owned() }),
        Just(Event::TimerFired),
    ]
}

proptest! {
    /// Work is started and stopped in turns, it runs only on a cluster whose identity was trusted last, and
    /// a session that is not waiting for an answer always has a timer: it can never fall asleep.
    #[test]
    fn whatever_happens_the_invariants_hold(events in prop::collection::vec((any_event(), 0.0..=1.0f64), 0..200)) {
        let (mut session, mut actions) = Session::start(START);
        let (mut working, mut waiting, mut now, mut flow) = (false, false, START, Circuit::Closed);
        for step in 0..=events.len() {
            for action in &actions {
                match action {
                    Action::StartWork => { prop_assert!(!working); working = true; flow = Circuit::Closed; }
                    Action::StopWork | Action::AbortWork => { prop_assert!(working); working = false; }
                    Action::HoldWork => { prop_assert!(working && flow != Circuit::Open); flow = Circuit::Open; }
                    Action::TryWork => { prop_assert!(working && flow == Circuit::Open); flow = Circuit::HalfOpen; }
                    Action::ResumeWork => { prop_assert!(working && flow == Circuit::HalfOpen); flow = Circuit::Closed; }
                    Action::RereadSecret => {}
                    Action::Probe | Action::InstallCrds => waiting = true,
                    Action::SetTimer(delay) => { prop_assert!(*delay >= Duration::from_millis(500)); waiting = true; }
                }
            }
            prop_assert!(waiting, "nothing will ever wake the session in {:?}", session.state());
            if working {
                prop_assert!(session.verdict().is_some_and(Verdict::is_trusted));
                prop_assert_eq!(session.circuit(), flow);
                prop_assert_eq!(session.state() == State::Unreachable, flow != Circuit::Closed);
            }
            let Some((event, jitter)) = events.get(step) else { break };
            // What was asked for is answered by one of these; the others come by themselves.
            let answers = matches!(event, Event::Answered { .. } | Event::ProbeFailed(_) | Event::TimerFired)
                || (matches!(event, Event::CrdsChecked(_)) && session.state() == State::InstallingCRDs);
            now += SignedDuration::from_secs(1);
            actions = session.on(event.clone(), now, *jitter);
            if answers { waiting = false; }
        }
        actions = session.on(Event::Stop, now, 0.5);
        prop_assert_eq!(actions.contains(&Action::StopWork), working);
        prop_assert_eq!(session.state(), State::Draining);
        prop_assert!(session.on(Event::TimerFired, now, 0.5).is_empty());
    }
}
