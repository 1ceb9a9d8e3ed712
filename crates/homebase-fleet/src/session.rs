//! Decides what a session does next: connect, verify, install CRDs, work, wait. Time and jitter are
//! arguments; the driver carries the actions out and reports back with events.

use std::time::Duration;

pub use homebase_api::workcluster::SessionState as State;
use homebase_core::{Backoff, ClusterUid};
use jiff::Timestamp;

mod facts;

#[cfg(test)]
mod tests;

pub use facts::{Crds, Permissions};

/// Time between two probes of a cluster that answers.
const PROBE_INTERVAL: Duration = Duration::from_secs(10);
/// Time between two probes of a cluster that has just stopped answering: short, so that a black hole is
/// found within 10 + 5 × (5 + 1) = 40 s, and a refused connection within 15 s.
const SUSPICIOUS_PROBE_INTERVAL: Duration = Duration::from_secs(1);
/// Failed probes in a row after which a cluster counts as unreachable: one lost packet must not.
pub const PROBE_FAILURES: u32 = 5;
/// Waits between tries to reach a lost cluster. The cap is what keeps a healed cluster back within 30 s.
const RECONNECT: Backoff = Backoff { first: Duration::from_secs(5), cap: Duration::from_secs(20) };
/// Waits between tries of what only a person can repair (identity, rights, CRDs).
const REPAIR: Backoff = Backoff { first: Duration::from_secs(5), cap: Duration::from_secs(60) };
/// How long a session must have run before its earlier troubles are forgotten: one that breaks each time that
/// it comes up must not be started over every few seconds for ever.
const PROVEN: Duration = Duration::from_secs(60);
/// A retry is never sooner than this, so that jitter cannot make a busy loop.
const MIN_RETRY: Duration = Duration::from_millis(500);

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
    /// Let workers begin new work (after `HoldWork`).
    ResumeWork,
    /// Let no worker begin new work; watches stay.
    HoldWork,
    /// End watches and workers at once: not one more write may leave.
    AbortWork,
    /// Let what runs come to its end, end watches and workers, and wait for them.
    StopWork,
    /// Report `TimerFired` after this time; a timer that was set before is forgotten.
    SetTimer(Duration),
}

/// What is known of one cluster, and what its session does about it.
#[derive(Clone, Debug)]
pub struct Session {
    state: State,
    since: Timestamp,
    working: bool,
    failed_probes: u32,
    repairs: u32,
    uid: Option<ClusterUid>,
    verdict: Option<Verdict>,
    failure: Option<Failure>,
    version: Option<String>,
    latency: Option<Duration>,
    last_seen: Option<Timestamp>,
    crds: Crds,
    permissions: Option<Permissions>,
    unsynced: Option<String>,
    ended_task: Option<String>,
}

impl Session {
    /// A session that begins now, and its first action.
    pub fn start(now: Timestamp) -> (Self, Vec<Action>) {
        let session = Self {
            state: State::Connecting,
            since: now,
            working: false,
            failed_probes: 0,
            repairs: 0,
            uid: None,
            verdict: None,
            failure: None,
            version: None,
            latency: None,
            last_seen: None,
            crds: Crds::Installing,
            permissions: None,
            unsynced: Some("the first listing has not begun".to_owned()),
            ended_task: None,
        };
        (session, vec![Action::Probe])
    }

    /// Takes note of an event and says what to do. `jitter` is a number from 0 to 1.
    pub fn on(&mut self, event: Event, now: Timestamp, jitter: f64) -> Vec<Action> {
        if self.state == State::Draining {
            return Vec::new();
        }
        match event {
            Event::Answered { uid, verdict, latency } => self.answered(uid, verdict, latency, now, jitter),
            Event::Version(version) => {
                self.version = Some(version);
                Vec::new()
            }
            Event::ProbeFailed(failure) => self.probe_failed(failure, now, jitter),
            Event::Doubt if self.state == State::Running => vec![Action::Probe],
            Event::Doubt => Vec::new(),
            Event::CrdsChecked(crds) => self.crds_checked(crds, now, jitter),
            // Nothing is started or stopped for it: what may be done is done, and each refusal is told where it hurts.
            Event::PermissionsChecked(permissions) => {
                self.permissions = Some(permissions);
                Vec::new()
            }
            Event::SyncChanged { missing } => {
                self.unsynced = missing;
                self.settle(now);
                Vec::new()
            }
            Event::TaskEnded { task } => self.task_ended(task, now, jitter),
            Event::TimerFired => vec![Action::Probe],
            Event::Stop => {
                self.enter(State::Draining, now);
                self.stop_work(Action::StopWork)
            }
        }
    }

