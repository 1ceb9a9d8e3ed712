//! `cargo xtask control-planes`: building, starting and stopping real control
//! planes that live on after the command. It must not touch planes of tests.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use homebase_testkit::{ControlPlane, DetachedPlane, start_many, target_dir};

use crate::go_tools;
use crate::progress::Step;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Builds etcd, Kubernetes, KWOK and promtool from their pinned sources.
    Build,
    /// Starts control planes that run until `down`.
    Up(Up),
    /// Stops control planes that `up` started.
    Down(Down),
}

#[derive(clap::Args)]
pub(crate) struct Up {
    /// The name; with --count above 1, NAME-0, NAME-1 and so on.
    #[arg(long, default_value = "dev")]
    name: String,
    /// How many.
    #[arg(long, default_value_t = 1)]
    count: usize,
    /// The zones in which each plane has a node.
    #[arg(long, value_delimiter = ',', default_value = "boston,chicago,seattle,london")]
    zones: Vec<String>,
}

#[derive(clap::Args)]
pub(crate) struct Down {
    /// The names; all planes when none is given.
    names: Vec<String>,
}

pub(crate) fn run(command: &Command) -> Result<()> {
    match command {
        Command::Build => {
            go_tools::ensure_control_planes()?;
            go_tools::ensure_promtool()?;
            eprintln!("every program is there: {}", target_dir().join("tools").display());
            Ok(())
        }
        Command::Up(up) => self::up(up),
        Command::Down(down) => self::down(down),
    }
}

fn up(up: &Up) -> Result<()> {
    go_tools::ensure_control_planes()?;
    let names: Vec<String> = match up.count {
        1 => vec![up.name.clone()],
        count => (0..count).map(|index| format!("{}-{index}", up.name)).collect(),
    };
    let mut due = Vec::new();
    for name in names {
        match load(&name) {
            Some(plane) if plane.ended().is_empty() => announce(&plane, "runs already"),
            stale => {
                if let Some(plane) = stale {
                    eprintln!("{name} is broken ({} ended): starting it anew", plane.ended().join(", "));
                }
                DetachedPlane::clear(&directory(&name)).with_context(|| format!("cannot clean up {name}"))?;
                due.push(ControlPlane::builder(&name).zones(up.zones.clone()).dir(directory(&name)));
            }
        }
    }
    if due.is_empty() {
        return Ok(());
    }
    let step = Step::start(format!("starting {} control plane(s)", due.len()));
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    let planes = runtime.block_on(start_many(due))?;
    step.done();
    for plane in planes {
        let plane = plane.detach()?;
        announce(&plane, "runs");
    }
    eprintln!("stop with: cargo xtask control-planes down");
    Ok(())
}

fn down(down: &Down) -> Result<()> {
    let names = if down.names.is_empty() { all()? } else { down.names.clone() };
    for name in &names {
        let ran = DetachedPlane::clear(&directory(name)).with_context(|| format!("cannot stop {name}"))?;
        eprintln!("{name} {}", if ran { "is stopped" } else { "does not run" });
    }
    if names.is_empty() {
        eprintln!("no control plane runs");
    }
    Ok(())
}

/// The export line goes to standard output, so that a shell can evaluate it.
fn announce(plane: &DetachedPlane, how: &str) {
    eprintln!("{} {how} at {}", plane.name, plane.url);
    println!("export KUBECONFIG={}", plane.kubeconfig.display());
}

/// The state of a plane; one that cannot be read is as good as none.
fn load(name: &str) -> Option<DetachedPlane> {
    DetachedPlane::load(&directory(name)).unwrap_or_else(|error| {
        eprintln!("the state of {name} cannot be used: {error:?}");
        None
    })
}

fn all() -> Result<Vec<String>> {
    let root = root();
    if !root.is_dir() {
        return Ok(Vec::new());
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(&root).with_context(|| format!("cannot list {}", root.display()))? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

fn directory(name: &str) -> PathBuf {
    root().join(Path::new(name))
}

fn root() -> PathBuf {
    target_dir().join("control-planes")
}
