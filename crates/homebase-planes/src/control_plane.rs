//! Starting control planes: what a plane shall be, and the order in which it
//! comes up. It must not leave anything running when a start fails.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::components::{Component, Settings, write_egress, write_static_files};
use crate::kubeconfig::{self, Credential};
use crate::layout::{Layout, write_private};
use crate::pki::{self, Authority};
use crate::plane::{ControlPlane, POLL_INTERVAL};
use crate::ports::free_port;
use crate::{Error, Result, Tools, nodes};

/// A start needs 0.3 s for etcd; a loaded two-core machine many times that.
pub(crate) const ETCD_READY: Duration = Duration::from_secs(30);
/// Somebody else took a chosen port in the short time before its bind. Twice in
/// a row is bad luck, three times is something else.
const MAX_STARTS: u32 = 3;
/// A start is bound by CPU: more at once on a small machine only makes each of
/// them slow enough to time out.
const STARTS_AT_ONCE: usize = 4;

/// What acts on the API; each needs a user of its own.
const CONTROLLERS: [Component; 3] = [Component::ControllerManager, Component::Scheduler, Component::Kwok];

/// What a control plane shall be. By default it runs every component, with
/// nodes only when zones are given, and no audit log.
#[derive(Debug, Clone)]
#[must_use]
pub struct Builder {
    name: String,
    zones: Vec<String>,
    nodes_per_zone: usize,
    storage_classes: Vec<String>,
    controllers: BTreeSet<Component>,
    tools: Option<Tools>,
    audit_log: bool,
    durable: bool,
    keep_logs: bool,
    dir: Option<PathBuf>,
    pod_proxy: Option<PathBuf>,
}

impl ControlPlane {
    /// Describes a control plane. The name may hold a–z, 0–9 and `-`.
    pub fn builder(name: impl Into<String>) -> Builder {
        Builder {
            name: name.into(),
            zones: Vec::new(),
            nodes_per_zone: 1,
            storage_classes: Vec::new(),
            controllers: BTreeSet::from(CONTROLLERS),
            tools: None,
            audit_log: false,
            durable: false,
            keep_logs: false,
            dir: None,
            pod_proxy: None,
        }
    }
}

impl Builder {
    /// Makes KWOK nodes in these zones; none by default.
    pub fn zones<Zone: Into<String>>(mut self, zones: impl IntoIterator<Item = Zone>) -> Self {
        self.zones = zones.into_iter().map(Into::into).collect();
        self
    }

    /// How many nodes each zone has; one by default. Each takes 500 pods.
    pub fn nodes_per_zone(mut self, count: usize) -> Self {
        self.nodes_per_zone = count;
        self
    }

    /// Storage classes beside the default one that KWOK is to provision, by name.
    pub fn storage_classes(mut self, names: impl IntoIterator<Item = String>) -> Self {
        self.storage_classes = names.into_iter().filter(|name| name != nodes::STORAGE_CLASS).collect();
        self
    }

    /// Only etcd and the apiserver: an API without controllers, for tests that
    /// need many planes or no pods.
    pub fn api_only(self) -> Self {
        self.controller_manager(false).scheduler(false).kwok(false)
    }

    /// Whether the built-in controllers run.
    pub fn controller_manager(self, wanted: bool) -> Self {
        self.controller(Component::ControllerManager, wanted)
    }

    /// Whether the scheduler runs.
    pub fn scheduler(self, wanted: bool) -> Self {
        self.controller(Component::Scheduler, wanted)
    }

    /// Whether KWOK runs.
    pub fn kwok(self, wanted: bool) -> Self {
        self.controller(Component::Kwok, wanted)
    }

    fn controller(mut self, controller: Component, wanted: bool) -> Self {
        if wanted {
            self.controllers.insert(controller);
        } else {
            self.controllers.remove(&controller);
        }
        self
    }

    /// Programs other than those that `Tools::locate` finds.
    pub fn tools(mut self, tools: Tools) -> Self {
        self.tools = Some(tools);
        self
    }

    /// Whether writes are logged (`ControlPlane::write_requests_since`).
    pub fn audit_log(mut self, wanted: bool) -> Self {
        self.audit_log = wanted;
        self
    }

    /// Whether etcd syncs to disk, which tests that kill etcd need.
    pub fn durable(mut self, wanted: bool) -> Self {
        self.durable = wanted;
        self
    }

    /// Whether the directory stays when the plane is stopped; it always does
    /// when the test panics.
    pub fn keep_logs(mut self, wanted: bool) -> Self {
        self.keep_logs = wanted;
        self
    }

    /// Where the plane's files lie; a directory of its own below the target
    /// directory by default. What is in it is removed.
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    /// The socket of an HTTP CONNECT proxy by which the apiserver reaches pods, as where nodes are behind a tunnel. By
    /// default it dials their addresses, at which nobody is. The path has 107 bytes at most.
    pub fn pod_proxy(mut self, socket: impl Into<PathBuf>) -> Self {
        self.pod_proxy = Some(socket.into());
        self
    }

    /// Starts the plane and waits until it can be used.
    ///
    /// # Errors
    /// With the name of the component that failed and the end of its log.
    pub async fn start(self) -> Result<ControlPlane> {
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if self.name.is_empty() || !self.name.chars().all(is_plain) {
            return Err(Error::Name { name: self.name });
        }
        let tools = self.tools.clone().map_or_else(Tools::locate, Ok)?;
        let mut starts = 1;
        loop {
            match self.start_once(&tools).await {
                Err(error) if error.is_port_taken() && starts < MAX_STARTS => starts += 1,
                result => return result,
            }
        }
    }

