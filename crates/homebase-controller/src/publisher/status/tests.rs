//! What is written, and what is not.

use std::sync::Arc;
use std::time::Duration;

use homebase_api::WorkClusterStatus;
use homebase_api::conditions::work_cluster::CredentialsValid;
use homebase_core::ClusterUid;
use homebase_fleet::findings::Unusable;
use homebase_fleet::session::{
    Crds, Event, Failure, FailureReason, PROBE_FAILURES, Permissions, Session, Verdict,
};
use homebase_kube::event::Severity;
use jiff::Timestamp;

use super::{REFRESH, event, next};
use crate::registry::{Cluster, SecretRef, View};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + second).unwrap()
}

fn cluster(view: View) -> Arc<Cluster> {
    let secret = SecretRef {
        name: "boston".to_owned(),
        uid: "secret".to_owned(),
        resource_version: "7".to_owned(),
        created: at(0),
    };
    Cluster::new("boston".parse().unwrap(), secret, Some("host:6443".to_owned()), view)
}

fn answered(second: i64, session: &mut Session) {
    let uid = ClusterUid::new("uid");
    let latency = Duration::from_millis(u64::try_from(second).unwrap());
    session.on(Event::Answered { uid, verdict: Verdict::Pinned, latency }, at(second), 0.0);
}

fn running() -> Session {
    let (mut session, _) = Session::start(at(0));
    answered(1, &mut session);
    session.on(Event::CrdsChecked(Crds::UpToDate), at(1), 0.0);
    session.on(Event::SyncChanged { missing: None }, at(1), 0.0);
    session
}

fn write(previous: &WorkClusterStatus, session: &Session, second: i64) -> Option<WorkClusterStatus> {
    let cluster = cluster(View::Session(Box::new(session.clone())));
    next(previous, &cluster, "hub", 1, at(second))
}

#[test]
fn a_probe_that_finds_nothing_new_is_not_written_until_the_refresh_is_due() {
    let mut session = running();
    let first = write(&WorkClusterStatus::default(), &session, 1).unwrap();
    answered(11, &mut session);
    assert_eq!(write(&first, &session, 11), None);
    let due = 1 + i64::try_from(REFRESH.as_secs()).unwrap();
    answered(due, &mut session);
    let refreshed = write(&first, &session, due).unwrap();
    assert_eq!(refreshed.last_seen.as_ref().unwrap().0, at(due));
    assert_eq!(event(&first, &refreshed), None);
}

#[test]
fn a_normal_start_is_no_warning_and_a_restart_of_the_hub_changes_nothing() {
    let started = |second| {
        let (mut session, _) = Session::start(at(second));
        answered(second + 1, &mut session);
        session
    };
    // The first start of a registration.
    let mut session = started(0);
    let empty = WorkClusterStatus::default();
    let installing = write(&empty, &session, 1).unwrap();
    assert_eq!(event(&empty, &installing), None);
    session.on(Event::CrdsChecked(Crds::UpToDate), at(2), 0.0);
    let syncing = write(&installing, &session, 2).unwrap();
    assert_eq!(event(&installing, &syncing), None);
    session.on(Event::SyncChanged { missing: None }, at(3), 0.0);
    let running = write(&syncing, &session, 3).unwrap();
    let (severity, reason, _) = event(&syncing, &running).unwrap();
    assert_eq!((severity, &*reason), (Severity::Normal, "AllChecksPassed"));
    // A watch that is lost later is a warning.
    session.on(Event::SyncChanged { missing: Some("pods".to_owned()) }, at(4), 0.0);
    let lost = write(&running, &session, 4).unwrap();
    assert_eq!(event(&running, &lost).unwrap().0, Severity::Warning);

    // Another hub process begins: the record stands while it comes up, and not for ever.
    let mut session = started(100);
    assert_eq!(write(&running, &session, 101), None);
    session.on(Event::CrdsChecked(Crds::UpToDate), at(102), 0.0);
    assert_eq!(write(&running, &session, 110), None);
    let hanging = write(&running, &session, 161).unwrap();
    assert_eq!(event(&running, &hanging).unwrap().0, Severity::Warning);
    // What goes wrong shows at once, and so does another cluster.
    session.on(Event::CrdsChecked(Crds::Forbidden("no".to_owned())), at(111), 0.0);
    assert!(write(&running, &session, 111).is_some());
    let (mut other, _) = Session::start(at(200));
    let verdict = Verdict::Mismatch { pinned: ClusterUid::new("uid") };
    other.on(
        Event::Answered { uid: ClusterUid::new("other"), verdict, latency: Duration::ZERO },
        at(201),
        0.0,
    );
    assert!(write(&running, &other, 201).is_some());
}

