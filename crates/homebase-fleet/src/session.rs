//! Decides what a session does next: connect, verify, install CRDs, work, wait. Time and jitter are
//! arguments; the driver carries the actions out and reports back with events.

use std::time::Duration;

pub use homebase_api::workcluster::SessionState as State;
use homebase_core::{Backoff, ClusterUid};
use jiff::{SignedDuration, Timestamp};

mod circuit;
mod events;
mod facts;

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

pub use circuit::Circuit;
pub use events::{Action, Event, Failure, FailureReason, Verdict};
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
/// How long a trial of work may take to be decided by its requests: longer than one of them may wait for its answer.
const TRIAL: Duration = Duration::from_secs(12);
/// Waits between tries of what only a person can repair (identity, rights, CRDs).
const REPAIR: Backoff = Backoff { first: Duration::from_secs(5), cap: Duration::from_secs(60) };
/// How long a session must have run before its earlier troubles are forgotten: one that breaks each time that
/// it comes up must not be started over every few seconds for ever.
const PROVEN: Duration = Duration::from_secs(60);
/// How long a session that begins may take until what it has not found out yet counts as a fault: CRDs are established
/// within seconds, and the first lists of a large cluster take some tens of them.
const STARTUP: Duration = Duration::from_secs(60);
/// A watch that has brought nothing for so long is stale: an apiserver sends each a bookmark about once a minute, so
/// two of them are missing.
pub const STALE_AFTER: SignedDuration = SignedDuration::from_secs(150);
/// A retry is never sooner than this, so that jitter cannot make a busy loop.
const MIN_RETRY: Duration = Duration::from_millis(500);

/// What is known of one cluster, and what its session does about it.
#[derive(Clone, Debug)]
pub struct Session {
    state: State,
    since: Timestamp,
    /// When it began; none once it was in sync.
    starting: Option<Timestamp>,
    working: bool,
    failed_probes: u32,
    circuit: Circuit,
    /// Whether the requests of the work fail, and the next answered probe shows that it is only they.
    work_fails: bool,
    /// How often the circuit has opened since the cluster ran for a while.
    openings: u32,
    /// Whether the Secret was read again for these credentials, and the cluster has not run for a while since.
    reread: bool,
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
    stale: Option<Stale>,
    ended_task: Option<String>,
}

/// A watch that has brought nothing for too long although the cluster answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stale {
    /// Which watch, in words.
    pub watch: String,
    /// When it brought something last.
    pub since: Timestamp,
}

impl Session {
    /// A session that begins now, and its first action.
    pub fn start(now: Timestamp) -> (Self, Vec<Action>) {
        let session = Self {
            state: State::Connecting,
            since: now,
            starting: Some(now),
            working: false,
            failed_probes: 0,
            circuit: Circuit::Closed,
            work_fails: false,
            openings: 0,
            reread: false,
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
            stale: None,
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
            Event::Doubt => self.doubted(),
            Event::Refused => {
                let mut actions = self.reread();
                actions.extend(self.doubted());
                actions
            }
            Event::RequestsFail => self.requests_failed(now, jitter),
            Event::RequestAnswered => self.close_circuit(now),
            Event::Heard { oldest, watch } => {
                let is_old = now.duration_since(oldest) >= STALE_AFTER;
                self.stale = is_old.then_some(Stale { watch, since: oldest });
                Vec::new()
            }
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
            Event::Rotated => {
                self.reread = false;
                vec![Action::Probe]
            }
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
        self.failed_probes = 0;
        if self.circuit == Circuit::Closed {
            self.failure = None;
        }
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
            (self.repairs, self.openings, self.reread) = (0, 0, false);
        }
        let mut actions = match self.circuit {
            Circuit::Open => return self.try_work(),
            // Nothing of the work has failed since the trial began, or it would be open again.
            Circuit::HalfOpen => self.close_circuit(now),
            Circuit::Closed if self.work_fails => return self.refuse_work(now, jitter),
            Circuit::Closed => Vec::new(),
        };
        self.settle(now);
        actions.push(Action::SetTimer(PROBE_INTERVAL));
        actions
    }

    fn probe_failed(&mut self, failure: Failure, now: Timestamp, jitter: f64) -> Vec<Action> {
        // Credentials that are refused are no accident of the network: there is nothing to wait for.
        let definite = matches!(failure.reason, FailureReason::Unauthorized | FailureReason::Forbidden);
        let mut actions =
            if failure.reason == FailureReason::Unauthorized { self.reread() } else { Vec::new() };
        self.failed_probes = self.failed_probes.saturating_add(1);
        self.failure = Some(failure);
        self.work_fails = false;
        let is_patient = self.working && self.circuit == Circuit::Closed && !definite;
        if is_patient && self.failed_probes < PROBE_FAILURES {
            self.enter(State::Degraded, now);
            actions.push(Action::SetTimer(SUSPICIOUS_PROBE_INTERVAL));
            return actions;
        }
        actions.extend(self.open_circuit(now, jitter));
        actions
    }

