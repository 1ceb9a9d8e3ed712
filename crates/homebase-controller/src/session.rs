//! Runs one session: carries out what the session's state machine asks for and tells it what happened. It
//! decides nothing itself, and it touches no other cluster.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use homebase_core::{Chain, ClusterUid, Namespaces};
use homebase_fleet::session::{Action, Circuit, Crds, Event, Failure, Permissions, Session, State, Verdict};
use homebase_kube::crd::{CrdPolicy, Installation, Progress, install_crds};
use homebase_kube::identity::{FetchIdentityError, Identity, fetch_identity, fetch_version};
use homebase_kube::permissions::{FetchRulesError, needs_under};
use jiff::Timestamp;
use kube::Client;

use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::hub::Hub;
use crate::registrar::resource_of;
use crate::registry::{Claim, Cluster, View};
use crate::watching::SyncBoard;

mod install;
mod reasons;
pub(crate) mod review;
pub(crate) mod work;

use install::{INSTALL_TIMEOUT, while_it_progresses};
use reasons::{crds_of, reason_of};
use review::{Schedule, review};
use work::{CountedTask, Doubts, Work};

/// What an operation that ran beside the session came to.
enum Done {
    Probe(Result<Identity, FetchIdentityError>),
    Version(Result<String, FetchIdentityError>),
    Install(Crds),
    Review(Result<Permissions, FetchRulesError>),
}

/// What a registration demands of its session.
pub(crate) struct Terms {
    /// The identity that the cluster must have; none when the first contact decides.
    pub(crate) pinned: Option<ClusterUid>,
    /// What may be done about its CRDs.
    pub(crate) crd_policy: CrdPolicy,
    /// Where it is worked on.
    pub(crate) namespaces: Arc<Namespaces>,
}

/// Everything that one session holds.
pub(crate) struct Driver {
    hub: Arc<Hub>,
    cluster: Arc<Cluster>,
    client: Client,
    /// The identity that the cluster must have, from an earlier contact or from the first one.
    pinned: Option<ClusterUid>,
    /// Whether this session was the first contact.
    pinned_here: bool,
    crd_policy: CrdPolicy,
    namespaces: Arc<Namespaces>,
    session: Session,
    operations: JoinSet<Done>,
    probing: bool,
    /// The session asks for the version once, and again after every loss of the cluster.
    version_known: bool,
    reviews: Schedule,
    timer: Option<Instant>,
    work: Option<Work>,
    doubts: Doubts,
}

/// Runs a session until it is cancelled; returns when everything that it started has ended.
pub(crate) async fn run(
    hub: Arc<Hub>,
    cluster: Arc<Cluster>,
    client: Client,
    terms: Terms,
    cancel: CancellationToken,
) {
    let Terms { pinned, crd_policy, namespaces } = terms;
    let counted = CountedTask::new(cluster.clone());
    let (session, actions) = Session::start(Timestamp::now());
    let mut driver = Driver {
        hub,
        cluster,
        client,
        pinned,
        pinned_here: false,
        crd_policy,
        namespaces,
        session,
        operations: JoinSet::new(),
        probing: false,
        version_known: false,
        reviews: Schedule::new(),
        timer: None,
        work: None,
        doubts: Doubts::default(),
    };
    tracing::info!(server = driver.cluster.shown().server, "session begins");
    driver.perform(actions).await;
    driver.serve(&cancel).await;
    driver.feed(Event::Stop).await;
    driver.hub.brake.back(&driver.cluster.id);
    driver.operations.shutdown().await;
    drop(counted);
    tracing::info!("session ended");
}

impl Driver {
    async fn serve(&mut self, cancel: &CancellationToken) {
        let cluster = self.cluster.clone();
        let signals = &cluster.signals;
        loop {
            let board = self.work.as_ref().map(|work| work.board().clone());
            let event = tokio::select! {
                () = cancel.cancelled() => return,
                Some(done) = self.operations.join_next(), if !self.operations.is_empty() => self.settle(done),
                () = sleep_until(self.timer) => {
                    self.timer = None;
                    Some(Event::TimerFired)
                }
                () = self.doubts.doubt.notified() => Some(Event::Doubt),
                () = signals.refused.notified() => Some(Event::Refused),
                () = signals.failing.notified() => Some(Event::RequestsFail),
                () = signals.answered.notified() => Some(Event::RequestAnswered),
                () = self.doubts.unserved.notified() => {
                    tracing::warn!("the cluster does not serve a kind any more; the session starts over");
                    Some(Event::TaskEnded { task: "the cluster ceased to serve a kind".to_owned() })
                }
                () = self.cluster.displaced.notified() => self.displaced(),
                () = self.cluster.rotated.notified() => {
                    self.reviews.expire();
                    Some(Event::Rotated)
                }
                missing = sync_changed(board.clone()) => Some(Event::SyncChanged { missing }),
                task = ended(self.work.as_mut()) => {
                    tracing::error!(task, "a task of the session ended; the session starts over");
                    Some(Event::TaskEnded { task })
                }
            };
            let Some(event) = event else { continue };
            let answered = matches!(event, Event::Answered { .. });
            // Before the answer, so that both are told at once.
            if let Some((watch, oldest)) = self.heard().filter(|_| answered) {
                self.take(Event::Heard { oldest, watch }).await;
            }
            self.feed(event).await;
            // Nobody tells when a watch that failed is well again: look whenever the cluster answers.
            if let Some(work) = self.work.as_ref().filter(|_| answered) {
                let missing = work.board().missing();
                if self.session.unsynced() != missing.as_deref() {
                    self.feed(Event::SyncChanged { missing }).await;
                }
            }
        }
    }