#[test]
fn a_lost_cluster_keeps_its_last_figures_and_the_time_at_which_they_were_seen() {
    let mut session = running();
    let first = write(&WorkClusterStatus::default(), &session, 1).unwrap();
    assert_eq!(first.resources.as_ref().unwrap().observed_at.0, at(1));
    for n in 0..PROBE_FAILURES {
        let failure = Failure { reason: FailureReason::ConnectTimeout, message: "no".to_owned() };
        session.on(Event::ProbeFailed(failure), at(20 + i64::from(n)), 0.0);
    }
    let lost = write(&first, &session, 30).unwrap();
    assert_eq!(lost.resources, first.resources);
    assert_eq!(lost.last_seen, first.last_seen);
    assert_eq!(lost.identity, first.identity);
    assert_eq!(event(&first, &lost), Some((Severity::Warning, "NotReachable".to_owned(), "no".to_owned())));
}

#[test]
fn the_reason_of_a_bad_kubeconfig_is_the_reason_of_the_event_and_old_news_becomes_unknown() {
    let first = write(&WorkClusterStatus::default(), &running(), 1).unwrap();
    let unusable =
        || Unusable { reason: CredentialsValid::BadKubeConfig, message: "users[0]: no".to_owned() };
    let rejected = next(&first, &cluster(View::Unusable(unusable())), "hub", 1, at(2)).unwrap();
    let (severity, reason, note) = event(&first, &rejected).unwrap();
    assert_eq!((severity, &*reason, &*note), (Severity::Warning, "BadKubeConfig", "users[0]: no"));
    let reachable = rejected.conditions.iter().find(|condition| condition.type_ == "Reachable").unwrap();
    assert_eq!((&*reachable.status, &*reachable.reason), ("Unknown", "NotChecked"));
    assert_eq!(next(&rejected, &cluster(View::Unusable(unusable())), "hub", 1, at(3)), None);
}

#[test]
fn another_fault_of_a_registration_is_another_event_and_the_same_one_is_none() {
    let told = |previous: &WorkClusterStatus, reason, message: &str| {
        let view = View::Unusable(Unusable { reason, message: message.to_owned() });
        let status = next(previous, &cluster(view), "hub", 1, at(2));
        let event = status.as_ref().and_then(|status| event(previous, status));
        (status.unwrap_or_else(|| previous.clone()), event.map(|(_, reason, note)| (reason, note)))
    };
    let said = |reason: &str, note: &str| Some((reason.to_owned(), note.to_owned()));
    let empty = WorkClusterStatus::default();
    let (first, event) = told(&empty, CredentialsValid::BadKubeConfig, "no mapping");
    assert_eq!(event, said("BadKubeConfig", "no mapping"));
    let (second, event) = told(&first, CredentialsValid::KeyNotFound, "no key");
    assert_eq!(event, said("KeyNotFound", "no key"));
    let (third, event) = told(&second, CredentialsValid::KeyNotFound, "no key");
    assert_eq!((&third, event), (&second, None));
    let (_, event) = told(&third, CredentialsValid::KeyNotFound, "no key either");
    assert_eq!(event, said("KeyNotFound", "no key either"));
}

#[test]
fn an_untrusted_identity_is_never_put_on_record() {
    let (mut session, _) = Session::start(at(0));
    let verdict = Verdict::Mismatch { pinned: ClusterUid::new("pinned") };
    session.on(
        Event::Answered { uid: ClusterUid::new("other"), verdict, latency: Duration::ZERO },
        at(1),
        0.0,
    );
    assert_eq!(write(&WorkClusterStatus::default(), &session, 1).unwrap().identity, None);
}

#[test]
fn other_words_about_rights_are_written_however_long_the_first_ones_have_stood() {
    let mut session = running();
    let lacks = |words: &str| Permissions::Missing { words: words.to_owned(), stops_work: false };
    session.on(Event::PermissionsChecked(lacks("one; two")), at(1), 0.0);
    let first = write(&WorkClusterStatus::default(), &session, 1).unwrap();
    session.on(Event::PermissionsChecked(lacks("two")), at(100), 0.0);
    assert!(write(&first, &session, 100).is_some());
    session.on(Event::PermissionsChecked(lacks("one; two")), at(101), 0.0);
    assert_eq!(write(&first, &session, 101), None);
}
