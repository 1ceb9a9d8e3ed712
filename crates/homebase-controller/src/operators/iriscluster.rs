//! Reconciles the kind `IrisCluster` on one cluster: dereference → validate → plan → apply → status. What should
//! be is decided in `homebase-iris`; the files below this one read it and write it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use homebase_api::conditions::iris::{Ready, TopologySatisfied};
use homebase_api::conditions::{Reason as _, find_condition};
use homebase_api::iriscluster::NodeGroupStatus;
use homebase_api::{IrisCluster, IrisClusterStatus};
use homebase_core::ObjectKey;
use homebase_iris::Failure;
use homebase_iris::cluster::names::HEADLESS_SERVICE;
use homebase_iris::cluster::{self, ObservedStatefulSet};
use homebase_kube::apply::{self, Dependents};
use homebase_kube::claim::HubClaim;
use homebase_kube::event::Severity;
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::ListParams;
use kube::{Api, Resource as _, ResourceExt as _};

use super::children::{Child, Children, PodTemplate};
use super::primary::{Primary, note_answer};
use super::report::{failure_of, is_news, send};
use super::sources::{Source, Sources};
use crate::reconcile::{Engagement, Enqueue, ObjectTally, Outcome, ReconcileError, Reconciler, Tally, Watch};
use crate::store::Store;

mod admission;
mod apply_plan;
mod dereference;
mod keep_volumes;
mod mirrors;
mod nodes;
mod pods;
mod restart;
mod unreadable;
mod volumes;
mod watches;

use admission::{Admission, MIRROR_ZONES, VOLUME_RETENTION};
use apply_plan::Done;
use dereference::Uninspected;
use mirrors::Mirrors;
use nodes::Nodes;
use pods::KnownPod;
use restart::{Holds, Removals};
use unreadable::ToldUnreadable;
use volumes::Volumes;

/// The reconciler of one cluster.
pub(super) struct IrisClusterReconciler {
    engagement: Engagement,
    objects: Store<Primary<IrisCluster>>,
    stateful_sets: Children<StatefulSet, ObservedStatefulSet>,
    services: Children<Service, Uninspected>,
    config_maps: Children<ConfigMap, Uninspected>,
    pods: Store<KnownPod>,
    nodes: Nodes,
    placement: Admission,
    volume_retention: Admission,
    hub: Arc<HubClaim>,
    volumes: Volumes,
    sources: Sources,
    requests: Mutex<Option<super::sources::Requests>>,
    mirrors: Mirrors,
    holds: Holds,
    unreadable: ToldUnreadable,
    removals: Removals,
}

/// The ConfigMap that a cluster names.
fn source_key(cluster: &IrisCluster) -> Option<ObjectKey> {
    let source = cluster.spec.config_source.as_ref()?;
    Some(ObjectKey::new(cluster.namespace().unwrap_or_default(), &source.name))
}

impl IrisClusterReconciler {
    /// `mirror_interval` says how often the members of mirrors are asked who is primary; never without it.
    pub(super) fn new(engagement: Engagement, hub: Arc<HubClaim>, mirror_interval: Option<Duration>) -> Self {
        let (sources, requests) = Sources::new();
        let namespaces = engagement.watching.namespaces.clone();
        Self {
            engagement,
            objects: Store::default(),
            stateful_sets: Children::of::<IrisCluster>(hub.clone()).with_template(PodTemplate {
                without_marks: cluster::without_marks,
                leftovers: cluster::leftovers,
                left_over: cluster::LEFT_OVER,
                keeps_pods: cluster::keeps_pods,
                leaves_replicas: |set| set.spec.as_ref().is_some_and(|spec| spec.replicas.is_none()),
            }),
            services: Children::of::<IrisCluster>(hub.clone()),
            config_maps: Children::of::<IrisCluster>(hub.clone()),
            pods: Store::default(),
            nodes: Nodes::new(&namespaces),
            placement: Admission::new(MIRROR_ZONES, &namespaces),
            volume_retention: Admission::new(VOLUME_RETENTION, &namespaces),
            hub,
            volumes: Volumes::default(),
            sources,
            requests: Mutex::new(Some(requests)),
            mirrors: Mirrors::new(mirror_interval),
            holds: Holds::default(),
            unreadable: ToldUnreadable::default(),
            removals: Removals::default(),
        }
    }

    fn is_synced(&self) -> bool {
        self.objects.is_synced()
            && self.stateful_sets.store.is_synced()
            && self.services.store.is_synced()
            && self.config_maps.store.is_synced()
            && self.pods.is_synced()
    }

