//! Decides what the status of a `WorkCluster` says next, and whether that is worth a write and an Event. It
//! sends nothing.

use std::time::Duration;

use homebase_api::WorkClusterStatus;
use homebase_api::conditions::work_cluster::{
    CRDsInstalled, CredentialsValid, PermissionsVerified, Reachable, Ready,
};
use homebase_api::conditions::{ConditionStatus, NewCondition, Reason as _, find_condition, set_condition};
use homebase_api::workcluster::{
    ClusterIdentity, ClusterResources, ClusterVersion, ObservedSecret, SessionState,
};
use homebase_fleet::findings::{self, Registered};
use homebase_fleet::session::{Session, Verdict};
use homebase_kube::event::Severity;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use crate::reconcile::Tally;
use crate::registry::{Cluster, View};

#[cfg(test)]
mod tests;

/// How often the times in a status that says nothing new are refreshed. In between a healthy cluster costs
/// the home apiserver no write at all; `homebase_member_cluster_last_success_timestamp_seconds` has the
/// exact time.
pub(super) const REFRESH: Duration = Duration::from_secs(300);

/// How soon a session that begins is looked at again, so that one that does not come up shows soon after its time.
const STARTING: Duration = Duration::from_secs(10);

/// How long after a change the words of a trouble are followed: while it unfolds they say more and more.
const FRESH_TROUBLE: Duration = Duration::from_secs(30);

/// The status that is to be written; none when the one that is there says it already.
pub(super) fn next(
    previous: &WorkClusterStatus,
    cluster: &Cluster,
    instance: &str,
    generation: i64,
    now: Timestamp,
) -> Option<WorkClusterStatus> {
    let mut next = previous.clone();
    next.owner = Some(instance.to_owned());
    let shown = cluster.shown();
    next.server.clone_from(&shown.server);
    next.credentials_expire = shown.validity.not_after().map(Time);
    next.observed_secret = Some(ObservedSecret {
        name: cluster.secret.name.clone(),
        uid: cluster.secret.uid.clone(),
        resource_version: shown.resource_version.clone(),
    });
    if is_restart(previous, cluster, now) {
        return None;
    }
    let found = match cluster.view() {
        View::Unusable(unusable) => {
            next.state = Some(SessionState::Rejected);
            findings::of_unusable(&unusable, generation)
        }
        View::Paused(why) => {
            next.state = Some(SessionState::Paused);
            findings::of_paused(&why, generation)
        }
        View::Session(session) => {
            of_session(&mut next, &session, &cluster.tallies(), now);
            let expiry = shown.validity.not_after().map(|at| (shown.validity.expiry_state(now), at));
            let registered = Registered {
                rejected_rotation: shown.rejected_rotation.as_deref(),
                faults: &shown.faults,
                restricted_to: shown.restricted_to.as_deref(),
                missing: shown.missing.as_deref(),
                expiry,
            };
            findings::of_session(&session, registered, generation)
        }
    };
    let found_types: Vec<&str> = found.iter().map(NewCondition::type_).collect();
    for condition in found {
        set_condition(&mut next.conditions, condition, now);
    }
    for condition in &mut next.conditions {
        if !found_types.contains(&condition.type_.as_str()) {
            forget(condition, now);
        }
    }
    worth_a_write(previous, &next, now).then_some(next)
}

/// The status of a cluster that has no session although it is registered; none when the one that is there says it.
pub(super) fn without_session(
    previous: &WorkClusterStatus,
    generation: i64,
    now: Timestamp,
) -> Option<WorkClusterStatus> {
    let mut next = previous.clone();
    next.state = None;
    set_condition(&mut next.conditions, findings::of_missing(generation), now);
    for condition in next.conditions.iter_mut().filter(|condition| condition.type_ != Ready::TYPE) {
        forget(condition, now);
    }
    (timeless(previous) != timeless(&next)).then_some(next)
}