    async fn start_once(&self, tools: &Tools) -> Result<ControlPlane> {
        let layout = match &self.dir {
            Some(dir) => Layout::at(dir.clone()),
            None => Layout::unique(&self.name),
        };
        layout.create()?;
        let settings = Settings {
            tools: tools.clone(),
            layout,
            etcd_port: free_port()?,
            apiserver_port: free_port()?,
            storage_classes: self.storage_classes.len(),
            controller_manager: self.controllers.contains(&Component::ControllerManager),
            audit_log: self.audit_log,
            durable: self.durable,
            pod_proxy: self.pod_proxy.clone(),
        };
        let (authority, admin) = self.write_files(&settings)?;
        let mut plane = ControlPlane::assemble(&self.name, settings, authority, admin)?;

        plane.start_component(Component::Etcd)?;
        plane.wait_etcd(ETCD_READY).await?;
        plane.start_component(Component::Apiserver)?;
        plane.wait_apiserver().await?;
        for component in &self.controllers {
            plane.start_component(*component)?;
        }
        self.populate(&mut plane).await?;
        plane.keep_logs(self.keep_logs);
        Ok(plane)
    }

    /// Writes certificates, kubeconfigs and settings; returns the authority
    /// and the kubeconfig of the test itself.
    fn write_files(&self, settings: &Settings) -> Result<(Authority, String)> {
        let layout = &settings.layout;
        let authority = Authority::generate(&self.name)?;
        let serving = authority.serving()?;
        write_private(&layout.authority(), authority.certificate())?;
        write_private(&layout.serving_certificate(), &serving.certificate)?;
        write_private(&layout.serving_key(), &serving.key)?;
        let tokens = pki::service_account_key()?;
        write_private(&layout.service_account_key(), &tokens.private)?;
        write_private(&layout.service_account_public_key(), &tokens.public)?;
        write_static_files(layout, &self.storage_classes)?;
        if let Some(socket) = &self.pod_proxy {
            write_egress(layout, socket)?;
        }

        let render = |user: &str| -> Result<String> {
            let identity = authority.client(user)?;
            let credential = Credential::Certificate(&identity);
            let text = kubeconfig::render(
                &self.name,
                &settings.apiserver_url(),
                authority.certificate(),
                credential,
            );
            write_private(&layout.kubeconfig(user), &text)?;
            Ok(text)
        };
        for component in &self.controllers {
            render(component.name())?;
        }
        let admin = render(ADMIN)?;
        Ok((authority, admin))
    }

    async fn populate(&self, plane: &mut ControlPlane) -> Result<()> {
        let client = plane.client().await?;
        let names = nodes::create_nodes(&client, &self.zones, self.nodes_per_zone).await?;
        nodes::create_storage_classes(&client, &self.storage_classes).await?;
        let kwok = self.controllers.contains(&Component::Kwok);
        let controller_manager = plane.settings().controller_manager;
        let ready = async {
            if kwok {
                nodes::wait_ready(&client, &names).await?;
            }
            if controller_manager {
                nodes::wait_default_service_account(&client).await?;
            }
            Ok(())
        };
        // A component that ends is a better explanation than a time-out, and a
        // sooner one.
        tokio::select! {
            ready = ready => ready,
            ended = plane.first_end() => Err(ended),
        }
    }
}

/// The user of the admin kubeconfig, as the audit log shows it.
pub(crate) const ADMIN: &str = "admin";

impl ControlPlane {
    pub(crate) async fn wait_etcd(&mut self, timeout: Duration) -> Result<()> {
        let start = Instant::now();
        let port = self.settings().etcd_port;
        loop {
            self.check_running()?;
            match TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await {
                Ok(_) => return Ok(()),
                Err(error) if start.elapsed() > timeout => {
                    return Err(self.not_ready(Component::Etcd, timeout, error.to_string()));
                }
                Err(_) => tokio::time::sleep(POLL_INTERVAL).await,
            }
        }
    }
}

/// Starts several planes side by side, and returns them in the given order.
///
/// # Errors
/// [`Error::StartMany`] if one fails; the others are stopped then.
pub async fn start_many(builders: impl IntoIterator<Item = Builder>) -> Result<Vec<ControlPlane>> {
    let mut waiting = builders.into_iter().enumerate();
    let all = waiting.size_hint().0;
    let mut running = JoinSet::new();
    let mut planes = Vec::new();
    let mut failures = Vec::new();
    loop {
        while running.len() < STARTS_AT_ONCE
            && let Some((index, builder)) = waiting.next()
        {
            running.spawn(async move { (index, builder.start().await) });
        }
        match running.join_next().await {
            None => break,
            Some(Ok((index, Ok(plane)))) => planes.push((index, plane)),
            Some(Ok((_, Err(error)))) => failures.push(error),
            Some(Err(panic)) => std::panic::resume_unwind(panic.into_panic()),
        }
    }
    planes.sort_by_key(|(index, _)| *index);
    let failed = failures.len();
    match failures.into_iter().next() {
        None => Ok(planes.into_iter().map(|(_, plane)| plane).collect()),
        Some(first) => Err(Error::StartMany { failed, all: all.max(failed), first: Box::new(first) }),
    }
}
