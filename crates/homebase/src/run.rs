//! The command `run`: starts the endpoints and the hub, and ends both on SIGTERM or SIGINT.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context as _;
use homebase_controller::metrics::Metrics;
use homebase_controller::operators::IrisWorkload;
use homebase_controller::{Hub, HubSettings};
use homebase_http::{Check, Health, HttpState};
use homebase_kube::claim::HubClaim;
use homebase_kube::home::home_client;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::home::{HomeObserver, prepare};
use crate::settings::Settings;

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

    let started = Started::default();
    let endpoints = homebase_http::serve(listener, endpoints(&started), stop.clone().cancelled_owned());
    let mut endpoints = tokio::spawn(endpoints);
    let mut hub = tokio::spawn(run_hub(settings, started, stop.clone()));
    let first = tokio::select! {
        _ = terminate.recv() => None,
        _ = interrupt.recv() => None,
        ended = &mut hub => Some(ended.context("the hub panicked").and_then(|outcome| outcome)),
        ended = &mut endpoints => Some(ended.context("the endpoints panicked").and_then(|outcome| Ok(outcome?))),
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

async fn run_hub(settings: Settings, started: Started, stop: CancellationToken) -> anyhow::Result<()> {
    let mut figures = Registry::default();
    let metrics = Metrics::register(&mut figures);
    let observed = metrics.clone();
    let home = home_client(settings.kubeconfig.as_deref(), |host| {
        Arc::new(HomeObserver { metrics: observed, host: host.to_owned() })
    })
    .await?;
    let identity = tokio::select! {
        () = stop.cancelled() => return Ok(()),
        identity = prepare(&home, &settings.namespace) => identity,
    };
    tracing::info!(hub_id = identity.hub_id, namespace = settings.namespace, "home cluster is ready");
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
        memory_per_cluster: settings.memory_per_cluster,
        memory_limit: crate::memory::limit(),
        insecure: settings.insecure,
    };
    let hub = Hub::new(hub_settings, Arc::new(workload), metrics, &mut figures);
    // It is set here and nowhere else, so it cannot have been set before.
    drop(started.set((hub.clone(), figures)));
    homebase_controller::run(hub, home, stop).await?;
    Ok(())
}

fn endpoints(started: &Started) -> HttpState {
    let (for_metrics, for_live, for_ready) = (started.clone(), started.clone(), started.clone());
    HttpState {
        metrics: Arc::new(move || {
            let mut page = String::new();
            match for_metrics.get() {
                Some((_, figures)) => encode(&mut page, figures)?,
                None => encode(&mut page, &Registry::default())?,
            }
            Ok(page)
        }),
        live: Arc::new(move || {
            let running = for_live.get().is_none_or(|(hub, _)| hub.is_running());
            check("hub", running, "its tasks have ended or make no progress")
        }),
        ready: Arc::new(move || {
            let synced = for_ready.get().is_some_and(|(hub, _)| hub.is_synced() && hub.is_running());
            check("home", synced, "the registrations in the home cluster have not been listed")
        }),
    }
}

fn check(name: &'static str, passes: bool, otherwise: &'static str) -> Health {
    Health(vec![Check { name, outcome: if passes { Ok(()) } else { Err(otherwise) } }])
}
