//! The watches that a reconciler of `IrisCluster` lives on, and which clusters each of their changes wakes. It must not
//! decide what becomes of them.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};

use homebase_api::{IrisCluster, labels};
use homebase_core::ObjectKey;
use homebase_iris::cluster::places_members;
use k8s_openapi::api::core::v1::Pod;
use kube::core::DeserializeGuard;

use super::super::children::{Child, Children, owner_of};
use super::super::gate::Gate;
use super::super::primary::Primary;
use super::nodes::Concerned;
use super::pods::{KnownPod, matters};
use super::{IrisClusterReconciler, source_key};
use crate::reconcile::{Enqueue, Watch};
use crate::store::Change;
use crate::watching::Subject;

impl IrisClusterReconciler {
    /// All of them.
    pub(super) fn all_watches(self: Arc<Self>, enqueue: Enqueue) -> Vec<Watch> {
        let gate = Arc::new(Gate::new(enqueue, &self.engagement.watching.namespaces));
        let mut watches = self.watch_objects(&gate);
        watches.extend(self.watch_children(&self.stateful_sets, "StatefulSet", &gate));
        watches.extend(self.watch_children(&self.services, "Service", &gate));
        watches.extend(self.watch_children(&self.config_maps, "ConfigMap", &gate));
        watches.extend(self.watch_pods(&gate));
        watches.extend(self.watch_claims(&gate));
        watches.push(self.watch_nodes(&gate));
        watches.push(self.watch_policy(&gate));
        watches.push(self.watch_volume_retention());
        watches.push(Watch { kind: "mirrors", run: Box::pin(self.clone().ask_mirrors(gate.clone())) });
        if let Some(requests) = self.requests.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let this = self.clone();
            let wake = move |source: &ObjectKey| {
                let users = this.users_of(source).into_iter().map(|key| (key, false));
                gate.pass(|namespace| this.is_synced_in(namespace), || this.all(), users);
            };
            watches.push(self.sources.watch(&self.engagement, requests, wake));
        }
        watches
    }

    fn watch_objects(self: &Arc<Self>, gate: &Arc<Gate>) -> Vec<Watch> {
        let (this, gate) = (self.clone(), gate.clone());
        self.engagement.watching.objects::<DeserializeGuard<IrisCluster>, _>(
            &self.engagement.client,
            Subject::of("IrisCluster").weighing(homebase_kube::budget::Weight::LARGE),
            &self.objects,
            Primary::of,
            move |changes: Vec<Change<Primary<IrisCluster>>>| {
                if changes.iter().any(|change| {
                    let source = |known: &Option<Primary<IrisCluster>>| {
                        known.as_ref().and_then(Primary::readable).and_then(|cluster| source_key(cluster))
                    };
                    source(&change.before).is_some() && source(&change.before) != source(&change.after)
                }) {
                    this.retain_sources();
                }
                if changes.iter().any(|change| change.after.is_some()) {
                    this.nodes.start();
                }
                let woken = changes.into_iter().map(|change| (change.key, change.listed));
                gate.pass(|namespace| this.is_synced_in(namespace), || this.all(), woken);
            },
        )
    }

    fn watch_children<K, V>(
        self: &Arc<Self>,
        children: &Children<K, V>,
        kind: &'static str,
        gate: &Arc<Gate>,
    ) -> Vec<Watch>
    where
        K: homebase_kube::apply::Object,
        V: Clone + PartialEq + Send + Sync + for<'a> From<&'a K> + 'static,
    {
        let (this, gate) = (self.clone(), gate.clone());
        children.watches(&self.engagement, kind, move |changes: Vec<Change<Child<V>>>| {
            let woken: Vec<_> = changes
                .iter()
                .flat_map(|change| {
                    if let Some(owner) = owner_of(change) {
                        return vec![owner];
                    }
                    // A shared object concerns every cluster of its namespace, and itself when there is none.
                    let sharers = this.objects.in_namespace(&change.key.namespace, |_| true);
                    let keys = sharers.into_iter().map(|(key, _)| key).chain([change.key.clone()]);
                    keys.map(|key| (key, change.listed)).collect()
                })
                .collect();
            gate.pass(|namespace| this.is_synced_in(namespace), || this.all(), woken);
        })
    }

    fn watch_pods(self: &Arc<Self>, gate: &Arc<Gate>) -> Vec<Watch> {
        let (this, gate) = (self.clone(), gate.clone());
        // Not by who manages them: pods of a set that was taken over do not tell.
        let selector = format!("{}={}", labels::KIND, labels::KIND_IRIS_CLUSTER);
        self.engagement.watching.objects::<Pod, _>(
            &self.engagement.client,
            Subject::of("Pod").selected_by(&selector),
            &self.pods,
            KnownPod::of,
            move |changes: Vec<Change<KnownPod>>| {
                let woken: Vec<_> = changes
                    .iter()
                    .filter(|change| matters(change))
                    .filter_map(|change| {
                        let pod = change.after.as_ref().or(change.before.as_ref())?;
                        Some((ObjectKey::new(&change.key.namespace, &pod.cluster), change.listed))
                    })
                    .collect();
                gate.pass(|namespace| this.is_synced_in(namespace), || this.all(), woken);
            },
        )
    }

    fn watch_nodes(self: &Arc<Self>, gate: &Arc<Gate>) -> Watch {
        let (this, gate) = (self.clone(), gate.clone());
        self.nodes.watch(&self.engagement, move |concerned| {
            let listed = concerned == Concerned::All;
            let woken = match concerned {
                Concerned::All => this.objects.keys().into_iter().collect(),
                Concerned::On(nodes) => this.pods.fold(BTreeSet::new(), |mut woken, (key, pod)| {
                    if pod.observed.node.as_ref().is_some_and(|node| nodes.contains(node)) {
                        woken.insert(ObjectKey::new(&key.namespace, &pod.cluster));
                    }
                    woken
                }),
            };
            let woken = woken.into_iter().map(|key| (key, listed));
            gate.pass(|namespace| this.is_synced_in(namespace), || this.all(), woken);
        })
    }

    fn watch_volume_retention(&self) -> Watch {
        self.volume_retention.watch(&self.engagement, self.hub.clone(), || {})
    }

    fn watch_policy(self: &Arc<Self>, gate: &Arc<Gate>) -> Watch {
        let (this, gate) = (self.clone(), gate.clone());
        self.placement.watch(&self.engagement, self.hub.clone(), move || {
            let woken = this.objects.fold(Vec::new(), |mut woken, (key, cluster)| {
                if cluster.readable().is_some_and(|cluster| places_members(&cluster.spec)) {
                    woken.push((key.clone(), false));
                }
                woken
            });
            gate.pass(|namespace| this.is_synced_in(namespace), || this.all(), woken);
        })
    }
}
