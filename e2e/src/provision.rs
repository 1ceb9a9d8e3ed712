//! Many IrisClusters applied to one work cluster at once: how long until all of them are ready, how many requests that
//! takes, and what the hub holds then. It runs on a real control plane with KWOK nodes and must not look into the hub.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use futures::StreamExt as _;
use homebase_api::IrisCluster;
use homebase_testkit::{AuditEvent, ControlPlane, HubProcess, eventually, start_many};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Secret, Service};
use kube::api::{Api, ListParams, Patch, PatchParams, PostParams};
use kube::{Client, Resource};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::figures::Figures;
use crate::setup::{NAMESPACE, create_namespace, registration};

/// The name of the work cluster, and of the account that the hub has there.
const WORK: &str = "provision";
/// The namespace on it in which the clusters are.
const WORKED_ON: &str = "provision";
const FIELD_MANAGER: &str = "homebase-e2e-provision";
/// Longer than any run.
const TOKEN_LIFETIME: Duration = Duration::from_secs(24 * 3600);
/// Its home watch is all that the hub's readiness waits for.
const HUB_READY: Duration = Duration::from_secs(60);
/// Until the CRDs are there; seconds on an idle machine.
const ENGAGED: Duration = Duration::from_secs(60);
/// Until all are ready: a control plane on two busy cores starts some twenty pods in a second.
const ALL_READY: Duration = Duration::from_secs(1800);
/// Clusters are applied by this many clients at once, so that the hub and not the harness is what is measured.
const APPLY_AT_ONCE: usize = 16;
/// How long the hub is watched once all is done: it must write nothing.
const REST: Duration = Duration::from_secs(35);

/// What to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many IrisClusters.
    pub clusters: usize,
    /// The hub's binary; none for the one that the testkit finds.
    pub hub: Option<PathBuf>,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Report {
    /// What the hub held with the work cluster engaged and nothing on it.
    pub idle: Figures,
    /// What it held when all were ready.
    pub loaded: Figures,
    /// From the first apply until the last one was answered.
    pub applied: Duration,
    /// From the first apply until every object that the hub makes was there.
    pub provisioned: Duration,
    /// From the first apply until all were ready.
    pub ready: Duration,
    /// Objects in the namespace in the end, by kind.
    pub objects: BTreeMap<String, usize>,
    /// The hub's requests to the work cluster, by verb and resource.
    pub requests: BTreeMap<String, usize>,
    /// Its writes in the time of rest after all were ready.
    pub writes_at_rest: usize,
}

/// Runs all of it; `told` hears of the progress. Everything is stopped when this returns.
///
/// # Errors
/// If something cannot be started, or the clusters do not get ready in time.
pub async fn run(options: &Options, mut told: impl FnMut(&str)) -> Result<Report> {
    told("starting a home and a work cluster");
    let bench = Bench::start(options).await?;
    let idle = Figures::of(&bench.hub).await?;
    let before = bench.requests()?.len();
    let start = Instant::now();
    bench.apply(options.clusters).await?;
    let applied = start.elapsed();
    told(&format!("{} IrisClusters applied after {:.1} s", options.clusters, applied.as_secs_f64()));
    let provisioned = bench.wait_provisioned(options.clusters, start).await?;
    told(&format!("every object of the hub is there after {:.1} s", provisioned.as_secs_f64()));
    let ready = bench.wait_ready(options.clusters, start).await?;
    told(&format!("all are ready after {:.1} s; watching the hub at rest", ready.as_secs_f64()));
    let loaded = Figures::of(&bench.hub).await?;
    let requests = bench.requests()?;
    let of_run = count(&requests[before..]);
    tokio::time::sleep(REST).await;
    let later = bench.requests()?;
    let is_write = |event: &&AuditEvent| event.is_write() && event.resource != "events";
    let writes_at_rest = later[requests.len()..].iter().filter(is_write).count();
    let objects = bench.objects().await?;
    Ok(Report { idle, loaded, applied, provisioned, ready, objects, requests: of_run, writes_at_rest })
}

/// The control planes and the hub.
struct Bench {
    // The hub is dropped first: it would tell of apiservers that are gone.
    hub: HubProcess,
    client: Client,
    work: ControlPlane,
    _home: ControlPlane,
}

