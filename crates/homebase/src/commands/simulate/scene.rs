//! The scratch cluster with everything that was started or made for a rehearsal, so that all of it can be taken away
//! again, whenever that is asked for. It decides nothing about the topology.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use homebase_planes::{ControlPlane, Layout, POLL_INTERVAL, Process, Tools, Watchdog, tail};
use kube::Client;

use super::super::access::Account;
use super::super::connect;
use super::super::output::tell;
use super::clean::{self, Faults};
use super::directory::Directory;
use super::given::{self, Made};
use super::hub;
use super::resource;
use super::subject::Subject;
use crate::arguments::SimulateArguments;

/// Where tools lie below the current directory, as `cargo xtask control-planes build` leaves them.
const TOOLS_DIRECTORY: &str = "target/tools";

/// All that there is. The order of the fields is that in which they end: first who writes, then whom it writes to, then
/// the files.
#[derive(Default)]
pub(super) struct Scene {
    hub: Option<Process>,
    kwok: Option<Process>,
    plane: Option<ControlPlane>,
    /// Kills what is left if we are killed.
    watchdog: Option<Arc<Watchdog>>,
    directory: Option<Directory>,
    kubeconfig: PathBuf,
    client: Option<Client>,
    account: Option<Account>,
    /// What was made; on a cluster that is not ours it is deleted.
    made: Option<Made>,
}

impl Scene {
    pub(super) fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    pub(super) fn client(&self) -> anyhow::Result<&Client> {
        self.client.as_ref().context("there is no cluster yet")
    }

    /// Finds or starts the cluster, with nodes in the zones of the spec.
    pub(super) async fn set(
        &mut self,
        arguments: &SimulateArguments,
        subject: &Subject,
    ) -> anyhow::Result<()> {
        let directory = Directory::create()?;
        let files = directory.path().to_owned();
        self.directory = Some(directory);
        self.watchdog = Some(Arc::new(Watchdog::start(Some(&files))?));
        let (zones, count) = (subject.zones.join(", "), subject.nodes_per_zone);
        match &arguments.kubeconfig {
            None => {
                tell(&format!("starting a control plane with {count} nodes each in {zones}"));
                let plane = ControlPlane::builder("simulate")
                    .zones(subject.zones.clone())
                    .nodes_per_zone(count)
                    .storage_classes(subject.storage_classes.clone())
                    .tools(tools(arguments)?)
                    .dir(files.join("plane"));
                let plane = plane.start().await.context("start a control plane")?;
                self.kubeconfig = plane.admin_kubeconfig_path();
                self.plane = Some(plane);
                self.client = Some(self.connect().await?);
            }
            Some(kubeconfig) => {
                self.kubeconfig.clone_from(kubeconfig);
                let client = self.connect().await?;
                self.client = Some(client.clone());
                given::check(&client, subject, arguments.on_a_cluster_in_use).await?;
                let before = clean::policies(&client).await?;
                let made = self.made.insert(Made { policies_before: before, ..Made::default() });
                let missing = given::zones_without_nodes(&client, &subject.zones).await?;
                if !missing.is_empty() {
                    let layout = Layout::at(files.join("kwok"));
                    layout.create()?;
                    tell(&format!("making {count} nodes each in {}", missing.join(", ")));
                    let watchdog = self.watchdog.as_ref().context("there is no watchdog")?;
                    let player = given::Player { tools: tools(arguments)?, kubeconfig, layout, watchdog };
                    self.kwok = given::make_nodes(&client, player, &missing, count, made).await?;
                }
            }
        }
        Ok(())
    }

    async fn connect(&self) -> anyhow::Result<Client> {
        let config = connect::load(Some(&self.kubeconfig), None).await.context("find the scratch cluster")?;
        connect::client(&config).context("reach the scratch cluster")
    }