    /// The watch that has been silent longest, in words, and since when.
    fn heard(&self) -> Option<(String, Timestamp)> {
        self.work.as_ref()?;
        let freshness = self.cluster.signals.freshness();
        freshness.oldest().map(|(watch, since)| (resource_of(watch).to_owned(), since))
    }

    /// Tells the state machine of an event, does what it asks for and publishes what changed.
    async fn feed(&mut self, event: Event) {
        self.take(event).await;
        self.cluster.set_view(View::Session(Box::new(self.session.clone())));
        self.hub.publish(&self.cluster.id);
    }

    async fn take(&mut self, event: Event) {
        let before = self.session.state();
        let actions = self.session.on(event, Timestamp::now(), fastrand::f64());
        let after = self.session.state();
        if before != after {
            let why = self.session.failure().map(|failure| failure.message.as_str());
            if after == State::Unreachable {
                tracing::warn!(from = before.as_str(), why, "the cluster is unreachable");
            } else {
                tracing::info!(from = before.as_str(), to = after.as_str(), why, "session state changed");
            }
            if after == State::Unreachable && self.work.is_some() {
                self.hub.brake.lost(&self.cluster.id);
            } else if before == State::Unreachable && after != State::Connecting {
                self.hub.brake.back(&self.cluster.id);
            }
        }
        self.perform(actions).await;
    }

