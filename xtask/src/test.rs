//! `cargo xtask test`: every check and test in the order in which they are cheap,
//! the same on a laptop and in CI. It must not skip a step silently.

use std::env;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;
use homebase_testkit::{BINARY_VARIABLE, target_dir};

use crate::progress::show;
use crate::run::{self, cargo};
use crate::{codegen, go_tools};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Run only this step.
    #[arg(long, value_enum)]
    step: Option<Step>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Step {
    /// The format of the Rust sources.
    Fmt,
    /// Generated files are up to date.
    Codegen,
    /// Lints, with every warning an error.
    Clippy,
    /// The programs that tests run: control planes and promtool.
    Tools,
    /// Every test but the end-to-end ones.
    Unit,
    /// The end-to-end tests on real control planes.
    E2e,
}

const STEPS: [Step; 6] = [Step::Fmt, Step::Codegen, Step::Clippy, Step::Tools, Step::Unit, Step::E2e];

impl Step {
    fn name(self) -> &'static str {
        match self {
            Self::Fmt => "fmt",
            Self::Codegen => "codegen",
            Self::Clippy => "clippy",
            Self::Tools => "tools",
            Self::Unit => "unit",
            Self::E2e => "e2e",
        }
    }

    fn run(self) -> Result<()> {
        match self {
            Self::Fmt => {
                require_component("fmt", "rustfmt")?;
                run::run(cargo().args(["fmt", "--all", "--check"])).context("run `cargo fmt --all`")
            }
            Self::Codegen => codegen::run(&codegen::Arguments { check: true }),
            Self::Clippy => {
                require_component("clippy", "clippy")?;
                run::run(cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
            }
            Self::Tools => {
                go_tools::ensure_control_planes()?;
                go_tools::ensure_promtool()
            }
            // This and the next step also work alone, so they see to their tools.
            Self::Unit => {
                Self::Tools.run()?;
                run::run(cargo().args(["test", "--workspace", "--exclude", "homebase-e2e"]))
            }
            Self::E2e => {
                Self::Tools.run()?;
                let binary = build_homebase()?;
                run::run(cargo().args(["test", "--package", "homebase-e2e"]).env(BINARY_VARIABLE, binary))
            }
        }
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let steps: Vec<Step> =
        STEPS.into_iter().filter(|step| arguments.step.is_none_or(|only| only == *step)).collect();
    let start = Instant::now();
    let mut times = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        eprintln!("\n[{}/{}] {}", index + 1, steps.len(), step.name());
        let start = Instant::now();
        if let Err(error) = step.run() {
            summarize(&times, Some(*step), &steps[index + 1..]);
            let name = step.name();
            bail!(
                "step {} ({name}) failed: {error:#}\nrun it alone with: cargo xtask test --step {name}",
                index + 1
            );
        }
        eprintln!("[{}/{}] {}: passed in {}", index + 1, steps.len(), step.name(), show(start.elapsed()));
        times.push((*step, start.elapsed()));
    }
    summarize(&times, None, &[]);
    eprintln!("everything passed in {}", show(start.elapsed()));
    Ok(())
}

fn summarize(passed: &[(Step, Duration)], failed: Option<Step>, left: &[Step]) {
    eprintln!("\nstep      result    time");
    for (step, time) in passed {
        eprintln!("{:<9} passed    {}", step.name(), show(*time));
    }
    if let Some(step) = failed {
        eprintln!("{:<9} FAILED", step.name());
    }
    for step in left {
        eprintln!("{:<9} not run", step.name());
    }
}

/// Builds the binary and returns its path.
pub(crate) fn build_homebase() -> Result<PathBuf> {
    run::run(cargo().args(["build", "--package", "homebase"]))?;
    let path = target_dir().join("debug").join(format!("homebase{}", env::consts::EXE_SUFFIX));
    if !path.is_file() {
        bail!("`cargo build --package homebase` has left no {}", path.display());
    }
    Ok(path)
}

/// Fails with the fix when a component of the toolchain is not installed.
fn require_component(subcommand: &str, component: &str) -> Result<()> {
    let mut command: Command = cargo();
    let output = command.args([subcommand, "--version"]).output().context("cannot run cargo")?;
    if !output.status.success() {
        bail!("`cargo {subcommand}` is not installed: run `rustup component add {component}`");
    }
    Ok(())
}
