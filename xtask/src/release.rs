//! Builds what is measured: the hub, and the programs that measure it, as they are shipped. It must not run them.

use std::env;
use std::path::PathBuf;

use anyhow::{Result, bail};
use homebase_testkit::target_dir;

use crate::run::{self, cargo};

/// Where the programs are.
pub(crate) struct Built {
    pub(crate) hub: PathBuf,
    pub(crate) tools: Vec<PathBuf>,
}

/// Builds the hub, and these programs of the end-to-end crate.
pub(crate) fn build(tools: &[&str]) -> Result<Built> {
    eprintln!("building for release; minutes for the first time…");
    let mut command = cargo();
    command.args(["build", "--release", "--package", "homebase", "--bin", "homebase"]);
    if !tools.is_empty() {
        command.args(["--package", "homebase-e2e"]);
    }
    for tool in tools {
        command.args(["--bin", tool]);
    }
    run::run(&mut command)?;
    let hub = path("homebase")?;
    let tools = tools.iter().map(|tool| path(tool)).collect::<Result<_>>()?;
    Ok(Built { hub, tools })
}

fn path(name: &str) -> Result<PathBuf> {
    let path = target_dir().join("release").join(format!("{name}{}", env::consts::EXE_SUFFIX));
    if !path.is_file() {
        bail!("`cargo build --release` has left no {}", path.display());
    }
    Ok(path)
}
