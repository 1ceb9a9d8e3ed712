//! A running control plane: what a test can ask of it and do to it. It must
//! stop everything that it runs when it is dropped, in a panic too.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::audit::{self, AuditEvent, AuditMark};
use crate::components::{Component, Settings};
use crate::control_plane::ADMIN;
use crate::pki::Authority;
use crate::process::{self, Process};
use crate::watchdog::Watchdog;
use crate::{Error, Result};

/// Fine enough for a start that takes three seconds.
pub const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// 3 s on an idle machine; four at once beside a compiler many times that.
const APISERVER_READY: Duration = Duration::from_secs(120);
/// One probe; a paused apiserver accepts connections and never answers.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// A running control plane. Dropping it stops it; its directory is removed
/// unless the thread is panicking or logs are to be kept.
#[derive(Debug)]
pub struct ControlPlane {
    name: String,
    settings: Settings,
    authority: Authority,
    admin: String,
    processes: Vec<(Component, Process)>,
    watchdog: Arc<Watchdog>,
    keep: bool,
    detached: bool,
}

impl ControlPlane {
    /// A plane of which nothing runs yet.
    pub(crate) fn assemble(
        name: &str,
        settings: Settings,
        authority: Authority,
        admin: String,
    ) -> Result<Self> {
        let watchdog = Arc::new(Watchdog::start(Some(&settings.layout.etcd_data()))?);
        // Until the start has succeeded, logs are of interest.
        let (processes, keep, detached) = (Vec::new(), true, false);
        Ok(Self { name: name.to_owned(), settings, authority, admin, processes, watchdog, keep, detached })
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The address of the apiserver.
    pub fn url(&self) -> String {
        self.settings.apiserver_url()
    }

    /// The port of the apiserver.
    pub fn apiserver_port(&self) -> u16 {
        self.settings.apiserver_port
    }

    /// The directory with logs and kubeconfigs.
    pub fn dir(&self) -> &Path {
        self.settings.layout.root()
    }

    /// A self-contained kubeconfig for a user who may do everything.
    pub fn admin_kubeconfig(&self) -> String {
        self.admin.clone()
    }

    /// The same as a file, for programs that want a path.
    pub fn admin_kubeconfig_path(&self) -> PathBuf {
        self.settings.layout.kubeconfig(ADMIN)
    }

    /// Every write since the start (`Builder::audit_log` must have been asked for).
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn audit_log(&self) -> Result<Vec<AuditEvent>> {
        self.write_requests_since(AuditMark::default())
    }

    /// The end of the audit log as it is now.
    ///
    /// # Errors
    /// If the log cannot be looked at.
    pub fn audit_mark(&self) -> Result<AuditMark> {
        audit::mark(&self.settings.layout.audit_log())
    }

    /// Every write after a mark, those of the plane's own components too: filter
    /// by `user` or `user_agent`.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn write_requests_since(&self, mark: AuditMark) -> Result<Vec<AuditEvent>> {
        let mut events = audit::read_since(&self.settings.layout.audit_log(), mark)?;
        events.retain(AuditEvent::is_write);
        Ok(events)
    }

