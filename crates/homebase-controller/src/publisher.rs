//! Keeps one `WorkCluster` beside each registration, with what is known of the cluster. It writes only a
//! difference, and it removes only what it wrote itself.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use homebase_api::{WorkCluster, WorkClusterStatus, annotations, labels};
use homebase_core::{Chain, ClusterId, ClusterUid, ObjectKey};
use homebase_kube::Category;
use homebase_kube::apply::{self, Dependents, WriteError};
use homebase_kube::budget::{Budget, Weight};
use homebase_kube::crd::{CrdPolicy, Installation, Progress, install_crds};
use homebase_kube::event::Events;
use homebase_kube::relist::watch_objects;
use homebase_kube::watch::{Listener, run_watch, watch_config};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::core::ObjectMeta;
use kube::runtime::watcher::Event;
use kube::{Api, Client, Resource as _, ResourceExt as _};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::hub::{BEAT, Hub, Loop};
use crate::registration::Registration;
use crate::registry::Cluster;
use crate::store::Change;

pub(crate) mod status;

/// Status writes that run at the same time: a fleet of a thousand clusters is written within seconds, and
/// the home apiserver does not notice.
const CONCURRENT_WRITES: usize = 8;
/// How long the installation of a CRD that was deleted may take: an apiserver establishes one within seconds, and one
/// that is still being deleted goes first.
const RESTORE_TIMEOUT: Duration = Duration::from_secs(60);

/// What is kept of a `WorkCluster`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Published {
    pub(crate) uid: String,
    generation: i64,
    /// The UID of the Secret that it belongs to.
    secret_uid: Option<String>,
    secret_name: Option<String>,
    managed: bool,
    deleting: bool,
    /// The identity of the cluster, where it is metadata; one that an earlier version pinned is in the status alone.
    pin: Option<ClusterUid>,
    pub(crate) status: Option<WorkClusterStatus>,
}

fn view(object: &WorkCluster) -> Published {
    let owner = object.owner_references().iter().find(|owner| owner.kind == "Secret");
    Published {
        uid: object.uid().unwrap_or_default(),
        generation: object.meta().generation.unwrap_or_default(),
        secret_uid: owner.map(|owner| owner.uid.clone()),
        secret_name: owner.map(|owner| owner.name.clone()),
        managed: object.labels().get(labels::MANAGED_BY).is_some_and(|by| by == labels::MANAGED_BY_HOMEBASE),
        deleting: object.meta().deletion_timestamp.is_some(),
        pin: object.annotations().get(annotations::CLUSTER_UID).cloned().map(ClusterUid::new),
        status: object.status.clone(),
    }
}

impl Published {
    /// The identity that was pinned under the registration that has this UID.
    pub(crate) fn pin(&self, secret: &str) -> Option<ClusterUid> {
        let is_same = self.secret_uid.as_deref() == Some(secret);
        if let Some(pin) = self.pin.as_ref().filter(|_| is_same) {
            return Some(pin.clone());
        }
        let status = self.status.as_ref()?;
        let observed = status.observed_secret.as_ref().filter(|observed| observed.uid == secret)?;
        status
            .identity
            .as_ref()
            .map(|identity| ClusterUid::new(identity.uid.clone()))
            .filter(|_| !observed.uid.is_empty())
    }
}

struct Publisher {
    /// Notified when the home cluster does not serve the kind.
    unserved: Arc<Notify>,
    hub: Arc<Hub>,
    home: Client,
    events: Events,
}

/// Runs until it is cancelled.
pub(crate) async fn run(hub: Arc<Hub>, home: Client, cancel: CancellationToken) {
    let objects: Api<WorkCluster> = Api::namespaced(home.clone(), &hub.settings.namespace);
    let unserved = Arc::new(Notify::new());
    let feed = Feed { hub: hub.clone(), unserved: unserved.clone() };
    let mut watch = std::pin::pin!(run_watch(
        watch_objects(objects, watch_config(), &Budget::unlimited(), Weight::VIEW),
        feed,
        fastrand::f64,
        tokio::time::sleep
    ));
    let publisher =
        Publisher { unserved, events: Events::new(home.clone(), &hub.settings.instance), hub, home };
    let queue = publisher.hub.publishing().clone();
    let mut running = FuturesUnordered::new();
    let mut restoring = FuturesUnordered::new();
    let mut beat = tokio::time::interval(BEAT);
    loop {
        publisher.hub.beat(Loop::Publisher);
        tokio::select! {
            () = cancel.cancelled() => return,
            () = &mut watch => return,
            _ = beat.tick() => {}
            () = publisher.unserved.notified(), if restoring.is_empty() => {
                restoring.push(restore_crds(&publisher.home, &publisher.hub.settings.field_manager));
            }
            Some(()) = restoring.next(), if !restoring.is_empty() => {}
            Some(()) = running.next(), if !running.is_empty() => {}
            id = queue.take(), if running.len() < CONCURRENT_WRITES => running.push(publisher.work_on(id)),
        }
    }
}

