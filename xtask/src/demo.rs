//! `cargo xtask demo`: a home cluster, two work clusters and the hub on this
//! machine. It must leave nothing running when it ends, however it ends.

mod fleet;
mod show;

use std::fs;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use homebase_testkit::{HubProcess, target_dir};
use tokio::signal::unix::{SignalKind, signal};

use crate::demo::fleet::Fleet;
use crate::progress::Step;
use crate::{go_tools, test};

/// How long the hub may take to say that it is ready: it needs its home watch.
const HUB_READY: Duration = Duration::from_secs(30);
/// From the Secret to a `WorkCluster` that is Ready: connecting, installing the
/// CRDs and the first list. Seconds, on a machine that also runs a compiler.
const CLUSTERS_READY: Duration = Duration::from_secs(90);
/// From the samples to resources that are Ready: pods of all members one after
/// the other.
const RESOURCES_READY: Duration = Duration::from_secs(180);
/// How often it is looked whether the hub still runs.
const HUB_CHECK: Duration = Duration::from_secs(1);

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// End as soon as everything is ready; fail if it does not get there.
    #[arg(long)]
    once: bool,
    /// One more argument for the hub, such as --hub-arg=--log-level=debug.
    #[arg(long = "hub-arg")]
    hub_arguments: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let samples = samples()?;
    go_tools::ensure_control_planes()?;
    eprintln!("building the hub…");
    let binary = test::build_homebase()?;
    let directory = target_dir().join("demo");
    let _lock = Lock::take(&directory)?;

    let ready = AtomicBool::new(false);
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    let result = runtime.block_on(async {
        tokio::select! {
            result = play(arguments, binary, &samples, &directory, &ready) => result,
            interrupted = interrupted() => {
                interrupted?;
                if ready.load(Ordering::Relaxed) { Ok(()) } else { bail!("interrupted before everything was ready") }
            }
        }
    });
    eprintln!("\nstopping the hub and the control planes…");
    // Starts that were still under way are tasks of the runtime: they end, and
    // with them what they have started, before this returns.
    drop(runtime);
    eprintln!("everything is stopped");
    result
}

async fn play(
    arguments: &Arguments,
    binary: PathBuf,
    samples: &[PathBuf],
    directory: &Path,
    ready: &AtomicBool,
) -> Result<()> {
    let step = Step::start("starting three control planes: home, boston, london");
    let fleet = Fleet::start(directory).await?;
    step.done();

    let step = Step::start("starting the hub");
    fleet.create_namespace().await?;
    let mut hub = HubProcess::builder("demo-hub", fleet.hub_kubeconfig().await?)
        .namespace(fleet::NAMESPACE)
        .binary(binary)
        .dir(directory.join("hub"))
        .keep_logs(true)
        .arg("--allow-loopback-destinations");
    for argument in &arguments.hub_arguments {
        hub = hub.arg(argument);
    }
    let mut hub = hub.start().await?;
    hub.wait_ready(HUB_READY).await?;
    step.done();

    let story = async {
        let step = Step::start("registering boston and london by a Secret each");
        fleet.register().await?;
        fleet.wait_clusters(CLUSTERS_READY).await?;
        step.done();
        let step = Step::start(format!(
            "applying {} to both and waiting until they are Ready",
            SAMPLES.join(" and ")
        ));
        fleet.apply(samples).await?;
        fleet.wait_resources(RESOURCES_READY).await?;
        step.done();
        anyhow::Ok(())
    };
    if let Err(error) = story.await {
        show::failure(&fleet, &hub).await;
        return Err(error);
    }
    show::fleet(&fleet).await?;
    show::things_to_try(&fleet, &hub);
    ready.store(true, Ordering::Relaxed);
    if arguments.once {
        eprintln!("\neverything is ready");
        return Ok(());
    }
    eprintln!("\nCtrl-C stops everything.");
    let mut interval = tokio::time::interval(HUB_CHECK);
    loop {
        interval.tick().await;
        if !hub.is_running() {
            bail!("the hub has ended by itself; its log is in {}", hub.dir().display());
        }
    }
}

/// Resolves when somebody wants us to end.
async fn interrupted() -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// The samples that are shown: one of each kind. All of them are more than a machine should have to bear.
const SAMPLES: [&str; 2] = ["iris.yaml", "iriscluster-mirrored.yaml"];

/// The files of the samples, which must be there.
fn samples() -> Result<Vec<PathBuf>> {
    let directory = homebase_testkit::workspace_root().join("deploy/samples");
    let files: Vec<_> = SAMPLES.iter().map(|name| directory.join(name)).collect();
    match files.iter().find(|file| !file.is_file()) {
        Some(missing) => bail!("{} is not there", missing.display()),
        None => Ok(files),
    }
}

/// Two demos at a time would remove each other's files.
struct Lock {
    path: PathBuf,
}

impl Lock {
    fn take(directory: &Path) -> Result<Self> {
        fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
        let path = directory.join("demo.pid");
        if let Ok(text) = fs::read_to_string(&path) {
            let command_line = fs::read(format!("/proc/{}/cmdline", text.trim())).unwrap_or_default();
            if String::from_utf8_lossy(&command_line).contains("xtask") {
                bail!("a demo runs already (process {}): stop it first", text.trim());
            }
        }
        fs::write(&path, process::id().to_string())
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { path })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // A lock of a process that is gone is taken over.
        let _ = fs::remove_file(&self.path);
    }
}
