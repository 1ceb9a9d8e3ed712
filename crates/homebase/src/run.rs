//! The command `run`: starts the endpoints and the hub, and ends both on SIGTERM or SIGINT. A hub that has lost its Lease
//! ends the process, and its supervisor starts it again.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context as _;
use homebase_controller::home::{Contact, HomeHealth};
use homebase_controller::lease::LeaseKeeper;
use homebase_controller::metrics::Metrics;
use homebase_controller::operators::IrisWorkload;
use homebase_controller::{Hub, HubSettings};
use homebase_http::{Check, Health, HttpState};
use homebase_kube::claim::HubClaim;
use homebase_kube::gate::WriteGate;
use homebase_kube::home::{HomeAccess, find_home};
use homebase_kube::lease::Holder;
use homebase_kube::rotating::ClientSlot;
use kube::Client;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::home::{HomeObserver, HubIdentity, identify, install};
use crate::process;
use crate::settings::Settings;

#[cfg(test)]
mod tests;

/// How long everything may take to end after a signal: less than the 30 s that Kubernetes gives a pod.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);

/// The hub, once it has begun; the endpoints answer before.
type Started = Arc<OnceLock<(Arc<Hub>, Registry)>>;

pub(crate) async fn run(settings: Settings) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    let listener = TcpListener::bind(settings.http_address)
        .await
        .with_context(|| format!("listen on --http-address {}", settings.http_address))?;
    let address = listener.local_addr().context("read the address of the endpoints")?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), %address, "listening");

    let (started, early) = (Started::default(), Early::new());
    let mut endpoints = serve_apart(listener, endpoints(&early, &started), stop.clone())?;
    let mut hub = tokio::spawn(run_hub(settings, early, started, stop.clone()));
    let first = tokio::select! {
        _ = terminate.recv() => None,
        _ = interrupt.recv() => None,
        ended = &mut hub => Some(ended.context("the hub panicked").and_then(|outcome| outcome)),
        ended = &mut endpoints => Some(ended.context("the endpoints panicked").and_then(|outcome| outcome)),
    };
    tracing::info!("stopping");
    stop.cancel();
    if let Some(outcome) = first {
        return outcome.and_then(|()| anyhow::bail!("a part of the hub ended by itself"));
    }
    let ended = async {
        hub.await.context("the hub panicked")??;
        endpoints.await.context("the endpoints panicked")??;
        anyhow::Ok(())
    };
    tokio::time::timeout(STOP_TIMEOUT, ended).await.context("stop in time")??;
    tracing::info!("stopped");
    Ok(())
}

/// Serves on a thread with a runtime of its own, so that a probe shares no thread, queue or pool with the work for clusters.
fn serve_apart(
    listener: TcpListener,
    state: HttpState,
    stop: CancellationToken,
) -> anyhow::Result<oneshot::Receiver<anyhow::Result<()>>> {
    let listener = listener.into_std().context("set up the endpoints")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("start the runtime of the endpoints")?;
    let (ended, receiver) = oneshot::channel();
    let serve = move || {
        let outcome = runtime.block_on(async {
            let listener = TcpListener::from_std(listener).context("set up the endpoints")?;
            homebase_http::serve(listener, state, stop.cancelled_owned()).await?;
            anyhow::Ok(())
        });
        // A scrape that is being made for nobody does not hold up the end.
        runtime.shutdown_background();
        drop(ended.send(outcome));
    };
    std::thread::Builder::new().name("http".to_owned()).spawn(serve).context("start the endpoints")?;
    Ok(receiver)
}

async fn run_hub(
    settings: Settings,
    early: Early,
    started: Started,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let Early { metrics, figures, health } = early;
    let observed = metrics.clone();
    let HomeAccess { slot, reload } = find_home(settings.kubeconfig.as_deref(), |host| {
        Arc::new(HomeObserver { metrics: observed, host: host.to_owned() })
    })
    .await?;
    let mut reload = tokio::spawn(reload.run());
    let work = lead(settings, slot, (metrics, figures, health), started, stop);
    let outcome = tokio::select! {
        outcome = work => outcome,
        ended = &mut reload => ended.context("the task that reads the home credentials ended"),
    };
    reload.abort();
    outcome
}

