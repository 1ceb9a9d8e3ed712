//! What users read of a cluster in each situation.

use std::time::Duration;

use homebase_api::conditions::set_condition;
use homebase_api::conditions::work_cluster::CredentialsValid;
use homebase_core::ClusterUid;
use homebase_kubeconfig::ExpiryState;
use jiff::Timestamp;

use super::{Registered, Unusable, of_session, of_unusable};
use crate::session::{
    Crds, Event, Failure, FailureReason, PROBE_FAILURES, Permissions, STALE_AFTER, Session, Verdict,
};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn words(conditions: Vec<homebase_api::conditions::NewCondition>) -> String {
    let mut list = Vec::new();
    for condition in conditions {
        set_condition(&mut list, condition, NOW);
    }
    let words: Vec<_> = list.iter().map(|c| format!("{}={}/{}", c.type_, c.status, c.reason)).collect();
    words.join(" ")
}

fn answer(session: &mut Session) {
    let uid = ClusterUid::new("uid");
    session.on(Event::Answered { uid, verdict: Verdict::Pinned, latency: Duration::ZERO }, NOW, 0.0);
}

fn running() -> Session {
    let (mut session, _) = Session::start(NOW);
    answer(&mut session);
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
    assert_eq!(words(of_session(&session, Registered::default(), 1)), "Ready=Unknown/Connecting");
}

#[test]
fn a_cluster_that_works() {
    assert_eq!(
        words(of_session(&running(), Registered::default(), 1)),
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
        words(of_session(&session, Registered::default(), 1)),
        "Ready=False/NotReachable Reachable=False/ResponseTimeout CredentialsValid=Unknown/Valid \
         IdentityVerified=Unknown/Pinned CRDsInstalled=Unknown/UpToDate Synced=Unknown/Synced"
    );
}

#[test]
fn a_lost_packet_changes_nothing_that_users_see() {
    let mut session = running();
    let before = words(of_session(&session, Registered::default(), 1));
    fail(&mut session, FailureReason::ConnectTimeout);
    assert_eq!(words(of_session(&session, Registered::default(), 1)), before);
}

#[test]
fn work_that_gets_nowhere_is_told_although_probes_are_answered() {
    let mut session = running();
    session.on(Event::RequestsFail, NOW, 0.0);
    answer(&mut session);
    let said = words(of_session(&session, Registered::default(), 1));
    assert!(said.starts_with("Ready=False/NotReachable Reachable=False/CircuitOpen"), "{said}");
}

#[test]
fn a_silent_watch_is_told_although_the_cluster_answers() {
    let mut session = running();
    let watch = "pods".to_owned();
    session.on(Event::Heard { oldest: NOW - STALE_AFTER, watch }, NOW, 0.0);
    let said = words(of_session(&session, Registered::default(), 1));
    assert!(said.starts_with("Ready=False/NotSynced Reachable=True/ProbeSucceeded"), "{said}");
    assert!(said.ends_with("Synced=False/Stale"), "{said}");
}

#[test]
fn refused_credentials_are_not_called_unreachable() {
    let (mut session, _) = Session::start(NOW);
    fail(&mut session, FailureReason::Unauthorized);
    assert_eq!(
        words(of_session(&session, Registered::default(), 1)),
        "Ready=False/CredentialsInvalid Reachable=True/ProbeSucceeded CredentialsValid=False/Unauthorized"
    );
}

const REJECTED: Registered<'_> = Registered {
    rejected_rotation: Some("users[0]: no"),
    faults: &[],
    restricted_to: None,
    missing: None,
    expiry: None,
};

#[test]
fn credentials_say_when_they_expire() {
    let dated = |state| Registered { expiry: Some((state, NOW)), ..Registered::default() };
    let of = |session: &Session, state| words(of_session(session, dated(state), 1));
    assert!(of(&running(), ExpiryState::Valid).contains("CredentialsValid=True/Valid"));
    assert!(of(&running(), ExpiryState::ExpiringSoon).contains("CredentialsValid=True/ExpiringSoon"));
    assert!(of(&running(), ExpiryState::Expired).contains("CredentialsValid=False/Expired"));
    let mut session = running();
    fail(&mut session, FailureReason::Unauthorized);
    assert!(of(&session, ExpiryState::Expired).contains("CredentialsValid=False/Expired"));
    assert!(of(&session, ExpiryState::ExpiringSoon).contains("CredentialsValid=False/Unauthorized"));
}