    /// Whether absence means anything in a namespace.
    fn is_synced_in(&self, namespace: &str) -> bool {
        self.objects.is_synced_in(namespace)
            && self.stateful_sets.store.is_synced_in(namespace)
            && self.services.store.is_synced_in(namespace)
            && self.config_maps.store.is_synced_in(namespace)
            && self.pods.is_synced_in(namespace)
            && self.volumes.is_settled_in(namespace)
    }

    fn all(&self) -> Vec<ObjectKey> {
        // A shared Service may have outlived its last cluster while no hub was running.
        let services = self.services.store.keys().into_iter();
        let shared = services.filter(|key| key.name == HEADLESS_SERVICE);
        self.objects.keys().into_iter().chain(shared).collect()
    }

    async fn run(&self, key: &ObjectKey) -> Result<Outcome, ReconcileError> {
        let Some(known) = self.objects.get(key).filter(Primary::is_standing) else {
            return self.clean_up(key).await;
        };
        let cluster = match known {
            Primary::Readable(cluster) => cluster,
            Primary::Unreadable(unreadable) => {
                // Rare, and larger than all the rest.
                return Box::pin(self.tell_unreadable(key, &unreadable)).await;
            }
        };
        self.unreadable.forget(key);
        let cluster = match cluster.status {
            Some(_) => cluster,
            None => {
                self.write_status(key, &cluster, &cluster::first_status(&cluster, Timestamp::now())).await?
            }
        };
        let Some(found) = self.dereference(&cluster) else {
            // The watch of its ConfigMap has just begun and wakes this key.
            return Ok(Outcome::Done);
        };
        match cluster::validate(&cluster, &found) {
            Ok(validated) => match Box::pin(self.carry_out(key, &cluster, &validated)).await {
                Ok(outcome) => Ok(outcome),
                Err(error) => Err(self.tell_failure(key, &cluster, error).await),
            },
            Err(invalid) => {
                // What runs keeps running with its volumes, and may fail over.
                let retained = self.retain_volumes(&cluster).await;
                let labelled = self.set_labels(key, &cluster::mirror_labels(&cluster, &found)).await;
                let events = cluster::refused_events(&cluster, &invalid);
                let status = cluster::refused_status(&cluster, &invalid, Timestamp::now());
                self.tell(key, &cluster, &status).await?;
                send(&self.engagement, &cluster.object_ref(&()), &events).await;
                labelled.and(retained).map(|()| Outcome::Done)
            }
        }
    }

    async fn carry_out(
        &self,
        key: &ObjectKey,
        cluster: &IrisCluster,
        validated: &cluster::ValidatedCluster,
    ) -> Result<Outcome, ReconcileError> {
        let mut plan = cluster::plan(validated);
        let mut events = cluster::events(validated, &plan);
        let Done { outcome, answered, told, refused, holds, .. } = self.apply(cluster, &plan).await?;
        events.extend(told);
        for (claim, words) in refused {
            plan.refuse_growth(&claim, &words);
        }
        for (set, why) in holds {
            plan.hold_update(set, why);
        }
        let (mut observed, _) = self.observe_stateful_sets(cluster);
        observed.extend(answered);
        let applied = plan.applied(observed);
        let status = cluster::status(validated, &applied, Timestamp::now());
        self.tell(key, cluster, &status).await?;
        send(&self.engagement, &cluster.object_ref(&()), &events).await;
        Ok(outcome)
    }

    /// What a cluster leaves behind: the garbage collector takes its children, and the last one of its
    /// namespace takes the Service that all of them shared.
    async fn clean_up(&self, key: &ObjectKey) -> Result<Outcome, ReconcileError> {
        self.stateful_sets.forget_gone(key);
        self.services.forget_gone(key);
        self.config_maps.forget_gone(key);
        self.holds.forget(key);
        self.unreadable.forget(key);
        self.removals.forget(key);
        self.volumes.forget(key);
        let shared = ObjectKey::new(&key.namespace, HEADLESS_SERVICE);
        let Some(service) = self.services.store.get(&shared).filter(|service| !service.deleting) else {
            return Ok(Outcome::Done);
        };
        if !self.objects.in_namespace(&key.namespace, Primary::is_standing).is_empty() {
            return Ok(Outcome::Done);
        }
        // Our view may be late: ask before a Service goes that a cluster made a moment ago may need.
        let clusters: Api<IrisCluster> = Api::namespaced(self.engagement.client.clone(), &key.namespace);
        let live = clusters.list_metadata(&ListParams::default().limit(1)).await.map_err(|error| {
            ReconcileError {
                category: homebase_kube::categorize(&error).as_str(),
                retry: homebase_core::Retry::Backoff,
                source: Box::new(error),
            }
        })?;
        if live.items.is_empty() {
            self.services.remove(&self.engagement, &shared, &service.uid, None, Dependents::Delete).await?;
        }
        Ok(Outcome::Done)
    }

