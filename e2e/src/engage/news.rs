//! What the hub shows of each cluster, by one watch for all of them: a benchmark that polls would measure its own
//! requests. It must not write anything.

use std::collections::HashMap;
use std::pin::pin;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use futures::StreamExt as _;
use homebase_api::WorkCluster;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{Config, Event, watcher};
use kube::{Api, Client, ResourceExt as _};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What is shown of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Shown {
    /// Whether there is a `WorkCluster`.
    pub(super) exists: bool,
    /// Whether it is Ready.
    pub(super) is_ready: bool,
    /// The registration that it speaks of.
    pub(super) secret_uid: Option<String>,
    /// The condition Ready in words.
    why: String,
}

impl Shown {
    fn of(found: &WorkCluster) -> Self {
        let status = found.status.as_ref();
        let ready = status.and_then(|status| status.conditions.iter().find(|one| one.type_ == "Ready"));
        Self {
            exists: true,
            is_ready: ready.is_some_and(|ready| ready.status == "True"),
            secret_uid: status
                .and_then(|status| status.observed_secret.as_ref())
                .map(|secret| secret.uid.clone()),
            why: ready.map(|ready| format!("{}: {}", ready.reason, ready.message)).unwrap_or_default(),
        }
    }
}

/// The news of all clusters; the watch ends with it.
pub(super) struct News {
    shown: HashMap<String, watch::Receiver<Shown>>,
    _watch: JoinSet<()>,
}

impl News {
    /// Watches these clusters from now on.
    pub(super) fn start(client: Client, namespace: &str, names: impl Iterator<Item = String>) -> Self {
        let (mut senders, mut shown) = (HashMap::new(), HashMap::new());
        for name in names {
            let (sender, receiver) = watch::channel(Shown::default());
            senders.insert(name.clone(), sender);
            shown.insert(name, receiver);
        }
        let clusters: Api<WorkCluster> = Api::namespaced(client, namespace);
        let mut running = JoinSet::new();
        running.spawn(async move {
            // What a listing no longer has was deleted meanwhile; a run on this machine has no reason to list twice.
            let mut events = pin!(watcher(clusters, Config::default()).default_backoff());
            while let Some(event) = events.next().await {
                let (name, now) = match event {
                    Ok(Event::Apply(found) | Event::InitApply(found)) => {
                        (found.name_any(), Shown::of(&found))
                    }
                    Ok(Event::Delete(found)) => (found.name_any(), Shown::default()),
                    Ok(Event::Init | Event::InitDone) | Err(_) => continue,
                };
                if let Some(sender) = senders.get(&name) {
                    sender.send_replace(now);
                }
            }
        });
        Self { shown, _watch: running }
    }

    /// Waits until `check` holds of a cluster.
    pub(super) async fn wait(
        &self,
        name: &str,
        bound: Duration,
        wanted: &str,
        check: impl Fn(&Shown) -> bool,
    ) -> Result<()> {
        let mut shown = self.shown.get(name).with_context(|| format!("{name} is not watched"))?.clone();
        let last = shown.clone();
        match tokio::time::timeout(bound, shown.wait_for(check)).await {
            Ok(found) => found.map(drop).context("the watch of WorkClusters has ended"),
            Err(_) => bail!("{name} is not {wanted} after {bound:?}; last seen: {:?}", *last.borrow()),
        }
    }
}