/// Installs the CRDs of the home cluster again that somebody has deleted while the hub runs.
async fn restore_crds(home: &Client, manager: &str) {
    tracing::warn!("the home cluster no longer serves WorkClusters: their CRD is installed again");
    let (crds, progress) = (homebase_api::home_crds(), Progress::default());
    // The hubs of several namespaces share it.
    let how = Installation { manager, policy: CrdPolicy::Install, claim: None, progress: &progress };
    let outcome = tokio::time::timeout(RESTORE_TIMEOUT, install_crds(home, &crds, how)).await;
    match outcome {
        Ok(Ok(_)) => tracing::info!("the CRD of WorkClusters is installed"),
        Ok(Err(error)) => {
            tracing::warn!(error = %Chain(&error), "the CRD of WorkClusters is not installed; retrying");
        }
        Err(_) => tracing::warn!(
            seconds = RESTORE_TIMEOUT.as_secs(),
            "the CRD of WorkClusters is not installed in time; retrying"
        ),
    }
}

struct Feed {
    hub: Arc<Hub>,
    unserved: Arc<Notify>,
}

impl Listener<WorkCluster> for Feed {
    fn event(&mut self, event: Event<WorkCluster>) {
        let listed = matches!(event, Event::InitDone);
        for change in self.hub.work_clusters.on(event, view) {
            // A status that somebody else wrote is set right with the next news of the cluster, not at once: two
            // hubs that overlap during an upgrade would answer each other without end.
            if is_status_only(&change) {
                continue;
            }
            if let Ok(id) = change.key.name.parse() {
                self.hub.publish(&id);
            }
        }
        if listed {
            self.hub.work_clusters_listed.notify_one();
        }
    }

    fn failure(&mut self, category: Category, message: &str) {
        if category == Category::NotFound {
            self.unserved.notify_one();
        }
        tracing::warn!(error = message, "WorkClusters cannot be watched; sessions go on");
    }
}

fn is_status_only(change: &Change<Published>) -> bool {
    let (Some(before), Some(after)) = (&change.before, &change.after) else { return false };
    Published { status: None, ..before.clone() } == Published { status: None, ..after.clone() }
}

impl Publisher {
    async fn work_on(&self, id: ClusterId) {
        let queue = self.hub.publishing();
        match self.bring_up_to_date(&id).await {
            Ok(()) => {
                queue.done(&id);
                if let Some(cluster) = self.hub.registry.get(&id) {
                    queue.add_after(id, status::look_again(&cluster, Timestamp::now()));
                }
            }
            Err(error) => {
                tracing::warn!(cluster = %id, error = %Chain(&error), "WorkCluster not written");
                queue.failed(&id, fastrand::f64());
            }
        }
    }

    async fn bring_up_to_date(&self, id: &ClusterId) -> Result<(), WriteError> {
        // Before the listings are complete, nothing may be concluded from what is missing.
        if !self.hub.is_synced() || !self.hub.work_clusters.is_synced() {
            self.hub.publishing().add_after(id.clone(), NOT_SYNCED_WAIT);
            return Ok(());
        }
        let key = ObjectKey::new(&self.hub.settings.namespace, id.as_str());
        let published = self.hub.work_clusters.get(&key);
        match (self.hub.registry.get(id), published) {
            (Some(cluster), Some(published))
                if published.secret_uid.as_deref() == Some(&*cluster.secret.uid) =>
            {
                self.write_status(&key, &cluster, published).await
            }
            // It belongs to another registration of the same name: its pin and its history end with that.
            (Some(_), Some(published)) => self.remove_superseded(&key, &published).await,
            (None, Some(published)) => self.remove_unregistered(id, &key, &published).await,
            (Some(cluster), None) => self.create(&key, &cluster).await,
            (None, None) => Ok(()),
        }
    }

    async fn create(&self, key: &ObjectKey, cluster: &Cluster) -> Result<(), WriteError> {
        // The garbage collector would delete it again, as its owner does not exist.
        if cluster.shown().missing.is_some() {
            return Ok(());
        }
        let created = self.apply(key, cluster, cluster.pin()).await?;
        self.write_status(key, cluster, created).await
    }

