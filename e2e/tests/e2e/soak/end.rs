//! How a soak must end: what is desired is there, and once everything is deregistered, nothing is. It must not know
//! what happened before.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use homebase_api::WorkCluster;
use homebase_e2e::figures::Figures;
use homebase_testkit::{AuditMark, Component, ControlPlane, eventually};
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;
use kube::api::{Api, DeleteParams, ListParams};

use super::lane::name;
use super::model::Cluster;
use super::resources::{self, Made};
use super::scene::Soak;
use crate::fleet::pool::{connections, no_connection, settled};
use crate::support::{NAMESPACE, apply, condition, create_namespace, hub_requests, is};

/// From the last event until everything is as desired: a reconnection after a long fault takes 20 s, what only a
/// person can repair is tried again after 60 s at most, and all clusters of this machine come up together.
const CONVERGED: Duration = Duration::from_secs(150);
/// From the last deregistration until nothing is left: a session lets its reconciles finish for some seconds.
const GONE: Duration = Duration::from_secs(60);
/// A bounded window of observation in which nothing may be written.
const QUIET: Duration = Duration::from_secs(5);

impl Soak {
    /// Does what a person would do to have everything work again.
    pub(super) async fn settle(&mut self) {
        let settling: Vec<_> = self
            .models
            .iter()
            .zip(&self.keys)
            .map(|(model, keys)| model.settling(keys.expected_uid.is_some()))
            .collect();
        println!("soak: settled by {} events", settling.iter().map(Vec::len).sum::<usize>());
        self.on_all(|index| settling[index].iter().map(|event| (event.clone(), Duration::ZERO)).collect())
            .await;
        for (plane, model) in self.fleet.work.iter_mut().zip(&self.models) {
            plane.wait_apiserver().await.unwrap();
            // Kubernetes' garbage collector takes a resource that was deleted and made again while it could not watch
            // for the same one, and leaves the children of the first for ever. What it finds at its start it collects.
            if model.was_broken {
                plane.kill(Component::ControllerManager).unwrap();
                plane.start_component(Component::ControllerManager).unwrap();
            }
        }
    }

    /// Everything is as desired, within its bound, and then nothing is written any more.
    pub(super) async fn assert_desired(&self) {
        let start = Instant::now();
        let secrets = self.secrets().await;
        let registered: BTreeSet<String> = self
            .models
            .iter()
            .enumerate()
            .flat_map(|(index, model)| model.registrations().map(move |which| name(index, which)))
            .collect();
        eventually("there is a WorkCluster for each registration", CONVERGED, || async {
            let names: BTreeSet<String> = self.work_clusters().await.keys().cloned().collect();
            if names == registered { Ok(()) } else { Err(format!("{names:?} instead of {registered:?}")) }
        })
        .await
        .unwrap();
        println!("soak: {} WorkClusters after {:?}", registered.len(), start.elapsed());

        let mut marks = Vec::new();
        for (index, model) in self.models.iter().enumerate() {
            let plane = &self.fleet.work[index];
            if self.wait_registrations(index, model, &secrets, start).await {
                self.wait_resources(plane, model, start).await;
            } else {
                no_connection(self.fleet.hub(), plane).await;
                marks.push((plane, plane.audit_mark().unwrap()));
            }
        }
        println!("soak: as desired {:?} after the last event", start.elapsed());
        for plane in self.fleet.planes() {
            settled(plane).await;
        }
        for (plane, mark) in marks {
            let written = hub_requests(plane, mark);
            assert!(written.is_empty(), "written to {}, which is not registered: {written:#?}", plane.name());
        }
        println!("soak: at the end: {}", Figures::of(self.fleet.hub()).await.unwrap());
    }