#[test]
fn a_setting_that_is_wrong_is_told_and_stops_nothing() {
    let faults = ["homebase.dev/qps: no".to_owned()];
    let registered = Registered { faults: &faults, ..Registered::default() };
    assert!(words(of_session(&running(), registered, 1)).starts_with("Ready=True/AllChecksPassed"));
}

#[test]
fn a_kubeconfig_that_is_refused_leaves_the_session_as_it_is() {
    let rejected = words(of_session(&running(), REJECTED, 1));
    assert!(rejected.starts_with("Ready=True/AllChecksPassed"), "{rejected}");
    assert!(rejected.contains("CredentialsValid=False/RotationRejected"), "{rejected}");
    let mut session = running();
    fail(&mut session, FailureReason::Unauthorized);
    let refused = words(of_session(&session, REJECTED, 1));
    assert!(refused.contains("CredentialsValid=False/Unauthorized"), "{refused}");
}

#[test]
fn a_paused_cluster_claims_nothing_else() {
    assert_eq!(words(super::of_paused("why", 1)), "Ready=False/Paused");
}

#[test]
fn another_cluster_than_the_registered_one() {
    let (mut session, _) = Session::start(NOW);
    let verdict = Verdict::Mismatch { pinned: ClusterUid::new("old") };
    let uid = ClusterUid::new("new");
    session.on(Event::Answered { uid, verdict, latency: Duration::ZERO }, NOW, 0.0);
    assert_eq!(
        words(of_session(&session, Registered::default(), 1)),
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

#[test]
fn missing_rights_stop_the_cluster_only_where_they_stop_work() {
    let with = |permissions: Permissions| {
        let mut session = running();
        assert_eq!(session.on(Event::PermissionsChecked(permissions), NOW, 0.0), []);
        let words = words(of_session(&session, Registered::default(), 1));
        let is_told = |word: &&str| word.starts_with("Ready=") || word.starts_with("PermissionsVerified=");
        words.split(' ').filter(is_told).collect::<Vec<_>>().join(" ")
    };
    let lacks = |stops_work| Permissions::Missing { words: "patch pods".to_owned(), stops_work };
    assert_eq!(
        with(Permissions::Sufficient),
        "Ready=True/AllChecksPassed PermissionsVerified=True/Sufficient"
    );
    assert_eq!(with(lacks(true)), "Ready=False/PermissionsMissing PermissionsVerified=False/Missing");
    assert_eq!(with(lacks(false)), "Ready=True/AllChecksPassed PermissionsVerified=False/Missing");
    assert_eq!(
        with(Permissions::Excessive("get secrets".to_owned())),
        "Ready=True/AllChecksPassed PermissionsVerified=True/Excessive"
    );
    assert_eq!(
        with(Permissions::Unknown("a webhook decides".to_owned())),
        "Ready=True/AllChecksPassed PermissionsVerified=Unknown/Unknown"
    );
}

#[test]
fn what_is_missing_is_said_before_what_it_causes_and_is_not_claimed_of_a_lost_cluster() {
    let mut session = running();
    let lacks = Permissions::Missing { words: "list pods".to_owned(), stops_work: true };
    session.on(Event::PermissionsChecked(lacks), NOW, 0.0);
    session.on(Event::SyncChanged { missing: Some("Pod (Forbidden)".to_owned()) }, NOW, 0.0);
    assert!(
        words(of_session(&session, Registered::default(), 1)).starts_with("Ready=False/PermissionsMissing ")
    );
    session.on(Event::CrdsChecked(Crds::Forbidden("no".to_owned())), NOW, 0.0);
    assert!(
        words(of_session(&session, Registered::default(), 1)).starts_with("Ready=False/CRDsNotInstalled ")
    );
    for _ in 0..PROBE_FAILURES {
        fail(&mut session, FailureReason::ResponseTimeout);
    }
    let lost = words(of_session(&session, Registered::default(), 1));
    assert!(lost.contains("PermissionsVerified=Unknown/Missing"), "{lost}");
}

#[test]
fn a_cluster_that_is_restricted_to_namespaces_says_so_whether_in_sync_or_not() {
    for missing in [None, Some("Service in b".to_owned())] {
        let mut session = running();
        session.on(Event::SyncChanged { missing }, NOW, 0.0);
        let registered = Registered { restricted_to: Some("namespaces a, b"), ..Registered::default() };
        let mut list = Vec::new();
        for condition in of_session(&session, registered, 1) {
            set_condition(&mut list, condition, NOW);
        }
        let synced = list.iter().find(|condition| condition.type_ == "Synced").unwrap();
        assert!(synced.message.ends_with("; worked on in namespaces a, b only"), "{}", synced.message);
    }
}
