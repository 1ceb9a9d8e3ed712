//! Clusters that are registered and deregistered over and over, and what the hub holds after each round of it. It runs
//! on real control planes and must not look into the hub: Secrets go in, `WorkCluster`s and `/metrics` come out.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use homebase_testkit::{ControlPlane, HubProcess, eventually, start_many};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, DeleteParams, PostParams};
use serde_json::{Value, json};

use crate::figures::Figures;
use crate::setup::{NAMESPACE, create_namespace, registration};

pub mod judgement;
mod news;

use judgement::Sample;
use news::{News, Shown};

/// The namespace on each work cluster in which the hub has something to do.
const WORKED_ON: &str = "engage";
const FIELD_MANAGER: &str = "homebase-e2e-engage";
/// Longer than any run.
const TOKEN_LIFETIME: Duration = Duration::from_secs(24 * 3600);
/// Its home watch is all that the hub's readiness waits for.
const HUB_READY: Duration = Duration::from_secs(60);
/// From a Secret to Ready, or from its deletion to nothing: a tenth of a second each on an idle machine.
const TURN: Duration = Duration::from_secs(90);
/// How long what the hub holds may take to go back after a round: connections are closed by their peers' answers.
const REST: Duration = Duration::from_secs(20);

/// What to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// How often a cluster is registered and deregistered, over all clusters.
    pub cycles: usize,
    /// Clusters that this is done with side by side.
    pub clusters: usize,
    /// Cycles from one look at the hub to the next.
    pub round: usize,
    /// The hub's binary; none for the one that the testkit finds.
    pub hub: Option<PathBuf>,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Report {
    /// What the hub held before the first registration.
    pub baseline: Figures,
    /// What it held after each round, with no cluster registered.
    pub samples: Vec<Sample>,
}

/// Runs all of it; `told` hears of each sample. Everything is stopped when this returns.
///
/// # Errors
/// If something cannot be started, or a cluster does not come or go in time.
pub async fn run(options: &Options, mut told: impl FnMut(&Sample)) -> Result<Report> {
    let bench = Bench::start(options).await?;
    let baseline = Figures::of(&bench.hub).await?;
    bench.prepare().await?;
    let start = Instant::now();
    let (mut done, mut samples) = (0, Vec::new());
    while done < options.cycles {
        let round = options.round.max(1).min(options.cycles - done);
        bench.round(round).await?;
        done += round;
        let elapsed = start.elapsed();
        let sample = Sample { cycles: done, elapsed, figures: bench.rest(&baseline).await? };
        told(&sample);
        samples.push(sample);
    }
    Ok(Report { baseline, samples })
}

/// The control planes, the hub, and what is registered over and over.
struct Bench {
    // The hub is dropped first: it would tell of apiservers that are gone.
    hub: HubProcess,
    secrets: Api<Secret>,
    news: News,
    clusters: Vec<Candidate>,
    _home: ControlPlane,
}

struct Candidate {
    name: String,
    kubeconfig: String,
    plane: ControlPlane,
}

impl Bench {
    async fn start(options: &Options) -> Result<Self> {
        if options.clusters == 0 {
            bail!("at least one cluster is needed");
        }
        // The hub itself removes the `WorkCluster` of a registration that is gone, so no garbage collector is needed
        // at home, and its absence means that a `WorkCluster` goes when the session has ended and not before.
        let names = (0..options.clusters).map(|number| format!("engage-{number}"));
        let builders = std::iter::once("engage-home".to_owned()).chain(names);
        let builders = builders.map(|name| ControlPlane::builder(name).api_only());
        let mut planes = start_many(builders).await?.into_iter();
        let home = planes.next().context("no home cluster was started")?;
        create_namespace(&home, NAMESPACE, FIELD_MANAGER).await?;
        let mut clusters = Vec::new();
        for plane in planes {
            let kubeconfig = plane
                .kubeconfig_for_service_account(NAMESPACE, "homebase", Some("cluster-admin"), TOKEN_LIFETIME)
                .await?;
            clusters.push(Candidate { name: plane.name().to_owned(), kubeconfig, plane });
        }
        let mut hub = HubProcess::builder("engage-hub", home.admin_kubeconfig())
            .namespace(NAMESPACE)
            // It deregisters all clusters at once, over and over.
            .arg("--fleet-brake=0")
            .arg("--allow-loopback-destinations");
        if let Some(binary) = &options.hub {
            hub = hub.binary(binary);
        }
        let mut hub = hub.start().await?;
        hub.wait_ready(HUB_READY).await?;
        let client = home.client().await?;
        let news = News::start(client.clone(), NAMESPACE, clusters.iter().map(|one| one.name.clone()));
        Ok(Self { hub, secrets: Api::namespaced(client, NAMESPACE), news, clusters, _home: home })
    }

    /// Engages each cluster once, so that its CRDs are there, and gives the hub something to do on it.
    async fn prepare(&self) -> Result<()> {
        for candidate in &self.clusters {
            self.cycle(candidate).await?;
            create_namespace(&candidate.plane, WORKED_ON, FIELD_MANAGER).await?;
            candidate.plane.apply(&iris().to_string()).await?;
        }
        Ok(())
    }

    /// Shares a number of cycles out over the clusters.
    async fn round(&self, cycles: usize) -> Result<()> {
        let lanes = self.clusters.iter().enumerate().map(|(index, candidate)| async move {
            let share = cycles / self.clusters.len() + usize::from(index < cycles % self.clusters.len());
            for _ in 0..share {
                self.cycle(candidate).await?;
            }
            anyhow::Ok(())
        });
        futures::future::try_join_all(lanes).await.map(drop)
    }

    async fn cycle(&self, candidate: &Candidate) -> Result<()> {
        let name = &candidate.name;
        let secret = registration(name, &candidate.kubeconfig);
        let made = self.secrets.create(&PostParams::default(), &secret).await;
        let made = made.with_context(|| format!("cannot register {name}"))?;
        let uid = made.metadata.uid.unwrap_or_default();
        let is_ready = |shown: &Shown| shown.is_ready && shown.secret_uid.as_ref() == Some(&uid);
        self.news.wait(name, TURN, "Ready", is_ready).await?;
        let deleted = self.secrets.delete(name, &DeleteParams::default()).await;
        deleted.with_context(|| format!("cannot deregister {name}"))?;
        self.news.wait(name, TURN, "gone", |shown| !shown.exists).await
    }

    /// What the hub holds once nothing is registered: at the latest when its time to close connections is over.
    async fn rest(&self, baseline: &Figures) -> Result<Figures> {
        let mut last = Figures::of(&self.hub).await?;
        let at_rest = eventually("the hub holds no more than before", REST, || async {
            let now = Figures::of(&self.hub).await?;
            now.beyond(baseline).map_or(Ok(now), |more| Err(anyhow::anyhow!(more)))
        });
        // That it does not is for the judgement to say, with its figures.
        match at_rest.await {
            Ok(now) => last = now,
            Err(_) => last = Figures::of(&self.hub).await.unwrap_or(last),
        }
        Ok(last)
    }
}

fn iris() -> Value {
    json!({
        "apiVersion": "test.myardyas.club/v1alpha1", "kind": "Iris",
        "metadata": {"name": "app", "namespace": WORKED_ON},
        "spec": {"deploymentName": "app", "replicas": 1},
    })
}
