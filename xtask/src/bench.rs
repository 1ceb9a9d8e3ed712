//! `cargo xtask bench`: benchmarks that anyone can run. Each is a program of its own; this builds it, and the hub, for
//! release and runs it. It must not measure.

use std::process::Command;

use anyhow::{Context as _, Result};
use homebase_testkit::workspace_root;

use crate::{go_tools, release, run};

#[derive(clap::Subcommand)]
pub(crate) enum Benchmark {
    /// Registers and deregisters clusters over and over: memory, tasks, descriptors and series must stay flat.
    Engage(Engage),
    /// Applies many IrisClusters to one work cluster: time, requests, memory; at rest the hub must write nothing.
    Provision(Provision),
}

#[derive(clap::Args)]
pub(crate) struct Engage {
    /// How often, over all clusters.
    #[arg(long, default_value_t = 10_000)]
    cycles: usize,
    /// How many clusters side by side; each is an apiserver with its etcd.
    #[arg(long, default_value_t = 4)]
    clusters: usize,
}

#[derive(clap::Args)]
pub(crate) struct Provision {
    /// How many IrisClusters: each is a mirrored pair with arbiter, compute and web gateway.
    #[arg(long, default_value_t = 100)]
    clusters: usize,
}

pub(crate) fn run(benchmark: &Benchmark) -> Result<()> {
    let (name, arguments) = match benchmark {
        Benchmark::Engage(Engage { cycles, clusters }) => {
            ("engage", vec![("--cycles", *cycles), ("--clusters", *clusters)])
        }
        Benchmark::Provision(Provision { clusters }) => ("provision", vec![("--clusters", *clusters)]),
    };
    go_tools::ensure_control_planes()?;
    let built = release::build(&[name])?;
    let program = built.tools.first().context("the benchmark was not built")?;
    let mut command = Command::new(program);
    command.current_dir(workspace_root());
    for (flag, value) in arguments {
        command.arg(flag).arg(value.to_string());
    }
    command.arg("--hub").arg(&built.hub);
    run::run(&mut command)
}