/// Waits for the Lease of the namespace, works while it is held, and gives it back.
async fn lead(
    settings: Settings,
    slot: ClientSlot,
    (metrics, figures, health): (Arc<Metrics>, Registry, Arc<HomeHealth>),
    started: Started,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let (home, gate) = (slot.client(), WriteGate::closed());
    let identity = tokio::select! {
        () = stop.cancelled() => return Ok(()),
        identity = identify(&home, &settings.namespace, &health) => identity,
    };
    let (process, pod_uid) = process::describe();
    let holder = Holder {
        instance: settings.instance.clone(),
        term: format!("{:016x}", fastrand::u64(..)),
        hub: identity.mark.clone(),
        process,
        pod_uid,
    };
    let is_gone = Arc::new(process::is_gone);
    let mut keeper = LeaseKeeper::new(home, &settings.namespace, holder, is_gone, gate.clone(), health);
    tokio::select! {
        () = stop.cancelled() => return Ok(()),
        () = keeper.acquire() => {}
    }
    tracing::info!(hub_id = identity.hub_id, namespace = settings.namespace, "home cluster is ready");
    let home = slot.client_behind(gate.clone());
    let work = work(settings, identity, home, gate, (metrics, figures), started, stop);
    tokio::select! {
        // What runs is dropped with its tasks, and the gate is shut: nothing more is written.
        lost = keeper.keep() => return Err(lost.into()),
        outcome = work => outcome?,
    }
    // Only now: a hub that takes it must find that this one has stopped.
    keeper.release().await;
    Ok(())
}

async fn work(
    settings: Settings,
    identity: HubIdentity,
    home: Client,
    gate: WriteGate,
    (metrics, mut figures): (Arc<Metrics>, Registry),
    started: Started,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    tokio::select! {
        () = stop.cancelled() => return Ok(()),
        () = install(&home, &identity) => {}
    }
    let claim = HubClaim { id: identity.hub_id, take_over: settings.take_over };
    let workload = IrisWorkload { hub: Arc::new(claim), mirror_interval: settings.mirror_interval };
    let hub_settings = HubSettings {
        namespace: settings.namespace,
        instance: settings.instance,
        field_manager: identity.field_manager,
        destinations: settings.destinations,
        limits: settings.limits,
        conventions: settings.conventions,
        fleet_brake: settings.fleet_brake,
        max_object_series: settings.max_object_series,
        memory_per_cluster: settings.memory_per_cluster,
        memory_limit: crate::memory::limit(),
        insecure: settings.insecure,
        gate,
    };
    let hub = Hub::new(hub_settings, Arc::new(workload), metrics, &mut figures);
    // It is set here and nowhere else, so it cannot have been set before.
    drop(started.set((hub.clone(), figures)));
    homebase_controller::run(hub, home, stop).await?;
    Ok(())
}

/// What is there before the hub begins.
struct Early {
    metrics: Arc<Metrics>,
    figures: Registry,
    health: Arc<HomeHealth>,
}

impl Early {
    fn new() -> Self {
        let mut figures = Registry::default();
        let metrics = Metrics::register(&mut figures);
        let health = HomeHealth::new(metrics.clone());
        Self { metrics, figures, health }
    }
}

fn endpoints(early: &Early, started: &Started) -> HttpState {
    let (for_metrics, for_live, for_ready) = (started.clone(), started.clone(), started.clone());
    let (metrics, health) = (early.metrics.clone(), early.health.clone());
    HttpState {
        metrics: Arc::new(move || {
            let mut page = String::new();
            match for_metrics.get() {
                Some((_, figures)) => encode(&mut page, figures)?,
                None => encode(&mut page, &metrics.of_home())?,
            }
            Ok(page)
        }),
        // It depends on nothing outside of the process: a restart is no help against a home cluster that is away.
        live: Arc::new(move || {
            let running = for_live.get().is_none_or(|(hub, _)| hub.is_running());
            let outcome =
                if running { Ok(None) } else { Err("its tasks have ended or make no progress".into()) };
            Health(vec![Check { name: "hub", outcome }])
        }),
        ready: Arc::new(move || {
            let synced = for_ready.get().is_some_and(|(hub, _)| hub.is_synced() && hub.is_running());
            readiness(&health.contact(), health.other(), synced)
        }),
    }
}

/// What `/readyz` says. A hub that has once listed the registrations is not ready only while its home refuses it.
fn readiness(contact: &Contact, other: Option<String>, synced: bool) -> Health {
    let words = contact.words();
    let home = match words {
        Some(words) if !synced || !contact.is_ready() => Err(words.into()),
        words => Ok(words),
    };
    let hub = match other {
        Some(holder) => {
            Err(format!("another hub, {holder}, works in this namespace; this one stands by").into())
        }
        None if synced => Ok(None),
        None => Err("the registrations in the home cluster have not been listed".into()),
    };
    Health(vec![Check { name: "home", outcome: home }, Check { name: "registrations", outcome: hub }])
}