    fn answered(
        &mut self,
        uid: ClusterUid,
        verdict: Verdict,
        latency: Duration,
        now: Timestamp,
        jitter: f64,
    ) -> Vec<Action> {
        let was_lost = self.failed_probes >= PROBE_FAILURES || self.state == State::Unreachable;
        self.failed_probes = 0;
        self.failure = None;
        self.latency = Some(latency);
        self.last_seen = Some(now);
        self.uid = Some(uid);
        let trusted = verdict.is_trusted();
        self.verdict = Some(verdict);
        if !trusted {
            self.enter(State::Rejected, now);
            return self.stop_and_retry(Action::AbortWork, jitter);
        }
        if !self.working {
            // What the last try came to stays in the status until this one has come to something else.
            self.enter(State::InstallingCRDs, now);
            return vec![Action::InstallCrds];
        }
        if self.state == State::Running && now.duration_since(self.since).unsigned_abs() >= PROVEN {
            self.repairs = 0;
        }
        self.settle(now);
        let mut actions = Vec::new();
        if was_lost {
            actions.push(Action::ResumeWork);
        }
        actions.push(Action::SetTimer(PROBE_INTERVAL));
        actions
    }

    fn probe_failed(&mut self, failure: Failure, now: Timestamp, jitter: f64) -> Vec<Action> {
        // Credentials that are refused are no accident of the network: there is nothing to wait for.
        let definite = matches!(failure.reason, FailureReason::Unauthorized | FailureReason::Forbidden);
        self.failed_probes =
            if definite { self.failed_probes.max(PROBE_FAILURES - 1) + 1 } else { self.failed_probes + 1 };
        self.failure = Some(failure);
        let lost = !self.working || self.failed_probes >= PROBE_FAILURES;
        if !lost {
            self.enter(State::Degraded, now);
            return vec![Action::SetTimer(SUSPICIOUS_PROBE_INTERVAL)];
        }
        self.enter(State::Unreachable, now);
        let beyond = self.failed_probes.saturating_sub(if self.working { PROBE_FAILURES - 1 } else { 0 });
        let mut actions = Vec::new();
        if self.working {
            actions.push(Action::HoldWork);
        }
        actions.push(Action::SetTimer(RECONNECT.delay(beyond, jitter).max(MIN_RETRY)));
        actions
    }

    fn crds_checked(&mut self, crds: Crds, now: Timestamp, jitter: f64) -> Vec<Action> {
        let served = crds.is_served();
        self.crds = crds;
        if self.state != State::InstallingCRDs {
            return Vec::new();
        }
        if !served {
            self.repairs = self.repairs.saturating_add(1);
            return vec![Action::SetTimer(REPAIR.delay(self.repairs, jitter).max(MIN_RETRY))];
        }
        self.working = true;
        self.ended_task = None;
        self.enter(State::Syncing, now);
        vec![Action::StartWork, Action::SetTimer(PROBE_INTERVAL)]
    }

    fn task_ended(&mut self, task: String, now: Timestamp, jitter: f64) -> Vec<Action> {
        self.ended_task = Some(task);
        self.enter(State::Connecting, now);
        self.stop_and_retry(Action::StopWork, jitter)
    }

    fn stop_and_retry(&mut self, stop: Action, jitter: f64) -> Vec<Action> {
        self.repairs = self.repairs.saturating_add(1);
        let mut actions = self.stop_work(stop);
        actions.push(Action::SetTimer(REPAIR.delay(self.repairs, jitter).max(MIN_RETRY)));
        actions
    }

    fn stop_work(&mut self, stop: Action) -> Vec<Action> {
        if !std::mem::take(&mut self.working) {
            return Vec::new();
        }
        self.unsynced = Some("work has not begun again".to_owned());
        vec![stop]
    }

    /// A cluster that answers and works is `Running` when its watches are in sync, else `Syncing`.
    fn settle(&mut self, now: Timestamp) {
        if self.working && self.failed_probes == 0 {
            self.enter(if self.unsynced.is_none() { State::Running } else { State::Syncing }, now);
        }
    }

    fn enter(&mut self, state: State, now: Timestamp) {
        if self.state != state {
            self.state = state;
            self.since = now;
        }
    }

    /// Where the session is.
    pub const fn state(&self) -> State {
        self.state
    }

    /// Since when it is there.
    pub const fn since(&self) -> Timestamp {
        self.since
    }

    /// The cluster's identity, once it has said it.
    pub const fn uid(&self) -> Option<&ClusterUid> {
        self.uid.as_ref()
    }

    /// What that identity means to this registration.
    pub const fn verdict(&self) -> Option<&Verdict> {
        self.verdict.as_ref()
    }

    /// Why the last probe failed; none when it succeeded.
    pub const fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// The cluster's version.
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// How long the last successful probe took.
    pub const fn latency(&self) -> Option<Duration> {
        self.latency
    }

    /// When the cluster answered last.
    pub const fn last_seen(&self) -> Option<Timestamp> {
        self.last_seen
    }

    /// How far the installation of the CRDs came.
    pub const fn crds(&self) -> &Crds {
        &self.crds
    }

    /// What the credentials may do; none before the first look.
    pub const fn permissions(&self) -> Option<&Permissions> {
        self.permissions.as_ref()
    }

    /// What has not been listed yet, in words; none when all is in sync.
    pub fn unsynced(&self) -> Option<&str> {
        self.unsynced.as_deref()
    }

    /// The task that ended and made the session start over, until it works again.
    pub fn ended_task(&self) -> Option<&str> {
        self.ended_task.as_deref()
    }
}