    /// The work gets nowhere. Whether nothing else does, either, the next probe tells.
    fn requests_failed(&mut self, now: Timestamp, jitter: f64) -> Vec<Action> {
        match self.circuit {
            Circuit::HalfOpen => self.refuse_work(now, jitter),
            Circuit::Closed if self.working => {
                self.work_fails = true;
                vec![Action::Probe]
            }
            Circuit::Closed | Circuit::Open => Vec::new(),
        }
    }

    /// Probes are answered, and the work gets nowhere.
    fn refuse_work(&mut self, now: Timestamp, jitter: f64) -> Vec<Action> {
        self.work_fails = false;
        self.failure = Some(Failure {
            reason: FailureReason::CircuitOpen,
            message:
                "the apiserver answers probes, and the other requests have no answer or that of a gateway \
                      (502, 503, 504): they are held back and tried again one by one"
                    .to_owned(),
        });
        self.open_circuit(now, jitter)
    }

    /// Holds work back until a probe is answered, later and later.
    fn open_circuit(&mut self, now: Timestamp, jitter: f64) -> Vec<Action> {
        self.enter(State::Unreachable, now);
        self.openings = self.openings.saturating_add(1);
        let mut actions = Vec::new();
        if self.working && self.circuit != Circuit::Open {
            self.circuit = Circuit::Open;
            actions.push(Action::HoldWork);
        }
        actions.push(Action::SetTimer(RECONNECT.delay(self.openings, jitter).max(MIN_RETRY)));
        actions
    }

    /// What was wrong stays told until the trial is over: else it would be true and false in turns.
    fn try_work(&mut self) -> Vec<Action> {
        self.circuit = Circuit::HalfOpen;
        let by_work = self.failure.as_ref().is_some_and(|it| it.reason == FailureReason::CircuitOpen);
        vec![Action::TryWork, Action::SetTimer(if by_work { TRIAL } else { SUSPICIOUS_PROBE_INTERVAL })]
    }

    fn close_circuit(&mut self, now: Timestamp) -> Vec<Action> {
        if self.circuit != Circuit::HalfOpen {
            return Vec::new();
        }
        self.circuit = Circuit::Closed;
        self.failure = None;
        self.settle(now);
        vec![Action::ResumeWork]
    }

    /// Once only: it is for a change that the watch has missed, and later ones it brings.
    fn reread(&mut self) -> Vec<Action> {
        if std::mem::replace(&mut self.reread, true) { Vec::new() } else { vec![Action::RereadSecret] }
    }

    fn doubted(&self) -> Vec<Action> {
        if self.state == State::Running { vec![Action::Probe] } else { Vec::new() }
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
        self.stale = None;
        (self.circuit, self.work_fails) = (Circuit::Closed, false);
        vec![stop]
    }

    /// A cluster that answers and works is `Running` when its watches are in sync, else `Syncing`.
    fn settle(&mut self, now: Timestamp) {
        if self.working && self.failed_probes == 0 && self.circuit == Circuit::Closed {
            self.enter(if self.unsynced.is_none() { State::Running } else { State::Syncing }, now);
        }
    }

    fn enter(&mut self, state: State, now: Timestamp) {
        if self.state != state {
            self.state = state;
            self.since = now;
        }
        if state == State::Running {
            self.starting = None;
        }
    }

    /// Whether it is on its way to work and nothing has gone wrong: what it does not know yet is no fault of the cluster.
    pub fn is_starting(&self, now: Timestamp) -> bool {
        let is_trusted = self.verdict.as_ref().is_none_or(Verdict::is_trusted);
        let crds_do = self.crds.is_served() || self.crds == Crds::Installing;
        let may_work = !matches!(self.permissions, Some(Permissions::Missing { stops_work: true, .. }));
        let is_sound =
            is_trusted && crds_do && may_work && self.failure.is_none() && self.ended_task.is_none();
        let is_early = |begun| now.duration_since(begun).unsigned_abs() < STARTUP;
        is_sound && self.starting.is_some_and(is_early)
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

    /// The watch that is silent for too long; none when all are fresh.
    pub const fn stale(&self) -> Option<&Stale> {
        self.stale.as_ref()
    }

    /// Whether work may be sent to the cluster.
    pub const fn circuit(&self) -> Circuit {
        self.circuit
    }

    /// The task that ended and made the session start over, until it works again.
    pub fn ended_task(&self) -> Option<&str> {
        self.ended_task.as_deref()
    }
}