    /// Writes the metadata of a `WorkCluster`.
    async fn apply(
        &self,
        key: &ObjectKey,
        cluster: &Cluster,
        pin: Option<ClusterUid>,
    ) -> Result<Published, WriteError> {
        let owner = OwnerReference {
            api_version: Secret::api_version(&()).into_owned(),
            kind: Secret::kind(&()).into_owned(),
            name: cluster.secret.name.clone(),
            uid: cluster.secret.uid.clone(),
            ..OwnerReference::default()
        };
        let pin = pin.map(|uid| [(annotations::CLUSTER_UID.to_owned(), uid.to_string())].into());
        let object = WorkCluster {
            metadata: ObjectMeta {
                name: Some(key.name.clone()),
                namespace: Some(key.namespace.clone()),
                annotations: pin,
                labels: Some(
                    [(labels::MANAGED_BY.to_owned(), labels::MANAGED_BY_HOMEBASE.to_owned())].into(),
                ),
                owner_references: Some(vec![owner]),
                ..ObjectMeta::default()
            },
            ..WorkCluster::default()
        };
        let applied = apply::apply(&self.home, &object, &self.hub.settings.field_manager).await?;
        self.hub.work_clusters.note(&applied, view);
        Ok(view(&applied))
    }

    async fn write_status(
        &self,
        key: &ObjectKey,
        cluster: &Cluster,
        mut published: Published,
    ) -> Result<(), WriteError> {
        // Before the status, for which the first write to the cluster waits. A WorkCluster that somebody else made is
        // not taken over by it.
        let pin = cluster.pin().filter(|pin| published.pin.as_ref() != Some(pin) && published.managed);
        if pin.is_some() && !published.deleting {
            published = self.apply(key, cluster, pin).await?;
        }
        let now = Timestamp::now();
        let instance = &self.hub.settings.instance;
        let previous = published.status.unwrap_or_default();
        let next = status::next(&previous, cluster, instance, published.generation, now);
        let Some(next) = next else { return Ok(()) };
        let manager = &self.hub.settings.field_manager;
        let written: WorkCluster =
            apply::apply_status(&self.home, key, &published.uid, &next, manager).await?;
        self.hub.work_clusters.note(&written, view);
        if let Some((severity, reason, note)) = status::event(&previous, &next) {
            self.events.publish(&written.object_ref(&()), severity, &reason, &note).await;
        }
        Ok(())
    }

    /// Removes a `WorkCluster` that stands in the way of another registration's.
    async fn remove_superseded(&self, key: &ObjectKey, published: &Published) -> Result<(), WriteError> {
        if !published.managed {
            tracing::warn!(
                cluster = key.name,
                "a WorkCluster of this name was not made by the hub: delete it"
            );
            return Ok(());
        }
        if !published.deleting {
            apply::delete_exact::<WorkCluster>(&self.home, key, &published.uid, Dependents::Delete).await?;
        }
        Ok(())
    }

    /// Says of a cluster that its registration exists and that it has no session, as when a list of the registrations
    /// lacks it: it is not known to be ready.
    async fn disown(&self, id: &ClusterId, key: &ObjectKey, published: &Published) -> Result<(), WriteError> {
        let previous = published.status.clone().unwrap_or_default();
        // The session may have begun while the Secret was read.
        let Some(next) = status::without_session(&previous, published.generation, Timestamp::now())
            .filter(|_| self.hub.registry.get(id).is_none())
        else {
            return Ok(());
        };
        tracing::warn!(cluster = %id, "the registration exists and is missing from the list: the cluster has no session");
        let manager = &self.hub.settings.field_manager;
        let written: WorkCluster =
            apply::apply_status(&self.home, key, &published.uid, &next, manager).await?;
        self.hub.work_clusters.note(&written, view);
        Ok(())
    }

    /// Removes a `WorkCluster` whose registration is gone, after a look at the Secret itself.
    async fn remove_unregistered(
        &self,
        id: &ClusterId,
        key: &ObjectKey,
        published: &Published,
    ) -> Result<(), WriteError> {
        if !published.managed || published.deleting {
            return Ok(());
        }
        if let Some(name) = &published.secret_name {
            let secret_key = ObjectKey::new(&key.namespace, name);
            let secret: Option<Secret> = apply::fetch(&self.home, &secret_key).await?;
            let still_registers = secret.is_some_and(|secret| {
                let read = crate::registration::read_first(
                    &self.hub.settings.conventions,
                    &secret,
                    self.hub.settings.insecure,
                );
                let names = |one: &Registration| one.id.as_ref().is_ok_and(|id| id.as_str() == key.name);
                secret.uid() == published.secret_uid && read.iter().any(names)
            });
            if still_registers {
                return self.disown(id, key, published).await;
            }
        }
        apply::delete_exact::<WorkCluster>(&self.home, key, &published.uid, Dependents::Delete).await?;
        Ok(())
    }
}

/// How soon to look again while a listing is under way.
const NOT_SYNCED_WAIT: Duration = Duration::from_millis(200);