    /// Every write since the start, and every read of those who may not do
    /// everything.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn requests(&self) -> Result<Vec<AuditEvent>> {
        audit::read_since(&self.settings.layout.audit_log(), AuditMark::default())
    }

    /// Stops a component in its tracks (SIGSTOP): its connections stay open and
    /// nothing answers.
    ///
    /// # Errors
    /// If the plane does not run it.
    pub fn pause(&self, component: Component) -> Result<()> {
        self.process(component)?.signal(Signal::SIGSTOP)
    }

    /// Lets a paused component go on (SIGCONT).
    ///
    /// # Errors
    /// If the plane does not run it.
    pub fn resume(&self, component: Component) -> Result<()> {
        self.process(component)?.signal(Signal::SIGCONT)
    }

    /// Kills a component (SIGKILL).
    ///
    /// # Errors
    /// If the plane does not run it.
    pub fn kill(&mut self, component: Component) -> Result<()> {
        let index = self.index(component)?;
        let (_, mut process) = self.processes.remove(index);
        process.kill();
        Ok(())
    }

    /// Starts a component again that was killed, on the same port and data.
    ///
    /// # Errors
    /// If it cannot be started; that it comes up is not waited for.
    pub fn start_component(&mut self, component: Component) -> Result<()> {
        let process = Process::start(&self.settings.program(component), &self.watchdog)?;
        self.processes.push((component, process));
        Ok(())
    }

    /// `pause(Component::Apiserver)`.
    ///
    /// # Errors
    /// As [`ControlPlane::pause`].
    pub fn pause_apiserver(&self) -> Result<()> {
        self.pause(Component::Apiserver)
    }

    /// `resume(Component::Apiserver)`.
    ///
    /// # Errors
    /// As [`ControlPlane::resume`].
    pub fn resume_apiserver(&self) -> Result<()> {
        self.resume(Component::Apiserver)
    }

    /// Kills the apiserver, starts it again and waits until it is ready.
    ///
    /// # Errors
    /// If it does not come back.
    pub async fn restart_apiserver(&mut self) -> Result<()> {
        self.kill(Component::Apiserver)?;
        self.start_component(Component::Apiserver)?;
        self.wait_apiserver().await
    }

    /// Waits until the apiserver says that it is ready.
    ///
    /// # Errors
    /// If a component ends meanwhile, or at a time-out.
    pub async fn wait_apiserver(&mut self) -> Result<()> {
        let start = Instant::now();
        let client = self.client().await?;
        loop {
            self.check_running()?;
            let last = match tokio::time::timeout(PROBE_TIMEOUT, probe(&client)).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(error)) => error.to_string(),
                Err(_elapsed) => format!("/readyz does not answer within {PROBE_TIMEOUT:?}"),
            };
            if start.elapsed() > APISERVER_READY {
                return Err(self.not_ready(Component::Apiserver, APISERVER_READY, last));
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// The process ids, which are those of process groups too.
    pub fn process_ids(&self) -> Vec<(Component, u32)> {
        self.processes.iter().map(|(component, process)| (*component, process.id())).collect()
    }

    /// The resident memory of every component, in KiB.
    pub fn resident_kib(&self) -> Vec<(Component, u64)> {
        let measured = self.processes.iter().map(|(component, process)| {
            (*component, process::resident_kib(process.id()).unwrap_or_default())
        });
        measured.collect()
    }

    /// Whether the directory stays when the plane is stopped.
    pub fn keep_logs(&mut self, keep: bool) {
        self.keep = keep;
    }

    /// Stops everything. The same happens on drop; this also tells when the
    /// directory could not be removed.
    ///
    /// # Errors
    /// If the directory cannot be removed.
    #[expect(clippy::unused_async, reason = "callers should not rely on the stop being synchronous")]
    pub async fn stop(mut self) -> Result<()> {
        self.halt();
        self.tidy()
    }

    /// The plane's authority.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn processes(&mut self) -> &mut [(Component, Process)] {
        &mut self.processes
    }

    /// From now on, dropping the plane does nothing.
    pub(crate) fn forget(&mut self) {
        self.detached = true;
    }

    /// Fails if a component has ended by itself.
    pub(crate) fn check_running(&mut self) -> Result<()> {
        self.processes.iter_mut().try_for_each(|(_, process)| process.check_running())
    }

    /// Resolves when a component ends by itself.
    pub(crate) async fn first_end(&mut self) -> Error {
        loop {
            if let Err(error) = self.check_running() {
                return error;
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    pub(crate) fn not_ready(&self, component: Component, after: Duration, last: String) -> Error {
        let log = self.settings.layout.log(component.name());
        let tail = process::tail(&log);
        Error::NotReady { name: component.name().to_owned(), after, last, log, tail }
    }

    fn index(&self, component: Component) -> Result<usize> {
        let missing = || Error::NoSuchComponent { plane: self.name.clone(), component: component.name() };
        self.processes.iter().position(|(kind, _)| *kind == component).ok_or_else(missing)
    }

    fn process(&self, component: Component) -> Result<&Process> {
        Ok(&self.processes[self.index(component)?].1)
    }

    fn halt(&mut self) {
        // All are told before one is waited for. SIGKILL also ends those that a
        // test has stopped.
        for (_, process) in &self.processes {
            let _ = process.signal(Signal::SIGKILL);
        }
        self.processes.clear();
    }

    fn tidy(&self) -> Result<()> {
        if self.keep || std::thread::panicking() {
            self.settings.layout.remove_data()
        } else {
            self.settings.layout.remove()
        }
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        if self.detached {
            return;
        }
        self.halt();
        if std::thread::panicking() {
            eprintln!("the logs of the control plane {} are in {}", self.name, self.dir().display());
        }
        // A directory that cannot be removed fails no test; `stop` tells.
        let _ = self.tidy();
    }
}

async fn probe(client: &kube::Client) -> kube::Result<()> {
    let request = http::Request::get("/readyz").body(Vec::new()).map_err(kube::Error::HttpError)?;
    client.request_text(request).await.map(drop)
}