    /// Starts this program as a hub at home on the cluster, registers the cluster with it, and waits until it operates
    /// it.
    pub(super) async fn start_hub(&mut self) -> anyhow::Result<()> {
        let client = self.client()?.clone();
        let config = connect::load(Some(&self.kubeconfig), None).await.context("find the scratch cluster")?;
        connect::check_usable(&config)?;
        let files = self.directory.as_ref().context("there is no directory")?.path().to_owned();
        let account = self.account.insert(hub::account());
        tell("starting the hub and registering the cluster with it");
        let version = hub::register(&client, &config, account).await?;
        let watchdog = self.watchdog.as_ref().context("there is no watchdog")?;
        self.hub = Some(hub::start(&self.kubeconfig, &files, watchdog)?);
        tokio::select! {
            ready = Box::pin(hub::wait_ready(&client, &version)) => ready,
            why = self.first_end() => bail!("{why}"),
        }
        .map_err(|error| match self.hub.as_ref() {
            Some(hub) => error.context(format!("the log of the hub ends with:\n{}", tail(hub.log()))),
            None => error,
        })
    }

    /// Makes the resource with its companions. A companion that is there is used as it is.
    pub(super) async fn apply(&mut self, subject: &Subject) -> anyhow::Result<()> {
        let client = self.client()?.clone();
        tell(&format!("applying {}/{}", subject.namespace, subject.name));
        resource::create_namespace(&client, &subject.namespace).await?;
        let objects = &mut self.made.get_or_insert_default().objects;
        for companion in &subject.companions {
            if !objects.create(&client, companion).await? {
                let (kind, name) = (companion["kind"].as_str(), companion["metadata"]["name"].as_str());
                let (kind, name) = (kind.unwrap_or_default(), name.unwrap_or_default());
                tell(&format!("note: {kind} {name} is there already: it is used as it is, and stays"));
            }
        }
        if !objects.create(&client, &subject.resource).await? {
            bail!("IrisCluster {}/{} is there already: it stays as it is", subject.namespace, subject.name);
        }
        Ok(())
    }

    /// Resolves when something ends that should run; why, in words.
    pub(super) async fn first_end(&self) -> String {
        let watched: Vec<_> = [&self.hub, &self.kwok].into_iter().flatten().collect();
        loop {
            for process in &watched {
                if !process.is_running() {
                    let (name, log) = (process.name(), tail(process.log()));
                    return format!("{name} has ended by itself; its log ends with:\n{log}");
                }
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Takes everything away. What is ours ends with us; from another cluster what was made there is deleted.
    pub(super) async fn clean(mut self) -> anyhow::Result<()> {
        let mut faults = Faults::default();
        if let (None, Some(made), Some(client)) = (&self.plane, &self.made, &self.client) {
            // While the hub still works.
            faults.part("delete the resource", clean::objects(&made.objects)).await;
            faults.part("wait until its pods are gone", clean::pods(client, &made.objects)).await;
            if let Some(account) = &self.account {
                let registration = clean::registration(client);
                faults.part("delete the registration, and with it the WorkCluster", registration).await;
                faults.part("delete the hub's account", clean::account(client, account)).await;
                // From here on nobody claims anything again.
                self.hub = None;
                let claims = clean::claims(client, &made.policies_before);
                faults.part("take the hub's claim from the cluster", claims).await;
            }
            faults.part("delete nodes", clean::objects(&made.nodes)).await;
            tell(&format!(
                "CRDs, namespaces and volume claims stay: Homebase deletes none of them. These are {}, and the namespace \
                 {} with that of the resource",
                clean::crd_names().join(", "),
                hub::NAMESPACE
            ));
        }
        // Now the processes, in the order of the fields.
        drop(self);
        faults.result()
    }
}

fn tools(arguments: &SimulateArguments) -> anyhow::Result<Tools> {
    let named = arguments.assets.clone();
    let variable = || std::env::var_os(homebase_planes::ASSETS_VARIABLE).map(PathBuf::from);
    let directories: Vec<PathBuf> = match named {
        Some(directory) => vec![directory],
        None => variable().into_iter().chain([PathBuf::from(TOOLS_DIRECTORY)]).collect(),
    };
    Tools::locate_in(&directories)
        .context("find the programs of a control plane: name their directory with --assets")
}