    async fn tell_failure(
        &self,
        key: &ObjectKey,
        cluster: &IrisCluster,
        error: ReconcileError,
    ) -> ReconcileError {
        let failure = failure_of(&error);
        let status = cluster::failed_status(cluster, failure, &error.message(), Timestamp::now());
        let known = cluster.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
        if !is_news(failure, known, &status.conditions) {
            return error;
        }
        // The error itself is what counts; that it could not be told shows in the figures of requests.
        drop(self.tell(key, cluster, &status).await);
        if failure != Failure::Transient {
            let regarding = cluster.object_ref(&());
            self.engagement
                .events
                .publish(&regarding, Severity::Warning, error.category, &error.message())
                .await;
        }
        error
    }

    async fn tell(
        &self,
        key: &ObjectKey,
        cluster: &IrisCluster,
        status: &IrisClusterStatus,
    ) -> Result<(), ReconcileError> {
        if cluster.status.as_ref() != Some(status) {
            self.write_status(key, cluster, status).await?;
        }
        Ok(())
    }

    async fn write_status(
        &self,
        key: &ObjectKey,
        cluster: &IrisCluster,
        status: &IrisClusterStatus,
    ) -> Result<Arc<IrisCluster>, ReconcileError> {
        let uid = cluster.uid().unwrap_or_default();
        let written: IrisCluster =
            apply::apply_status(&self.engagement.client, key, &uid, status, &self.engagement.manager).await?;
        note_answer(&self.objects, &written, cluster);
        Ok(Arc::new(written))
    }

    /// Ends the watches of ConfigMaps that no cluster names any more.
    fn retain_sources(&self) {
        let named = self.objects.fold(BTreeSet::new(), |mut named, (_, cluster)| {
            named.extend(cluster.readable().and_then(|cluster| source_key(cluster)));
            named
        });
        self.sources.retain(&named);
    }

    /// The clusters that name a ConfigMap.
    fn users_of(&self, source: &ObjectKey) -> Vec<ObjectKey> {
        let names = |cluster: &Primary<IrisCluster>| {
            cluster.readable().and_then(|cluster| source_key(cluster)).as_ref() == Some(source)
        };
        let users = self.objects.in_namespace(&source.namespace, names);
        users.into_iter().map(|(key, _)| key).collect()
    }
}

impl Reconciler for IrisClusterReconciler {
    fn watches(self: Arc<Self>, enqueue: Enqueue) -> Vec<Watch> {
        self.all_watches(enqueue)
    }

    fn reconcile<'a>(&'a self, key: &'a ObjectKey) -> BoxFuture<'a, Result<Outcome, ReconcileError>> {
        Box::pin(self.run(key))
    }

    fn tally(&self) -> Option<Tally> {
        self.is_synced().then(|| {
            let start = Tally { kind: "IrisCluster", ..Tally::default() };
            self.objects.fold(start, |mut tally, (key, known)| {
                let object = tally_of(key, known.readable().map(AsRef::as_ref));
                tally.objects += 1;
                tally.ready += usize::from(object.ready);
                tally.details.push(object);
                tally
            })
        })
    }
}

/// A cluster is ready when its status says so of the spec that it has now.
fn tally_of(key: &ObjectKey, cluster: Option<&IrisCluster>) -> ObjectTally {
    let status = cluster.and_then(|cluster| cluster.status.as_ref());
    let generation = cluster.and_then(|cluster| cluster.meta().generation);
    let is_current = status.and_then(|status| status.observed_generation) == generation;
    let conditions = status.map(|status| status.conditions.as_slice()).unwrap_or_default();
    let ready = is_current && find_condition::<Ready>(conditions).is_some_and(|ready| ready.status == "True");
    let nodes = status.and_then(|status| status.nodes.clone()).unwrap_or_default();
    let groups = [
        ("data", nodes.data),
        ("compute", nodes.compute),
        ("arbiter", nodes.arbiter),
        ("webgateway", nodes.webgateway),
        ("sam", nodes.sam),
        ("iam", nodes.iam),
    ];
    let count = |(component, group): (&'static str, Option<NodeGroupStatus>)| {
        group.map(|group| (component, i64::from(group.desired), i64::from(group.ready)))
    };
    let misplaced =
        find_condition::<TopologySatisfied>(conditions).filter(|_| is_current).and_then(misplaced);
    ObjectTally { key: key.clone(), ready, misplaced, pods: groups.into_iter().filter_map(count).collect() }
}

/// Whether nodes are known to be where they do not belong; none where that is not known, or no zones are wanted.
fn misplaced(topology: &Condition) -> Option<bool> {
    let is = |reason: TopologySatisfied| topology.reason == reason.as_str();
    (is(TopologySatisfied::Misplaced) || is(TopologySatisfied::AsPlanned))
        .then(|| is(TopologySatisfied::Misplaced))
}