    /// Of the registrations of a cluster the oldest is Ready and the other one is told so. False when there is none.
    async fn wait_registrations(
        &self,
        index: usize,
        model: &Cluster,
        secrets: &BTreeMap<String, Secret>,
        start: Instant,
    ) -> bool {
        let mut names: Vec<String> = model.registrations().map(|which| name(index, which)).collect();
        names.sort_by_key(|name| (secrets[name].creation_timestamp(), name.clone()));
        for (place, name) in names.iter().enumerate() {
            let version = secrets[name].resource_version().unwrap();
            let shown = self.fleet.wait_work_cluster(name, left(start), |found| {
                let seen = found.status.as_ref().and_then(|status| status.observed_secret.as_ref());
                let seen = seen.map(|secret| secret.resource_version.as_str()).unwrap_or_default();
                let conditions: Vec<_> =
                    ["Ready", "IdentityVerified"].map(|kind| condition(found, kind)).into();
                if seen != version {
                    return Err(format!("{seen} instead of {version} was observed: {conditions:?}"));
                }
                if place == 0 {
                    is(&condition(found, "CredentialsValid")?, "True", "Valid")?;
                    return is(&condition(found, "Ready")?, "True", "AllChecksPassed");
                }
                is(&condition(found, "IdentityVerified")?, "False", "Duplicate")
            });
            shown.await;
        }
        !names.is_empty()
    }

    /// What was made over time is what is made of the same resources for the first time.
    async fn wait_resources(&self, plane: &ControlPlane, model: &Cluster, start: Instant) {
        let (worn, fresh) = (&resources::namespace(plane), &resources::reference(plane));
        create_namespace(plane, fresh).await;
        for manifest in resources::manifests(model, fresh) {
            apply(plane, &manifest).await;
        }
        eventually(format!("{worn} of {} is as {fresh}", plane.name()), left(start), || async {
            let words = |error: kube::Error| error.to_string();
            let worn = Made::of(plane, worn).await.map_err(words)?;
            let fresh = Made::of(plane, fresh).await.map_err(words)?;
            let faults = [worn.unanswered(model), fresh.unanswered(model), worn.difference(&fresh)];
            faults.into_iter().flatten().next().map_or(Ok(()), Err)
        })
        .await
        .unwrap();
    }

    /// With the last registration goes everything that the hub had for the clusters.
    pub(super) async fn assert_nothing_left(&self) {
        let secrets = self.fleet.registrations().await;
        for name in self.secrets().await.keys() {
            secrets.delete(name, &DeleteParams::default()).await.unwrap();
        }
        let start = Instant::now();
        eventually("nothing is left over", GONE, || async {
            let clusters = self.work_clusters().await.into_keys().collect::<Vec<_>>();
            if !clusters.is_empty() {
                return Err(format!("the WorkClusters {clusters:?}"));
            }
            let connected =
                self.fleet.work.iter().map(|plane| connections(self.fleet.hub(), plane)).sum::<usize>();
            if connected > 0 {
                return Err(format!("{connected} connections"));
            }
            let now = Figures::of(self.fleet.hub()).await.map_err(|error| error.to_string())?;
            now.beyond(&self.baseline).map_or(Ok(()), Err)
        })
        .await
        .unwrap();
        println!("soak: nothing is left over {:?} after the last deregistration", start.elapsed());
        let marks: Vec<AuditMark> = self.fleet.planes().map(|plane| plane.audit_mark().unwrap()).collect();
        tokio::time::timeout(QUIET, std::future::pending::<()>()).await.unwrap_err();
        for (plane, mark) in self.fleet.planes().zip(marks) {
            let written = hub_requests(plane, mark);
            assert!(written.is_empty(), "writes to {} with nothing registered: {written:#?}", plane.name());
        }
        println!("soak: with nothing registered: {}", Figures::of(self.fleet.hub()).await.unwrap());
    }

    async fn secrets(&self) -> BTreeMap<String, Secret> {
        let found = self.fleet.registrations().await.list(&ListParams::default()).await.unwrap();
        let own = found.into_iter().filter(|secret| secret.name_any().starts_with("soak-"));
        own.map(|secret| (secret.name_any(), secret)).collect()
    }

    async fn work_clusters(&self) -> BTreeMap<String, WorkCluster> {
        let api: Api<WorkCluster> = Api::namespaced(self.fleet.home.client().await.unwrap(), NAMESPACE);
        let found = api.list(&ListParams::default()).await.unwrap();
        found.into_iter().map(|cluster| (cluster.name_any(), cluster)).collect()
    }
}

/// What is left of the bound that holds for all clusters together.
fn left(start: Instant) -> Duration {
    CONVERGED.saturating_sub(start.elapsed())
}
