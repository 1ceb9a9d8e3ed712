//! Watches the registrations and keeps one session for each. It is level-based: what runs is compared with
//! what is registered, whatever happened in between. It waits for no work cluster.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use homebase_core::{Chain, ClusterId, ClusterUid};
use homebase_fleet::departures::Departures;
use homebase_fleet::findings::Unusable;
use homebase_fleet::session::Session;
use homebase_kube::budget::{Budget, Weight};
use homebase_kube::client::{BuildClientError, build_registered_client};
use homebase_kube::event::{Events, Severity};
use homebase_kube::observe::Observer;
use homebase_kube::relist::watch_objects;
use homebase_kube::rotating::ClientSlot;
use homebase_kube::watch::{Listener, run_watch, watch_config};
use http::{Method, StatusCode};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ObjectReference, Secret};
use kube::runtime::watcher::Event;
use kube::{Api, Client};
use tokio::sync::Notify;
use tokio::task::{Id, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::hub::{BEAT, Hub, Loop};
use crate::metrics::RegistrationEvent;
use crate::registration::{Convention, Registration};
use crate::registry::{Cluster, View};
use crate::session::{self, Terms};
use crate::store::Store;

mod departures;
mod observer;
mod reread;
mod rotation;

use homebase_api::conditions::work_cluster::CredentialsValid;
use observer::ClusterObserver;
pub(crate) use observer::resource_of;
pub(crate) use reread::Rereads;
use rotation::{Trial, Tried};

/// How long to wait before a session is started again that ended by itself: a fault that repeats at once
/// must not become a loop.
const RESTART_DELAY: Duration = Duration::from_secs(5);

/// How long changes of registrations are left to settle: what one patch changes arrives on several watches.
const SETTLE: Duration = Duration::from_millis(50);

/// What runs for one registration.
struct Running {
    registration: Registration,
    cluster: Arc<Cluster>,
    cancel: CancellationToken,
    /// The session's task; none for a registration that cannot be used.
    task: Option<Id>,
    /// Where the session's client is; none for a registration that cannot be used.
    slot: Option<ClientSlot>,
    /// The last trial of a changed kubeconfig.
    trial: Option<Trial>,
}

struct Registrar {
    hub: Arc<Hub>,
    home: Client,
    events: Events,
    running: HashMap<ClusterId, Running>,
    sessions: JoinSet<()>,
    trials: JoinSet<Tried>,
    /// Requests to the home cluster that nobody waits for; some bring a Secret.
    errands: JoinSet<Option<Secret>>,
    /// Looks at single Secrets; each brings the name of a cluster that is not registered.
    looks: JoinSet<Option<ClusterId>>,
    departures: Departures,
    /// The identities of clusters whose sessions begin again, by [`complaint_key`].
    pins: HashMap<String, ClusterUid>,
    /// Names whose session still ends: the next one begins when it has.
    ending: HashMap<Id, Arc<Cluster>>,
    /// What was last said about registrations that have no `WorkCluster` to say it on.
    told: HashMap<String, String>,
}

/// Runs until it is cancelled, and returns when every session has ended.
pub(crate) async fn run(hub: Arc<Hub>, home: Client, cancel: CancellationToken) {
    let changed = Arc::new(Notify::new());
    let watches: FuturesUnordered<_> = hub
        .registrations
        .iter()
        .map(|(convention, store)| {
            let convention = *convention;
            let feed = Feed { convention, hub: hub.clone(), store: store.clone(), changed: changed.clone() };
            let secrets: Api<Secret> = Api::namespaced(home.clone(), &hub.settings.namespace);
            let config = watch_config().labels(&convention.selector());
            let stream = watch_objects(secrets, config, &Budget::unlimited(), Weight::VIEW);
            run_watch(stream, feed, fastrand::f64, tokio::time::sleep)
        })
        .collect();
    let mut watches = std::pin::pin!(watches);
    let mut registrar = Registrar {
        events: Events::new(home.clone(), &hub.settings.instance),
        departures: Departures::new(hub.settings.fleet_brake),
        home,
        hub,
        running: HashMap::new(),
        sessions: JoinSet::new(),
        trials: JoinSet::new(),
        errands: JoinSet::new(),
        looks: JoinSet::new(),
        pins: HashMap::new(),
        ending: HashMap::new(),
        told: HashMap::new(),
    };
    let rereads = registrar.hub.clone();
    let mut beat = tokio::time::interval(BEAT);
    loop {
        registrar.hub.beat(Loop::Registrar);
        tokio::select! {
            () = cancel.cancelled() => break,
            Some(()) = watches.next() => break,
            // Nobody tells when refused credentials would be taken after all.
            _ = beat.tick() => {}
            Some(tried) = registrar.trials.join_next(), if !registrar.trials.is_empty() => match tried {
                Ok(tried) => registrar.tried(tried),
                Err(error) => tracing::error!(panicked = error.is_panic(), "a trial of credentials ended"),
            },
            names = rereads.rereads.next() => registrar.reread(names),
            Some(done) = registrar.errands.join_next(), if !registrar.errands.is_empty() => match done {
                Ok(secret) => secret.iter().for_each(|secret| registrar.read_again(secret)),
                Err(error) => tracing::error!(panicked = error.is_panic(), "an errand of the registrar ended"),
            },
            Some(Ok(Some(id))) = registrar.looks.join_next(), if !registrar.looks.is_empty() => {
                registrar.departures.confirm(&id);
            }
            // A Secret that changes its convention leaves one watch and comes into another a moment later: looked at
            // in between, it would seem gone.
            () = changed.notified() => tokio::time::sleep(SETTLE).await,
            // Pins are read from there: without them a session could take a changed cluster for a new one.
            () = registrar.hub.work_clusters_listed.notified() => {}
            Some(ended) = registrar.sessions.join_next_with_id(), if !registrar.sessions.is_empty() => {
                registrar.ended(ended);
            }
        }
        if registrar.hub.registrations.values().all(Store::is_synced)
            && registrar.hub.work_clusters.is_synced()
        {
            registrar.reconcile();
            registrar.hub.set_synced();
        }
    }
    registrar.stop().await;
}

struct Feed {
    convention: Convention,
    hub: Arc<Hub>,
    store: Store<Vec<Registration>>,
    changed: Arc<Notify>,
}

impl Listener<Secret> for Feed {
    fn event(&mut self, event: Event<Secret>) {
        self.store.on(event, |secret| self.hub.read(self.convention, secret));
        self.changed.notify_one();
    }

    fn failure(&mut self, _: homebase_kube::Category, message: &str) {
        let convention = self.convention;
        tracing::warn!(?convention, error = message, "registrations cannot be watched; sessions go on");
    }
}

impl Registrar {
    fn reconcile(&mut self) {
        let wanted = self.wanted();
        let known: Vec<ClusterId> =
            self.running.keys().filter(|id| wanted.contains_key(*id)).cloned().collect();
        for id in known {
            if !self.keep(&id, wanted.get(&id)) {
                self.end(&id, true);
            }
        }
        self.depart(&wanted);
        for (id, registration) in wanted {
            let is_ending = self.ending.values().any(|cluster| cluster.id == id);
            if !self.running.contains_key(&id) && !is_ending {
                self.begin(id, registration);
            }
        }
    }

    /// Brings what runs for a name to what is registered for it. False when that takes another session.
    fn keep(&mut self, id: &ClusterId, wanted: Option<&Registration>) -> bool {
        let (Some(wanted), Some(running)) = (wanted, self.running.get(id)) else { return false };
        if wanted.secret.uid != running.registration.secret.uid {
            return false;
        }
        if !wanted.has_same_preferences(&running.registration) {
            return false;
        }
        if wanted.is_same_connection(&running.registration) {
            self.confirm(id, wanted);
            return true;
        }

        self.rotate(id, wanted)
    }

    /// One registration for each name: the oldest one, when several have it.
    fn wanted(&mut self) -> BTreeMap<ClusterId, Registration> {
        let mut all = self.registered();
        all.sort_by(|a, b| a.secret.seniority().cmp(&b.secret.seniority()));
        let mut wanted = BTreeMap::new();
        let mut complaints = HashMap::new();
        for registration in all {
            let complaint = match &registration.id {
                Err(error) => Some(("InvalidClusterName", Chain(error).to_string())),
                Ok(id) => wanted.get(id).map(|winner: &Registration| {
                    let winner = &winner.secret.name;
                    (
                        "NameTaken",
                        format!(
                            "the older Secret {winner} registers a cluster {id} already: rename this one"
                        ),
                    )
                }),
            };
            match (complaint, registration.id.clone()) {
                (None, Ok(id)) => drop(wanted.insert(id, registration)),
                (Some((reason, note)), _) => {
                    self.complain(&registration, reason, &note);
                    complaints.insert(complaint_key(&registration), note);
                }
                (None, Err(_)) => {}
            }
        }
        self.told = complaints;
        wanted
    }

    /// All registrations; a Secret of several conventions counts in the first one.
    fn registered(&self) -> Vec<Registration> {
        let mut read = HashSet::new();
        let mut all = Vec::new();
        for store in self.hub.registrations.values() {
            let found = store.fold(Vec::new(), |mut found, (_, registrations)| {
                found.extend(registrations.iter().filter(|one| !read.contains(&one.secret.uid)).cloned());
                found
            });
            read.extend(found.iter().map(|one| one.secret.uid.clone()));
            all.extend(found);
        }
        all
    }

    /// Such a registration has no `WorkCluster`, so its Secret's Events are where its owner looks.
    fn complain(&mut self, registration: &Registration, reason: &str, note: &str) {
        if self.told.get(&complaint_key(registration)).is_some_and(|told| told == note) {
            return;
        }
        tracing::warn!(secret = registration.secret.name, reason, note, "registration cannot be used");
        self.hub.metrics.registration(RegistrationEvent::Rejected);
        let secret = ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Secret".to_owned()),
            namespace: Some(self.hub.settings.namespace.clone()),
            name: Some(registration.secret.name.clone()),
            uid: Some(registration.secret.uid.clone()),
            ..ObjectReference::default()
        };
        let (events, reason, note) = (self.events.clone(), reason.to_owned(), note.to_owned());
        self.errands.spawn(async move {
            events.publish(&secret, Severity::Warning, &reason, &note).await;
            None
        });
    }

    fn begin(&mut self, id: ClusterId, registration: Registration) {
        let cancel = CancellationToken::new();
        let (secret, server) = (registration.secret.clone(), registration.server());
        let pinned = self.pinned(&id, &registration);
        self.departures.back(&id);
        let prepared = match &registration.preferences.paused {
            Some(why) => Err(View::Paused(why.clone())),
            None => self.client(&registration, &id).map_err(View::Unusable),
        };
        let (cluster, task, slot) = match prepared {
            Ok(prepared) => {
                let (session, _) = Session::start(Timestamp::now());
                let cluster = Cluster::new(id.clone(), secret, server, View::Session(Box::new(session)));
                prepared.observer.attach(&cluster);
                self.hub.metrics.registration(RegistrationEvent::Engaged);
                let pinned = registration.preferences.expected_uid.clone().or_else(|| pinned.clone());
                let crd_policy = registration.preferences.crd_policy;
                let namespaces = registration.preferences.namespaces.clone();
                let span = tracing::info_span!("session", cluster = %id);
                let slot = ClientSlot::new(prepared.client);
                let run = session::run(
                    self.hub.clone(),
                    cluster.clone(),
                    slot.client_behind(self.hub.settings.gate.clone()),
                    Terms { pinned, crd_policy, namespaces },
                    cancel.clone(),
                );
                let task = self.sessions.spawn(run.instrument(span));
                (cluster, Some(task.id()), Some(slot))
            }
            Err(view) => {
                if let View::Unusable(unusable) = &view {
                    tracing::warn!(cluster = %id, message = unusable.message, "registration cannot be used");
                    self.hub.metrics.registration(RegistrationEvent::Rejected);
                }
                (Cluster::new(id.clone(), secret, server, view), None, None)
            }
        };
        if let Some(pinned) = pinned {
            cluster.set_pin(pinned);
        }
        cluster.show(|shown| {
            shown.faults = registration.remarks();
            shown.restricted_to = registration.restricted_to();
            shown.validity = registration.validity();
        });
        self.hub.registry.insert(cluster.clone());
        self.hub.publish(&id);
        self.running.insert(id, Running { registration, cluster, cancel, task, slot, trial: None });
    }

    fn client(&self, registration: &Registration, id: &ClusterId) -> Result<Prepared, Unusable> {
        let kubeconfig = registration.kubeconfig.as_ref().map_err(Clone::clone)?;
        let observer = Arc::new(ClusterObserver::new(self.hub.metrics.clone()));
        let settings = &self.hub.settings;
        let limits = registration.preferences.limits.over(settings.limits);
        let client =
            build_registered_client(kubeconfig, None, settings.destinations, limits, observer.clone());
        match client {
            Ok(client) => Ok(Prepared { client, observer }),
            Err(error) => {
                let reason = match error {
                    BuildClientError::RefuseInsecure => CredentialsValid::InsecureKubeConfig,
                    _ => CredentialsValid::BadKubeConfig,
                };
                tracing::debug!(cluster = %id, error = %Chain(&error), "client not built");
                Err(Unusable { reason, message: Chain(&error).to_string() })
            }
        }
    }

    fn ended(&mut self, ended: Result<(Id, ()), tokio::task::JoinError>) {
        let (task, panicked) = match ended {
            Ok((task, ())) => (task, false),
            Err(error) => (error.id(), error.is_panic()),
        };
        if let Some(cluster) = self.ending.remove(&task) {
            self.hub.registry.remove(&cluster);
            self.hub.publish(&cluster.id);
            return;
        }
        let found =
            self.running.iter().find(|(_, running)| running.task == Some(task)).map(|(id, _)| id.clone());
        let Some(running) = found.and_then(|id| self.running.remove(&id)) else { return };
        tracing::error!(cluster = %running.cluster.id, panicked, "session ended by itself and starts again");
        self.hub.metrics.registration(RegistrationEvent::Restarted);
        self.remember(&running);
        self.hub.registry.remove(&running.cluster);
        // The wait is a session of its own that does nothing, so that the loop goes on meanwhile.
        let waiting = self.sessions.spawn(tokio::time::sleep(RESTART_DELAY));
        self.ending.insert(waiting.id(), running.cluster);
    }

    async fn stop(mut self) {
        for running in self.running.values() {
            running.cancel.cancel();
        }
        while self.sessions.join_next().await.is_some() {}
    }
}

/// What a complaint is about: a Secret may register several clusters.
fn complaint_key(registration: &Registration) -> String {
    match &registration.id {
        Ok(id) => format!("{}/{id}", registration.secret.uid),
        Err(_) => registration.secret.uid.clone(),
    }
}

struct Prepared {
    client: Client,
    observer: Arc<ClusterObserver>,
}