impl Bench {
    async fn start(options: &Options) -> Result<Self> {
        let home = ControlPlane::builder("provision-home").api_only();
        let work = ControlPlane::builder(WORK).zones(["boston", "chicago"]).nodes_per_zone(8).audit_log(true);
        let mut planes = start_many([home, work]).await?.into_iter();
        let (home, work) = planes.next().zip(planes.next()).context("two planes were asked for")?;
        create_namespace(&home, NAMESPACE, FIELD_MANAGER).await?;
        create_namespace(&work, WORKED_ON, FIELD_MANAGER).await?;
        let kubeconfig = work
            .kubeconfig_for_service_account(NAMESPACE, "homebase", Some("cluster-admin"), TOKEN_LIFETIME)
            .await?;
        let mut hub = HubProcess::builder("provision-hub", home.admin_kubeconfig())
            .namespace(NAMESPACE)
            .arg("--allow-loopback-destinations");
        if let Some(binary) = &options.hub {
            hub = hub.binary(binary);
        }
        let mut hub = hub.start().await?;
        hub.wait_ready(HUB_READY).await?;
        let secrets: Api<Secret> = Api::namespaced(home.client().await?, NAMESPACE);
        secrets.create(&PostParams::default(), &registration(WORK, &kubeconfig)).await?;
        let client = work.client().await?;
        let bench = Self { hub, client, work, _home: home };
        bench.wait("the CRDs", ENGAGED, |_| true).await?;
        Ok(bench)
    }

    fn clusters(&self) -> Api<IrisCluster> {
        Api::namespaced(self.client.clone(), WORKED_ON)
    }

    /// Waits until something holds of the list of all IrisClusters. A list of them once a second is nothing beside the
    /// work of the apiserver.
    async fn wait(&self, what: &str, bound: Duration, check: impl Fn(&[IrisCluster]) -> bool) -> Result<()> {
        let clusters = self.clusters();
        let found = eventually(what.to_owned(), bound, || async {
            let all = clusters.list(&ListParams::default()).await.map_err(anyhow::Error::from)?;
            if check(&all.items) { Ok(()) } else { Err(anyhow::anyhow!("{} IrisClusters", all.items.len())) }
        });
        found.await.with_context(|| format!("{what} within {bound:?}"))
    }

    async fn apply(&self, count: usize) -> Result<()> {
        let clusters = self.clusters();
        let applied = futures::stream::iter(0..count).map(|index| {
            let clusters = &clusters;
            async move {
                let name = format!("iris-{index}");
                let params = PatchParams::apply(FIELD_MANAGER);
                clusters.patch(&name, &params, &Patch::Apply(iris_cluster(&name))).await.map(drop)
            }
        });
        let results: Vec<_> = applied.buffer_unordered(APPLY_AT_ONCE).collect().await;
        results.into_iter().collect::<Result<(), _>>().context("cannot apply the IrisClusters")
    }

    /// Waits until the last StatefulSet of each is there: it comes last.
    async fn wait_provisioned(&self, count: usize, start: Instant) -> Result<Duration> {
        let sets: Api<StatefulSet> = Api::namespaced(self.client.clone(), WORKED_ON);
        let gateways = ListParams::default().labels("intersystems.com/component=webgateway");
        eventually("a web gateway for each".to_owned(), ALL_READY, || async {
            let found = sets.list_metadata(&gateways).await.map_err(anyhow::Error::from)?.items.len();
            if found == count { Ok(()) } else { Err(anyhow::anyhow!("{found} of {count}")) }
        })
        .await?;
        Ok(start.elapsed())
    }

    async fn wait_ready(&self, count: usize, start: Instant) -> Result<Duration> {
        self.wait("all to be ready", ALL_READY, |all| {
            all.iter().filter(|one| is_ready(one)).count() == count
        })
        .await?;
        Ok(start.elapsed())
    }

    /// The hub's requests to the work cluster so far.
    fn requests(&self) -> Result<Vec<AuditEvent>> {
        let mut all = self.work.requests()?;
        let account = format!("system:serviceaccount:{NAMESPACE}:homebase");
        all.retain(|event| event.user == account);
        Ok(all)
    }