/// A session that has just begun does not know everything yet. What an earlier one put on record, as before a restart of
/// the hub, stands until this one works or something is wrong, but never for the identity of another cluster.
fn is_restart(previous: &WorkClusterStatus, cluster: &Cluster, now: Timestamp) -> bool {
    let is_same = previous.observed_secret.as_ref().is_some_and(|secret| secret.uid == cluster.secret.uid);
    let is_new = match cluster.view() {
        View::Session(session) => {
            let recorded = previous.identity.as_ref().map(|identity| identity.uid.as_str());
            let is_on_record = session.uid().is_none_or(|uid| recorded == Some(uid.as_str()));
            session.is_starting(now) && is_on_record
        }
        View::Unusable(_) | View::Paused(_) => false,
    };
    let worked = matches!(previous.state, Some(SessionState::Running | SessionState::Degraded));
    is_same && is_new && worked && previous.last_seen.is_some()
}

/// How soon a status is looked at again of which nothing may tell: times pass.
pub(super) fn look_again(cluster: &Cluster, now: Timestamp) -> Duration {
    match cluster.view() {
        View::Session(session) if session.is_starting(now) => STARTING,
        _ => REFRESH,
    }
}

/// Whether what is not ready is merely being set up.
fn is_setting_up(status: &WorkClusterStatus, ready: &Condition) -> bool {
    let is = |reason: Ready| ready.reason == reason.as_str();
    let crds = find_condition::<CRDsInstalled>(&status.conditions);
    let being_installed = crds.is_some_and(|crds| crds.reason == CRDsInstalled::Installing.as_str());
    is(Ready::NotSynced) || (is(Ready::CRDsNotInstalled) && being_installed)
}

/// A condition of which nothing is known any more: it is neither true nor false.
fn forget(condition: &mut Condition, now: Timestamp) {
    if condition.status != ConditionStatus::Unknown.as_str() {
        ConditionStatus::Unknown.as_str().clone_into(&mut condition.status);
        // Each of these conditions has a reason of this name.
        Reachable::NotChecked.as_str().clone_into(&mut condition.reason);
        condition.message =
            format!("not checked under the present registration; last known: {}", condition.message);
        condition.last_transition_time = Time(now);
    }
}

fn of_session(next: &mut WorkClusterStatus, session: &Session, tallies: &[Tally], now: Timestamp) {
    next.state = Some(session.state());
    let Some(seen) = session.last_seen() else { return };
    next.last_seen = Some(Time(seen));
    next.latency_milliseconds =
        session.latency().map(|latency| i64::try_from(latency.as_millis()).unwrap_or(i64::MAX));
    if let (Some(uid), true) = (session.uid(), session.verdict().is_some_and(Verdict::is_trusted)) {
        next.identity = Some(ClusterIdentity { uid: uid.to_string(), observed_at: Time(seen) });
    }
    if let Some(version) = session.version() {
        next.version = Some(ClusterVersion { git_version: version.to_owned(), observed_at: Time(seen) });
    }
    // What cannot be seen keeps its last known figures and the time at which they were seen.
    if session.state() == SessionState::Running {
        let count = |kind: &str, figure: fn(&Tally) -> usize| {
            let sum: usize = tallies.iter().filter(|tally| tally.kind == kind).map(figure).sum();
            i64::try_from(sum).unwrap_or(i64::MAX)
        };
        next.resources = Some(ClusterResources {
            iris_clusters: count("IrisCluster", |tally| tally.objects),
            ready_iris_clusters: count("IrisCluster", |tally| tally.ready),
            iris: count("Iris", |tally| tally.objects),
            observed_at: Time(now),
        });
    }
}

/// A difference in anything but times, latency and mere words, or times that have grown old.
fn worth_a_write(previous: &WorkClusterStatus, next: &WorkClusterStatus, now: Timestamp) -> bool {
    if timeless(previous) != timeless(next) {
        return true;
    }
    if in_words(previous) != in_words(next) {
        // The words of a standing trouble may differ with every probe. Each would be a write, so they have to wait.
        let written = previous.conditions.iter().map(|condition| condition.last_transition_time.0).max();
        return written.is_none_or(|written| now.duration_since(written).unsigned_abs() <= FRESH_TROUBLE);
    }
    let (Some(told), Some(seen)) = (&previous.last_seen, &next.last_seen) else {
        return previous.last_seen != next.last_seen;
    };
    let age = now.duration_since(told.0);
    told != seen && age.unsigned_abs() >= REFRESH
}

