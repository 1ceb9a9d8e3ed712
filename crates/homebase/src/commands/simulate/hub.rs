//! The hub of a rehearsal: this very program, whose home is the scratch cluster and which operates that cluster too. It
//! gets the rights that a hub gets anywhere.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use homebase_core::{ClusterId, Namespaces};
use homebase_kube::apply::apply;
use homebase_planes::{POLL_INTERVAL, Process, Program, Watchdog};
use kube::{Client, Config, ResourceExt as _};

use super::super::Exit;
use super::super::access::{Account, Endpoint, secret};
use super::super::fleet::{Home, secret_name};
use super::super::grant::{FIELD_MANAGER, grant, request_token};
use super::super::values::Lifetime;
use super::super::wait::{Goal, wait};
use super::resource::create_namespace;

/// Where the account and the registration of a rehearsal are.
pub(super) const NAMESPACE: &str = "homebase-simulate";
/// Name of the account, and of the cluster in its fleet of one.
const NAME: &str = "simulate";
/// Longer than a rehearsal is left running.
const TOKEN_LIFETIME: &str = "24h";
/// From the start of the hub to a cluster that it operates: seconds, on a small machine many.
const READY: &str = "2m";

/// The hub's account on the cluster.
pub(super) fn account() -> Account {
    Account { namespace: NAMESPACE.to_owned(), name: NAME.to_owned(), watched: Namespaces::All, hub: None }
}

/// The cluster's name in the fleet.
pub(super) fn id() -> anyhow::Result<ClusterId> {
    NAME.parse().context("name the cluster")
}

/// Makes the account and the registration; returns the resourceVersion of the latter.
pub(super) async fn register(client: &Client, config: &Config, account: &Account) -> anyhow::Result<String> {
    let id = id()?;
    create_namespace(client, NAMESPACE).await?;
    grant(client, account).await?;
    let lifetime: Lifetime = TOKEN_LIFETIME.parse().context("read a duration")?;
    let token = request_token(client, account, lifetime).await?;
    let kubeconfig = Endpoint::new(config, None, None).kubeconfig(&id, token.expose())?;
    let object = secret(&secret_name(&id), NAMESPACE, kubeconfig, &account.watched);
    let written = apply(client, &object, FIELD_MANAGER).await.context("register the cluster")?;
    written.resource_version().context("the answer has no resourceVersion")
}

/// Starts the hub.
pub(super) fn start(kubeconfig: &Path, files: &Path, watchdog: &Arc<Watchdog>) -> anyhow::Result<Process> {
    let path = std::env::current_exe().context("find this program")?;
    let mut arguments = vec!["run".into(), "--kubeconfig".into(), kubeconfig.into()];
    for word in ["--namespace", NAMESPACE, "--http-address", "127.0.0.1:0", "--instance", NAME] {
        arguments.push(word.into());
    }
    // The addresses of pods that are played lead nowhere, or to somebody else: their mirrors are not asked.
    for word in ["--allow-loopback-destinations", "--mirror-interval", "0"] {
        arguments.push(word.into());
    }
    let program = Program {
        name: "homebase",
        path,
        arguments,
        environment: Vec::new(),
        log: files.join("hub.log"),
        stdout: None,
    };
    Process::start(&program, watchdog).context("start the hub")
}

/// Waits until the hub operates the cluster.
pub(super) async fn wait_ready(client: &Client, version: &str) -> anyhow::Result<()> {
    let home = Home { client: client.clone(), namespace: NAMESPACE.to_owned() };
    let bound: Lifetime = READY.parse().context("read a duration")?;
    let served = async {
        // The hub installs the kind that it shows clusters by.
        while home.work_clusters().await?.is_none() {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(bound.duration(), served)
        .await
        .with_context(|| format!("the hub has not begun within {bound}"))??;
    match wait(&home, &id()?, version, Goal::Ready, bound).await? {
        Exit::Success => Ok(()),
        _ => bail!("the hub does not operate the cluster"),
    }
}
