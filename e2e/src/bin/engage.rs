//! The benchmark behind `cargo xtask bench engage`: many engage/disengage cycles, figures, and a verdict. It must not
//! know how cycles are made.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser;
use homebase_e2e::engage::judgement::{self, Sample};
use homebase_e2e::engage::{self, Options};

/// Registers and deregisters clusters over and over, and tells what the hub holds.
#[derive(Parser)]
struct Arguments {
    /// Cycles over all clusters.
    #[arg(long, default_value_t = 10_000)]
    cycles: usize,
    /// Clusters side by side.
    #[arg(long, default_value_t = 4)]
    clusters: usize,
    /// Cycles from one look at the hub to the next.
    #[arg(long, default_value_t = 200)]
    round: usize,
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

fn run(arguments: Arguments) -> Result<bool> {
    let Arguments { cycles, clusters, round, hub } = arguments;
    let options = Options { cycles, clusters, round, hub };
    eprintln!("{cycles} cycles over {clusters} clusters, a look at the hub after every {round}");
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    let report = runtime.block_on(engage::run(&options, progress))?;
    let faults = judgement::faults(&report.baseline, &report.samples);
    println!("before the first registration: {}", report.baseline);
    print!("{}", judgement::table(&report.samples));
    match judgement::bytes_per_cycle(&report.samples) {
        Some(slope) => println!(
            "memory after {} cycles of warm-up: {slope:.0} bytes per cycle, {} are allowed",
            judgement::WARM_UP,
            judgement::MAX_BYTES_PER_CYCLE
        ),
        None => println!(
            "memory is not judged over fewer than {} cycles after {} of warm-up",
            judgement::JUDGED_CYCLES,
            judgement::WARM_UP
        ),
    }
    for fault in &faults {
        println!("NOT FLAT: {fault}");
    }
    if faults.is_empty() {
        println!("tasks, descriptors and series are what they were");
    }
    Ok(faults.is_empty())
}

fn progress(sample: &Sample) {
    eprintln!("{:>6} cycles, {:.0} s: {}", sample.cycles, sample.elapsed.as_secs_f64(), sample.figures);
}
