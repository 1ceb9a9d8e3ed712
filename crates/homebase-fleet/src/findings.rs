//! Turns what a session knows into the conditions of a `WorkCluster`. Values that need an answer of the
//! cluster become Unknown when it does not answer: never True, never false by silence.

use homebase_api::conditions::work_cluster::{
    CRDsInstalled, CredentialsValid, IdentityVerified, PermissionsVerified, Reachable, Ready, Synced,
};
use homebase_api::conditions::{ConditionStatus, NewCondition, Reason};

use homebase_kubeconfig::ExpiryState;
use jiff::Timestamp;

use crate::session::{Crds, Failure, FailureReason, Permissions, Session, Stale, State, Verdict};

#[cfg(test)]
mod tests;

/// Why a registration cannot be used at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable {
    /// The reason of `CredentialsValid`.
    pub reason: CredentialsValid,
    /// All faults in words, with the fix, without values.
    pub message: String,
}

/// The conditions of a registration that cannot be used.
pub fn of_unusable(unusable: &Unusable, generation: i64) -> Vec<NewCondition> {
    let credentials =
        NewCondition::new(ConditionStatus::False, unusable.reason, unusable.message.clone(), generation);
    let ready = Ready::InvalidRegistration;
    vec![credentials, NewCondition::new(ConditionStatus::False, ready, unusable.message.clone(), generation)]
}

/// The conditions of a cluster that its registration has paused.
pub fn of_paused(why: &str, generation: i64) -> Vec<NewCondition> {
    let message = format!("{why}: what runs there keeps running and is not looked after");
    vec![NewCondition::new(ConditionStatus::False, Ready::Paused, message, generation)]
}

/// The condition of a cluster that has no session although it is registered.
pub fn of_missing(generation: i64) -> NewCondition {
    let message = "the registration Secret exists, and the home cluster's list of registrations lacks it: the hub does \
                   not operate the cluster. Check the apiserver of the home cluster";
    NewCondition::new(ConditionStatus::Unknown, Ready::RegistrationMissing, message.to_owned(), generation)
}

/// One finding about a cluster before it becomes a condition.
struct Finding<R> {
    status: ConditionStatus,
    reason: R,
    message: String,
}

impl<R: Reason> Finding<R> {
    fn new(status: ConditionStatus, reason: R, message: impl Into<String>) -> Self {
        Self { status, reason, message: message.into() }
    }

    /// The same finding once the cluster does not answer: it was so, and nobody knows whether it still is.
    fn aged(mut self, lost: bool) -> Self {
        if lost && self.status != ConditionStatus::Unknown {
            self.message =
                format!("not known while the cluster does not answer; last known: {}", self.message);
            self.status = ConditionStatus::Unknown;
        }
        self
    }

    fn condition(&self, generation: i64) -> NewCondition {
        NewCondition::new(self.status, self.reason, self.message.clone(), generation)
    }
}

/// What the registration of a cluster says besides what its session finds out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Registered<'a> {
    /// Why the newest kubeconfig is not used, when the session goes on with an older one.
    pub rejected_rotation: Option<&'a str>,
    /// Settings that cannot be carried out as they are.
    pub faults: &'a [String],
    /// The namespaces in which it is worked on, in words; none when that is everywhere.
    pub restricted_to: Option<&'a str>,
    /// Why the session goes on although its registration is missing.
    pub missing: Option<&'a str>,
    /// When the credentials expire, and what that means now.
    pub expiry: Option<(ExpiryState, Timestamp)>,
}

/// The conditions of a cluster that has a session. What was never found out has no condition.
pub fn of_session(session: &Session, registered: Registered<'_>, generation: i64) -> Vec<NewCondition> {
    let Registered { rejected_rotation, faults, restricted_to, missing, expiry } = registered;
    let lost = is_lost(session);
    let mut ready = ready(session);
    let faults: Vec<&str> = faults.iter().map(String::as_str).chain(missing).collect();
    if !faults.is_empty() {
        ready.message = format!("{}; but {}", ready.message, faults.join("; "));
    }
    let mut conditions = vec![ready.condition(generation)];
    conditions.extend(reachable(session).map(|finding| finding.condition(generation)));
    let rejected = rejected_rotation.and_then(|message| rotation_rejected(session, message));
    let credentials = rejected.or_else(|| credentials(session).map(|finding| dated(finding, expiry)));
    conditions.extend(credentials.map(|finding| finding.condition(generation)));
    conditions.extend(identity(session).map(|finding| finding.aged(lost).condition(generation)));
    if session.verdict().is_some_and(Verdict::is_trusted) {
        conditions.extend(permissions(session).map(|finding| finding.aged(lost).condition(generation)));
        conditions.push(crds(session).aged(lost).condition(generation));
        let mut synced = synced(session);
        if let Some(namespaces) = restricted_to {
            synced.message = format!("{}; worked on in {namespaces} only", synced.message);
        }
        conditions.push(synced.aged(lost).condition(generation));
    }
    conditions
}

