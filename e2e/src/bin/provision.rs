//! The benchmark behind `cargo xtask bench provision`: many IrisClusters on one work cluster, and its figures. It must not
//! know how they are made.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser;
use homebase_e2e::provision::{self, Options};

/// Applies many IrisClusters to one work cluster, and tells what they take.
#[derive(Parser)]
struct Arguments {
    /// How many IrisClusters.
    #[arg(long, default_value_t = 100)]
    clusters: usize,
    /// The hub's binary.
    #[arg(long)]
    hub: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(Arguments { clusters, hub }: Arguments) -> Result<bool> {
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    let report = runtime.block_on(provision::run(&Options { clusters, hub }, |text| eprintln!("{text}")))?;
    print!("{}", provision::describe(&report, clusters)?);
    if report.writes_at_rest > 0 {
        println!("NOT AT REST: the hub went on writing");
    }
    Ok(report.writes_at_rest == 0)
}
