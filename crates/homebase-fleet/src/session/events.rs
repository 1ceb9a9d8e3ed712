//! What a session is told, and what it asks its driver to do. It decides nothing.

use std::time::Duration;

use homebase_core::ClusterUid;
use jiff::Timestamp;

use super::{Crds, Permissions};

/// What a cluster's identity was found to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// First contact: the identity is pinned now.
    Pinned,
    /// It is the cluster that was pinned.
    Matched,
    /// It is another cluster than the one that was pinned.
    Mismatch {
        /// The pinned identity.
        pinned: ClusterUid,
    },
    /// An older registration has the same cluster.
    Duplicate {
        /// The name of the older registration.
        holder: String,
    },
}

impl Verdict {
    /// Whether the hub may write to the cluster.
    pub const fn is_trusted(&self) -> bool {
        matches!(self, Self::Pinned | Self::Matched)
    }
}

/// Why a request failed: the reason is one of a closed list, the message is for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The reason, in the words of the condition that it belongs to.
    pub reason: FailureReason,
    /// All causes in words, without secrets.
    pub message: String,
}

/// The reasons that the session tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureReason {
    /// The server's name could not be resolved.
    Dns,
    /// The server's address is refused by policy.
    DestinationRefused,
    /// No TCP or TLS connection in time.
    ConnectTimeout,
    /// TCP refused.
    ConnectionRefused,
    /// The TLS handshake failed.
    Tls,
    /// Connected, and no answer in time.
    ResponseTimeout,
    /// The server answers with errors or nonsense.
    ServerError,
    /// The credentials are not valid.
    Unauthorized,
    /// The credentials lack the permission.
    Forbidden,
    /// Probes are answered, and the requests of the work are not.
    CircuitOpen,
}

/// Something that happened to the session.
#[derive(Clone, Debug)]
pub enum Event {
    /// The cluster answered a probe and said who it is.
    Answered {
        /// Its identity.
        uid: ClusterUid,
        /// What that identity means to this registration.
        verdict: Verdict,
        /// How long it took.
        latency: Duration,
    },
    /// The version of the cluster is known.
    Version(String),
    /// A probe failed.
    ProbeFailed(Failure),
    /// Some request failed in a way that makes one doubt the cluster: look now, not at the next interval.
    Doubt,
    /// Some request was answered with 401.
    Refused,
    /// So many requests of the work in a row had no answer, or one of a gateway, that the next would have none.
    RequestsFail,
    /// A request of the work was answered: what was let through for a trial went well.
    RequestAnswered,
    /// Until when every watch is known to be fresh: the oldest last sign of life among them.
    Heard {
        /// When the watch that has been silent longest brought something last.
        oldest: Timestamp,
        /// Which one that is, in words.
        watch: String,
    },
    /// The installation of the CRDs came to an end.
    CrdsChecked(Crds),
    /// The rights of the credentials were looked at.
    PermissionsChecked(Permissions),
    /// Whether all watches have listed what there is; with the kinds that have not, in words.
    SyncChanged {
        /// In words, what is missing; none when all is there.
        missing: Option<String>,
    },
    /// A task that should run for ever ended or panicked.
    TaskEnded {
        /// What ended, in words.
        task: String,
    },
    /// The credentials were exchanged: with others the answer may be another.
    Rotated,
    /// A wait that the session asked for is over.
    TimerFired,
    /// The registration is gone, or the hub stops.
    Stop,
}

/// What the driver is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Ask the cluster who it is, and report `Answered` or `ProbeFailed`.
    Probe,
    /// Install the CRDs, and report `CrdsChecked`.
    InstallCrds,
    /// Start watches and workers.
    StartWork,
    /// Let workers begin new work (after `TryWork`).
    ResumeWork,
    /// Let watches go on and one worker begin new work (after `HoldWork`), and report `RequestAnswered` or
    /// `RequestsFail`.
    TryWork,
    /// Let no worker begin new work; watches stay.
    HoldWork,
    /// End watches and workers at once: not one more write may leave.
    AbortWork,
    /// Let what runs come to its end, end watches and workers, and wait for them.
    StopWork,
    /// Read the registration's Secret again, past the watch: its credentials may have been exchanged.
    RereadSecret,
    /// Report `TimerFired` after this time; a timer that was set before is forgotten.
    SetTimer(Duration),
}