fn is_lost(session: &Session) -> bool {
    session.state() == State::Unreachable
}

/// An answer that refuses us is an answer all the same.
fn is_refusal(failure: &Failure) -> bool {
    matches!(failure.reason, FailureReason::Unauthorized | FailureReason::Forbidden)
}

fn reachable(session: &Session) -> Option<Finding<Reachable>> {
    match session.failure() {
        Some(failure) if is_lost(session) && !is_refusal(failure) => {
            let reason = match failure.reason {
                FailureReason::Dns => Reachable::DNSFailure,
                FailureReason::ConnectTimeout => Reachable::ConnectTimeout,
                FailureReason::DestinationRefused | FailureReason::ConnectionRefused => {
                    Reachable::ConnectionRefused
                }
                FailureReason::Tls => Reachable::TLSFailure,
                FailureReason::ResponseTimeout => Reachable::ResponseTimeout,
                FailureReason::CircuitOpen => Reachable::CircuitOpen,
                FailureReason::ServerError | FailureReason::Unauthorized | FailureReason::Forbidden => {
                    Reachable::ServerError
                }
            };
            Some(Finding::new(ConditionStatus::False, reason, failure.message.clone()))
        }
        Some(failure) if !is_refusal(failure) && session.last_seen().is_none() => None,
        None if session.last_seen().is_none() => None,
        _ => Some(Finding::new(ConditionStatus::True, Reachable::ProbeSucceeded, "the apiserver answers")),
    }
}

/// A kubeconfig that is refused while the session goes on with the one before. When that one fails too, its own
/// failure says more.
fn rotation_rejected(session: &Session, message: &str) -> Option<Finding<CredentialsValid>> {
    let is_refused = session.failure().is_some_and(|failure| failure.reason == FailureReason::Unauthorized);
    (!is_refused).then(|| {
        Finding::new(
            ConditionStatus::False,
            CredentialsValid::RotationRejected,
            format!("the new kubeconfig is not used, the one before goes on: {message}"),
        )
    })
}

/// What a finding about credentials becomes in the light of the day on which they expire.
fn dated(
    mut finding: Finding<CredentialsValid>,
    expiry: Option<(ExpiryState, Timestamp)>,
) -> Finding<CredentialsValid> {
    match expiry {
        Some((ExpiryState::Expired, at)) if finding.status != ConditionStatus::Unknown => {
            let message = format!("they expired at {at}: put new ones into the registration Secret");
            Finding::new(ConditionStatus::False, CredentialsValid::Expired, message)
        }
        Some((ExpiryState::ExpiringSoon, at)) if finding.status == ConditionStatus::True => {
            finding.reason = CredentialsValid::ExpiringSoon;
            finding.message = format!("they expire at {at}: put new ones into the registration Secret");
            finding
        }
        _ => finding,
    }
}

fn credentials(session: &Session) -> Option<Finding<CredentialsValid>> {
    let accepted = Finding::new(ConditionStatus::True, CredentialsValid::Valid, "the apiserver accepts them");
    match session.failure() {
        Some(failure) if failure.reason == FailureReason::Unauthorized => Some(Finding::new(
            ConditionStatus::False,
            CredentialsValid::Unauthorized,
            format!(
                "{}: put a kubeconfig with valid credentials into the registration Secret",
                failure.message
            ),
        )),
        Some(failure) if failure.reason == FailureReason::Forbidden => Some(accepted),
        _ if session.last_seen().is_none() => None,
        _ => Some(accepted.aged(is_lost(session))),
    }
}

fn identity(session: &Session) -> Option<Finding<IdentityVerified>> {
    let refused = session.failure().filter(|failure| failure.reason == FailureReason::Forbidden);
    if let Some(failure) = refused {
        return Some(Finding::new(
            ConditionStatus::Unknown,
            IdentityVerified::Unreadable,
            format!("{}: allow `get` on the Namespace kube-system", failure.message),
        ));
    }
    let finding = match session.verdict()? {
        Verdict::Pinned => Finding::new(
            ConditionStatus::True,
            IdentityVerified::Pinned,
            "the UID of its kube-system Namespace is on record now",
        ),
        Verdict::Matched => Finding::new(
            ConditionStatus::True,
            IdentityVerified::Matched,
            "the UID of its kube-system Namespace is the one on record",
        ),
        Verdict::Mismatch { pinned } => Finding::new(
            ConditionStatus::False,
            IdentityVerified::Mismatch,
            format!(
                "the kubeconfig leads to another cluster than the one that was registered (UID {pinned}): nothing \
                 is written to it. To register the new cluster, delete this registration and create it again"
            ),
        ),
        Verdict::Duplicate { holder } => Finding::new(
            ConditionStatus::False,
            IdentityVerified::Duplicate,
            format!("the older registration {holder} is the same cluster: delete one of the two"),
        ),
    };
    Some(finding)
}

