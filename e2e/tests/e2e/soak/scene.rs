//! The clusters of a soak and the script that is played on them: those of one cluster in their order, those of
//! different clusters side by side. It must not look at what comes of it.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use homebase_e2e::figures::Figures;
use homebase_testkit::{ControlPlane, target_dir};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::Api;

use super::lane::{Keys, Lane, name};
use super::model::{Cluster, Credentials, Event, Which};
use super::resources::namespace;
use super::script::{Settings, Step, TOKENS, script};
use crate::support::{Fleet, FleetBuilder, create_namespace, kubeconfig};

/// What is planted into credentials that cannot be used.
const CANARY: &str = "c4n4ry-of-the-soak-that-must-appear-nowhere";
/// A token whose `exp` is long over, signed by nobody.
const EXPIRED: &str = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJuYmYiOjE1MDAwMDAwMDAsImV4cCI6MTYwMDAwMDAwMCwic3ViIjoic29hayJ9.bm8tc2lnbmF0dXJlLW9mLWFueWJvZHktYnV0LW9mLXRoZS1yaWdodC1sb29r";
/// What takes the place of the end of a signature.
const FORGED: &str = "AAAAAAAAAAAAAAAA";
/// How often a long run says how far it is.
const PROGRESS: Duration = Duration::from_secs(15);

/// A run.
pub(super) struct Soak {
    pub(super) fleet: Fleet,
    pub(super) models: Vec<Cluster>,
    pub(super) keys: Vec<Keys>,
    /// What the hub held before the first registration.
    pub(super) baseline: Figures,
    settings: Settings,
    begun: Instant,
    history: String,
}

impl Soak {
    /// Starts everything, registers every cluster and waits until all are Ready.
    pub(super) async fn start(settings: Settings) -> Self {
        let Settings { seed, events, clusters, .. } = settings;
        println!(
            "soak: HOMEBASE_SOAK_SEED={seed} HOMEBASE_SOAK_EVENTS={events} HOMEBASE_SOAK_CLUSTERS={clusters}"
        );
        let begun = Instant::now();
        // The controller manager is needed for its garbage collector; pods are of no interest.
        let planes = (0..clusters).map(|index| ControlPlane::builder(name(index, Which::First)));
        let planes = planes.map(|plane| plane.scheduler(false).kwok(false));
        let builder = planes.fold(Fleet::builder("soak"), FleetBuilder::work);
        // It deregisters at random, which is no loss of the fleet.
        let fleet = builder.hub_arg("--fleet-brake=0").start().await;
        let baseline = Figures::of(fleet.hub()).await.unwrap();
        println!("soak: before the first registration: {baseline}");
        let mut keys = Vec::new();
        for (index, plane) in fleet.work.iter().enumerate() {
            create_namespace(plane, &namespace(plane)).await;
            keys.push(keys_of(&fleet, plane, index).await);
        }
        let models = vec![Cluster::registered(); clusters];
        let mut soak = Self { fleet, models, keys, baseline, settings, begun, history: String::new() };
        soak.on_all(|_| vec![(Event::Rotate(Which::First, Credentials::Valid(0)), Duration::ZERO)]).await;
        for index in 0..clusters {
            soak.fleet.wait_cluster_ready(&name(index, Which::First)).await;
        }
        println!("soak: every cluster is Ready after {:?}", begun.elapsed());
        soak
    }

    /// Plays the script.
    pub(super) async fn play(&mut self) {
        let (start, mut ends) = (Instant::now(), 0);
        let mut next: Vec<Vec<(Event, Duration)>> = vec![Vec::new(); self.models.len()];
        for step in script(self.settings) {
            match step {
                Step::Cluster(index, event, pause) => next[index].push((event, pause)),
                Step::HubEnds => {
                    self.on_all(|index| std::mem::take(&mut next[index])).await;
                    // One that was started only just now has nothing to tell yet.
                    if let Ok(figures) = Figures::of(self.fleet.hub()).await {
                        println!("soak: the hub is killed: {figures}");
                    }
                    self.fleet.spawn_hub().await;
                    ends += 1;
                }
            }
        }
        self.on_all(|index| std::mem::take(&mut next[index])).await;
        let path = self.history_path();
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &self.history).unwrap();
        println!(
            "soak: {} events, {ends} of them ends of the hub, in {:?}; what happened when is in {}",
            self.settings.events,
            start.elapsed(),
            path.display()
        );
    }

    /// Makes events happen on all clusters side by side, and leaves each cluster alone for a while after each.
    pub(super) async fn on_all(&mut self, mut events: impl FnMut(usize) -> Vec<(Event, Duration)>) {
        let secrets: Api<Secret> = self.fleet.registrations().await;
        let (keys, begun) = (self.keys.as_slice(), self.begun);
        let clusters = self.fleet.work.iter_mut().zip(&mut self.models).enumerate();
        let lanes = clusters.map(|(index, (plane, model))| {
            let (events, secrets) = (events(index), &secrets);
            async move {
                let mut lane = Lane { index, plane, secrets, model, keys };
                let mut history = Vec::new();
                for (event, pause) in events {
                    lane.play(&event).await;
                    history.push((begun.elapsed(), index, event));
                    // Load, not a wait for anything: people leave some time between what they do.
                    tokio::time::sleep(pause).await;
                }
                history
            }
        });
        let mut played = std::pin::pin!(futures::future::join_all(lanes));
        let mut ticks = tokio::time::interval(PROGRESS);
        let history = loop {
            tokio::select! {
                history = &mut played => break history,
                _ = ticks.tick() => eprintln!("soak: {} s", begun.elapsed().as_secs()),
            }
        };
        let mut history: Vec<_> = history.into_iter().flatten().collect();
        history.sort_by_key(|(when, _, _)| *when);
        for (when, index, event) in history {
            writeln!(self.history, "{:>9.3} soak-{index} {event:?}", when.as_secs_f64()).unwrap();
        }
    }

    fn history_path(&self) -> PathBuf {
        target_dir().join("soak").join(format!("{}.log", self.settings.seed))
    }
}

async fn keys_of(fleet: &Fleet, plane: &ControlPlane, index: usize) -> Keys {
    let mut valid = Vec::new();
    for _ in 0..TOKENS {
        valid.push(kubeconfig(plane).await);
    }
    let token_line = |line: &&str| line.trim_start().starts_with("token: ");
    let line = valid[0].lines().find(token_line).unwrap();
    let forged = format!("{}{FORGED}", &line[..line.len() - FORGED.len()]);
    let expired = line.split("token: ").next().unwrap().to_owned() + "token: " + EXPIRED;
    let keys = Keys {
        expired: valid[0].replace(line, &expired),
        refused: valid[0].replace(line, &forged),
        garbage: format!("neither: a\nkubeconfig: [{CANARY}"),
        // Every other cluster is named by its registrations, the rest are pinned on first contact.
        expected_uid: match index % 2 {
            0 => None,
            _ => Some(identity(plane).await),
        },
        valid,
    };
    fleet.keep_secret(CANARY);
    for text in keys.valid.iter().chain([&keys.expired, &keys.refused]) {
        fleet.keep_tokens_of(text);
    }
    keys
}

async fn identity(plane: &ControlPlane) -> String {
    let namespaces: Api<Namespace> = Api::all(plane.client().await.unwrap());
    namespaces.get("kube-system").await.unwrap().metadata.uid.unwrap()
}