    async fn perform(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Probe => self.probe(),
                Action::InstallCrds => self.install(),
                Action::StartWork => {
                    // What the work before doubted last is no doubt about this one.
                    self.doubts = Doubts::default();
                    self.cluster.signals.freshness().clear();
                    let (client, namespaces) = (self.client.clone(), &self.namespaces);
                    self.work = Some(Work::start(&self.hub, &self.cluster, client, namespaces, &self.doubts));
                }
                Action::ResumeWork => {
                    self.cluster.signals.end_trial();
                    self.set_flow(Circuit::Closed);
                }
                Action::TryWork => {
                    self.cluster.signals.begin_trial();
                    self.cluster.signals.freshness().renew(Timestamp::now());
                    self.set_flow(Circuit::HalfOpen);
                }
                Action::HoldWork => {
                    self.version_known = false;
                    self.reviews.expire();
                    self.set_flow(Circuit::Open);
                }
                Action::RereadSecret => {
                    tracing::info!("credentials refused: the registration Secret is read again");
                    self.hub.rereads.ask(&self.cluster.secret.name);
                }
                Action::AbortWork => {
                    if let Some(work) = self.work.take() {
                        work.abort().await;
                    }
                    // Only now may another registration begin on the cluster that this one had.
                    self.hub.registry.release(&self.cluster);
                }
                Action::StopWork => {
                    if let Some(work) = self.work.take() {
                        work.stop().await;
                    }
                }
                Action::SetTimer(delay) => self.timer = Some(Instant::now() + delay),
            }
        }
    }

    fn set_flow(&self, circuit: Circuit) {
        if let Some(work) = &self.work {
            work.set_flow(circuit);
        }
    }

    fn probe(&mut self) {
        if std::mem::replace(&mut self.probing, true) {
            return;
        }
        let (client, slots) = (self.client.clone(), self.hub.connect_slots.clone());
        self.operations.spawn(async move {
            let probe = fetch_identity(&client);
            Done::Probe(crate::hub::within_slot(&slots, probe).await)
        });
    }

    fn install(&mut self) {
        let (client, hub, cluster) = (self.client.clone(), self.hub.clone(), self.cluster.clone());
        let (pinned, policy) = (self.pinned.clone(), self.crd_policy);
        self.operations.spawn(async move {
            let (crds, progress) = (hub.workload.crds(), Progress::default());
            let how = Installation {
                manager: &hub.settings.field_manager,
                policy,
                claim: hub.workload.claim(),
                progress: &progress,
            };
            let install = async {
                // The first write to a cluster comes after its identity is on record: else a hub that dies now,
                // and a kubeconfig that is changed meanwhile, would pin another cluster under this registration.
                hub.until_recorded(&cluster, pinned.as_ref()).await;
                install_crds(&client, crds, how).await
            };
            match Box::pin(while_it_progresses(install, &progress)).await {
                Some(outcome) => Done::Install(crds_of(outcome)),
                None => Done::Install(Crds::Failed(format!(
                    "not installed, and no progress within {} s; nothing is written before the identity is on record \
                     in the WorkCluster",
                    INSTALL_TIMEOUT.as_secs()
                ))),
            }
        });
    }

    fn settle(&mut self, done: Result<Done, tokio::task::JoinError>) -> Option<Event> {
        match done {
            Ok(Done::Probe(outcome)) => {
                self.probing = false;
                Some(self.probed(outcome))
            }
            Ok(Done::Version(Ok(version))) => Some(Event::Version(version)),
            Ok(Done::Version(Err(error))) => {
                tracing::debug!(error = %Chain(&error), "version not read");
                self.version_known = false;
                None
            }
            Ok(Done::Install(crds)) => {
                tracing::info!(?crds, "CRDs checked");
                Some(Event::CrdsChecked(crds))
            }
            Ok(Done::Review(outcome)) => {
                let found = self.reviews.settle(outcome, self.session.permissions())?;
                tracing::info!(?found, "permissions checked");
                Some(Event::PermissionsChecked(found))
            }
            Err(error) => {
                self.probing = false;
                self.reviews.broke_off();
                tracing::error!(panicked = error.is_panic(), "an operation of the session ended");
                Some(Event::TaskEnded { task: "an operation of the session".to_owned() })
            }
        }
    }

    fn probed(&mut self, outcome: Result<Identity, FetchIdentityError>) -> Event {
        let counters = &self.cluster.counters;
        match outcome {
            Ok(Identity { uid, latency }) => {
                counters.probes_succeeded.fetch_add(1, Ordering::Relaxed);
                let verdict = self.judge(&uid);
                if let Some(work) = &self.work {
                    let again = self.session.failure().is_some();
                    work.board().answered(again);
                    if again && self.session.circuit() == Circuit::Closed {
                        work.wake_watches();
                    }
                }
                if !std::mem::replace(&mut self.version_known, true) {
                    let client = self.client.clone();
                    self.operations.spawn(async move { Done::Version(fetch_version(&client).await) });
                }
                if verdict.is_trusted() && self.reviews.begin(self.work.is_none()) {
                    let (client, namespaces) = (self.client.clone(), self.namespaces.clone());
                    let needs = needs_under(self.crd_policy, self.hub.workload.needs());
                    self.operations
                        .spawn(async move { Done::Review(review(&client, &needs, &namespaces).await) });
                }
                Event::Answered { uid, verdict, latency }
            }
            Err(error) => {
                counters.probes_failed.fetch_add(1, Ordering::Relaxed);
                let message = Chain(&error).to_string();
                tracing::debug!(error = message, "probe failed");
                Event::ProbeFailed(Failure { reason: reason_of(error.category()), message })
            }
        }
    }

    /// Says what an identity means to this registration, and claims the cluster when it may be worked on.
    fn judge(&mut self, uid: &ClusterUid) -> Verdict {
        if let Some(pinned) = self.pinned.as_ref().filter(|pinned| *pinned != uid) {
            return Verdict::Mismatch { pinned: pinned.clone() };
        }
        match self.hub.registry.claim(uid, &self.cluster) {
            Claim::HeldBy(holder) => Verdict::Duplicate { holder: holder.to_string() },
            Claim::Granted if self.pinned.is_some() && !self.pinned_here => {
                self.cluster.set_pin(uid.clone());
                Verdict::Matched
            }
            Claim::Granted => {
                self.cluster.set_pin(uid.clone());
                self.pinned = Some(uid.clone());
                self.pinned_here = true;
                Verdict::Pinned
            }
        }
    }

    /// An older registration of the same cluster came up: look again, which finds it.
    fn displaced(&mut self) -> Option<Event> {
        let uid = self.session.uid()?.clone();
        let verdict = self.judge(&uid);
        Some(Event::Answered { uid, verdict, latency: self.session.latency().unwrap_or_default() })
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

async fn sync_changed(board: Option<Arc<SyncBoard>>) -> Option<String> {
    let Some(board) = board else { return std::future::pending().await };
    board.changed.notified().await;
    board.missing()
}

async fn ended(work: Option<&mut Work>) -> String {
    match work {
        Some(work) => work.ended().await,
        None => std::future::pending().await,
    }
}