    async fn objects(&self) -> Result<BTreeMap<String, usize>> {
        Ok(BTreeMap::from([
            self.count::<StatefulSet>().await?,
            self.count::<Service>().await?,
            self.count::<ConfigMap>().await?,
            self.count::<Pod>().await?,
            self.count::<PersistentVolumeClaim>().await?,
        ]))
    }

    async fn count<K>(&self) -> Result<(String, usize)>
    where
        K: Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
            + Clone
            + std::fmt::Debug
            + DeserializeOwned,
    {
        let objects: Api<K> = Api::namespaced(self.client.clone(), WORKED_ON);
        let ours = ListParams::default().labels("intersystems.com/kind=IrisCluster");
        Ok((K::kind(&()).into_owned(), objects.list_metadata(&ours).await?.items.len()))
    }
}

fn is_ready(cluster: &IrisCluster) -> bool {
    let status = cluster.status.as_ref();
    let ready = status.and_then(|status| status.conditions.iter().find(|one| one.type_ == "Ready"));
    ready.is_some_and(|ready| ready.status == "True")
}

fn count(events: &[AuditEvent]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for event in events {
        let below = event.subresource.as_ref().map(|below| format!("/{below}")).unwrap_or_default();
        *counts.entry(format!("{} {}{below}", event.verb, event.resource)).or_default() += 1;
    }
    counts
}

/// A mirrored pair with an arbiter, compute and a web gateway: nine objects of the hub, and with pods and claims 22.
fn iris_cluster(name: &str) -> Value {
    let image = |name: &str| format!("containers.intersystems.com/intersystems/{name}:2025.1");
    json!({
        "apiVersion": "intersystems.com/v1alpha1", "kind": "IrisCluster",
        "metadata": {"name": name, "namespace": WORKED_ON},
        "spec": {"topology": {
            "data": {"image": image("iris"), "mirrored": true, "preferredZones": []},
            "arbiter": {"image": image("arbiter")},
            "compute": {"image": image("iris"), "replicas": 1, "ephemeral": true},
            "webgateway": {"image": image("webgateway"), "type": "apache", "replicas": 1, "ephemeral": true,
                "applicationPaths": ["/csp/user"]},
        }},
    })
}

/// The report in words, with figures per IrisCluster.
///
/// # Errors
/// If nothing was run.
pub fn describe(report: &Report, clusters: usize) -> Result<String> {
    if clusters == 0 {
        bail!("no IrisCluster was applied");
    }
    let Report { idle, loaded, applied, provisioned, ready, objects, requests, writes_at_rest } = report;
    let total: usize = requests.values().sum();
    let all: usize = objects.values().sum();
    let kib = loaded.resident_kib.saturating_sub(idle.resident_kib);
    let cpu = loaded.cpu_seconds - idle.cpu_seconds;
    let list = |map: &BTreeMap<String, usize>| {
        map.iter().map(|(what, count)| format!("  {what}: {count}")).collect::<Vec<_>>().join("\n")
    };
    Ok(format!(
        "{clusters} IrisClusters\n\
         applied after {:.1} s, every object of the hub there after {:.1} s, all ready after {:.1} s\n\
         objects: {all} ({:.1} for each)\n{}\n\
         requests of the hub: {total} ({:.1} for each)\n{}\n\
         hub: {idle} before\nhub: {loaded} after\n\
         per IrisCluster: {:.1} KiB, {:.1} ms of CPU\n\
         writes within {} s of rest: {writes_at_rest}\n",
        applied.as_secs_f64(),
        provisioned.as_secs_f64(),
        ready.as_secs_f64(),
        per(all, clusters),
        list(objects),
        per(total, clusters),
        list(requests),
        per(usize::try_from(kib)?, clusters),
        cpu * 1000.0 / per(clusters, 1),
        REST.as_secs(),
    ))
}

#[expect(clippy::cast_precision_loss, reason = "counts of a benchmark are far below 2^53")]
fn per(total: usize, count: usize) -> f64 {
    total as f64 / count as f64
}