/// Dangerous rights are a warning in words: credentials of a cluster administrator are common and have to work.
fn permissions(session: &Session) -> Option<Finding<PermissionsVerified>> {
    let finding = match session.permissions()? {
        Permissions::Sufficient => Finding::new(
            ConditionStatus::True,
            PermissionsVerified::Sufficient,
            "the credentials may do what the hub needs",
        ),
        Permissions::Missing { words, .. } => {
            Finding::new(ConditionStatus::False, PermissionsVerified::Missing, words.clone())
        }
        Permissions::Excessive(words) => {
            Finding::new(ConditionStatus::True, PermissionsVerified::Excessive, words.clone())
        }
        Permissions::Unknown(words) => {
            Finding::new(ConditionStatus::Unknown, PermissionsVerified::Unknown, words.clone())
        }
    };
    Some(finding)
}

fn crds(session: &Session) -> Finding<CRDsInstalled> {
    let (status, reason, message) = match session.crds() {
        Crds::UpToDate => (
            ConditionStatus::True,
            CRDsInstalled::UpToDate,
            "the cluster serves the CRDs of this hub".to_owned(),
        ),
        Crds::RemoteNewer(name) => (
            ConditionStatus::True,
            CRDsInstalled::RemoteNewer,
            format!("CRD {name} is newer than this hub, which leaves it as it is: upgrade the hub"),
        ),
        Crds::Installing => (ConditionStatus::False, CRDsInstalled::Installing, "being installed".to_owned()),
        Crds::NotEstablished(message) => {
            (ConditionStatus::False, CRDsInstalled::NotEstablished, message.clone())
        }
        Crds::ForeignOwner(message) => (ConditionStatus::False, CRDsInstalled::ForeignOwner, message.clone()),
        Crds::Forbidden(message) => (ConditionStatus::False, CRDsInstalled::Forbidden, message.clone()),
        Crds::Failed(message) => (ConditionStatus::False, CRDsInstalled::Installing, message.clone()),
    };
    Finding::new(status, reason, message)
}

fn synced(session: &Session) -> Finding<Synced> {
    match (session.unsynced(), session.stale()) {
        (None, None) => {
            Finding::new(ConditionStatus::True, Synced::Synced, "every watch has listed what there is")
        }
        (None, Some(Stale { watch, since })) => Finding::new(
            ConditionStatus::False,
            Synced::Stale,
            format!(
                "the apiserver answers, and the watch of {watch} has brought nothing since {since}, no bookmark either: \
                 look for a proxy in between that holds streams back"
            ),
        ),
        (Some(missing), _) => {
            let mut message = format!("not listed yet: {missing}");
            if let Some(task) = session.ended_task() {
                message = format!("starting over after {task}");
            }
            Finding::new(ConditionStatus::False, Synced::Syncing, message)
        }
    }
}

fn ready(session: &Session) -> Finding<Ready> {
    let not = |reason, message: String| Finding::new(ConditionStatus::False, reason, message);
    if let Some(failure) = session.failure().filter(|_| is_lost(session)) {
        return match failure.reason {
            FailureReason::Unauthorized => not(Ready::CredentialsInvalid, failure.message.clone()),
            FailureReason::Forbidden => not(Ready::IdentityNotVerified, failure.message.clone()),
            _ => not(Ready::NotReachable, failure.message.clone()),
        };
    }
    let lacks = match session.permissions() {
        Some(Permissions::Missing { words, stops_work: true }) => Some(words),
        _ => None,
    };
    match (session.state(), session.verdict()) {
        (State::Draining, _) => not(Ready::Draining, "the hub lets go of the cluster".to_owned()),
        (_, Some(verdict)) if !verdict.is_trusted() => not(
            Ready::IdentityNotVerified,
            identity(session).map(|finding| finding.message).unwrap_or_default(),
        ),
        (_, None) => {
            Finding::new(ConditionStatus::Unknown, Ready::Connecting, "waiting for the first answer")
        }
        _ if crds(session).status != ConditionStatus::True => {
            not(Ready::CRDsNotInstalled, crds(session).message)
        }
        // Before the watches, which it may be the cause of.
        _ if lacks.is_some() => not(Ready::PermissionsMissing, lacks.cloned().unwrap_or_default()),
        _ if session.unsynced().is_some() || session.stale().is_some() => {
            not(Ready::NotSynced, synced(session).message)
        }
        _ => Finding::new(ConditionStatus::True, Ready::AllChecksPassed, "the hub operates the cluster"),
    }
}