/// The words about rights are the same as long as the rights are: other words are news, such as that one of two that
/// were missing has been granted.
fn stands_still(condition: &Condition) -> bool {
    condition.type_ == PermissionsVerified::TYPE && condition.status != ConditionStatus::Unknown.as_str()
}

fn timeless(status: &WorkClusterStatus) -> WorkClusterStatus {
    let mut status = status.clone();
    let never = || Time(Timestamp::UNIX_EPOCH);
    status.last_seen = None;
    status.latency_milliseconds = None;
    // Two hubs that overlap during an upgrade would write it in turns.
    status.owner = None;
    for condition in status.conditions.iter_mut().filter(|condition| !stands_still(condition)) {
        condition.message.clear();
    }
    if let Some(identity) = &mut status.identity {
        identity.observed_at = never();
    }
    if let Some(version) = &mut status.version {
        version.observed_at = never();
    }
    if let Some(resources) = &mut status.resources {
        resources.observed_at = never();
    }
    status
}

/// A kubeconfig that is not taken leaves readiness as it is, so it has Events of its own.
fn rotation_event(
    previous: &WorkClusterStatus,
    next: &WorkClusterStatus,
) -> Option<(Severity, String, String)> {
    let is_rejected =
        |condition: &&Condition| condition.reason == CredentialsValid::RotationRejected.as_str();
    let before = find_condition::<CredentialsValid>(&previous.conditions).filter(is_rejected);
    let after = find_condition::<CredentialsValid>(&next.conditions).filter(is_rejected);
    match (before, after) {
        (before, Some(after)) if before.is_none_or(|before| before.message != after.message) => {
            Some((Severity::Warning, after.reason.clone(), after.message.clone()))
        }
        (Some(_), None) => {
            Some((Severity::Normal, "Rotated".to_owned(), "the kubeconfig is in use".to_owned()))
        }
        _ => None,
    }
}

fn in_words(status: &WorkClusterStatus) -> Vec<&str> {
    status.conditions.iter().map(|condition| condition.message.as_str()).collect()
}

/// The Event that a new status is worth: one for each time that readiness, or its reason, changes.
pub(super) fn event(
    previous: &WorkClusterStatus,
    next: &WorkClusterStatus,
) -> Option<(Severity, String, String)> {
    let before = find_condition::<Ready>(&previous.conditions);
    let after = find_condition::<Ready>(&next.conditions)?;
    // What a registration says wrong stands still, unlike the words of a failing network: other words are another
    // fault, which its author has just made.
    let same_words = |a: &Condition, b: &Condition| {
        a.reason != Ready::InvalidRegistration.as_str() || a.message == b.message
    };
    let same =
        |a: &Condition, b: &Condition| a.status == b.status && a.reason == b.reason && same_words(a, b);
    // What never was ready and comes up is no trouble.
    let comes_up = before.is_none_or(|before| {
        before.status == ConditionStatus::Unknown.as_str() || is_setting_up(previous, before)
    }) && is_setting_up(next, after);
    if after.status == ConditionStatus::Unknown.as_str()
        || comes_up
        || before.is_some_and(|before| same(before, after))
    {
        return rotation_event(previous, next);
    }
    if after.status == ConditionStatus::True.as_str() {
        return Some((Severity::Normal, after.reason.clone(), after.message.clone()));
    }
    // `InvalidRegistration` says nothing that the condition behind it does not say better.
    let credentials = find_condition::<CredentialsValid>(&next.conditions)
        .filter(|condition| condition.status == ConditionStatus::False.as_str());
    let (reason, message) = credentials
        .map_or((&after.reason, &after.message), |condition| (&condition.reason, &condition.message));
    Some((Severity::Warning, reason.clone(), message.clone()))
}
