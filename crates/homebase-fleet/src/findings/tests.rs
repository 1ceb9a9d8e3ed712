//! What users read of a cluster in each situation.

use std::time::Duration;

use homebase_api::conditions::set_condition;
use homebase_api::conditions::work_cluster::CredentialsValid;
use homebase_core::ClusterUid;
use jiff::Timestamp;

use super::{Unusable, of_session, of_unusable};
use crate::session::{Crds, Event, Failure, FailureReason, PROBE_FAILURES, Session, Verdict};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn words(conditions: Vec<homebase_api::conditions::NewCondition>) -> String {
    let mut list = Vec::new();
    for condition in conditions {
        set_condition(&mut list, condition, NOW);
    }
    let words: Vec<_> = list.iter().map(|c| format!("{}={}/{}", c.type_, c.status, c.reason)).collect();
    words.join(" ")
}

fn running() -> Session {
    let (mut session, _) = Session::start(NOW);
    let uid = ClusterUid::new("uid");
    session.on(Event::Answered { uid, verdict: Verdict::Pinned, latency: Duration::ZERO }, NOW, 0.0);
    session.on(Event::CrdsChecked(Crds::UpToDate), NOW, 0.0);
    session.on(Event::SyncChanged { missing: None }, NOW, 0.0);
    session
}

fn fail(session: &mut Session, reason: FailureReason) {
    session.on(Event::ProbeFailed(Failure { reason, message: "why".to_owned() }), NOW, 0.0);
}

#[test]
fn before_the_first_answer_nothing_is_claimed() {
    let (session, _) = Session::start(NOW);
    assert_eq!(words(of_session(&session, None, 1)), "Ready=Unknown/Connecting");
}

#[test]
fn a_cluster_that_works() {
    assert_eq!(
        words(of_session(&running(), None, 1)),
        "Ready=True/AllChecksPassed Reachable=True/ProbeSucceeded CredentialsValid=True/Valid \
         IdentityVerified=True/Pinned CRDsInstalled=True/UpToDate Synced=True/Synced"
    );
}

#[test]
fn a_lost_cluster_keeps_its_reasons_and_nothing_is_true_any_more() {
    let mut session = running();
    for _ in 0..PROBE_FAILURES {
        fail(&mut session, FailureReason::ResponseTimeout);
    }
    assert_eq!(
        words(of_session(&session, None, 1)),
        "Ready=False/NotReachable Reachable=False/ResponseTimeout CredentialsValid=Unknown/Valid \
         IdentityVerified=Unknown/Pinned CRDsInstalled=Unknown/UpToDate Synced=Unknown/Synced"
    );
}

#[test]
fn a_lost_packet_changes_nothing_that_users_see() {
    let mut session = running();
    let before = words(of_session(&session, None, 1));
    fail(&mut session, FailureReason::ConnectTimeout);
    assert_eq!(words(of_session(&session, None, 1)), before);
}

#[test]
fn refused_credentials_are_not_called_unreachable() {
    let (mut session, _) = Session::start(NOW);
    fail(&mut session, FailureReason::Unauthorized);
    assert_eq!(
        words(of_session(&session, None, 1)),
        "Ready=False/CredentialsInvalid Reachable=True/ProbeSucceeded CredentialsValid=False/Unauthorized"
    );
}

#[test]
fn a_kubeconfig_that_is_refused_leaves_the_session_as_it_is() {
    let rejected = words(of_session(&running(), Some("users[0]: no"), 1));
    assert!(rejected.starts_with("Ready=True/AllChecksPassed"), "{rejected}");
    assert!(rejected.contains("CredentialsValid=False/RotationRejected"), "{rejected}");
    let mut session = running();
    fail(&mut session, FailureReason::Unauthorized);
    let refused = words(of_session(&session, Some("users[0]: no"), 1));
    assert!(refused.contains("CredentialsValid=False/Unauthorized"), "{refused}");
}

#[test]
fn another_cluster_than_the_registered_one() {
    let (mut session, _) = Session::start(NOW);
    let verdict = Verdict::Mismatch { pinned: ClusterUid::new("old") };
    let uid = ClusterUid::new("new");
    session.on(Event::Answered { uid, verdict, latency: Duration::ZERO }, NOW, 0.0);
    assert_eq!(
        words(of_session(&session, None, 1)),
        "Ready=False/IdentityNotVerified Reachable=True/ProbeSucceeded CredentialsValid=True/Valid \
         IdentityVerified=False/Mismatch"
    );
}

#[test]
fn a_kubeconfig_that_cannot_be_used() {
    let unusable =
        Unusable { reason: CredentialsValid::BadKubeConfig, message: "users[0].user.exec: no".to_owned() };
    assert_eq!(
        words(of_unusable(&unusable, 1)),
        "CredentialsValid=False/BadKubeConfig Ready=False/InvalidRegistration"
    );
}
