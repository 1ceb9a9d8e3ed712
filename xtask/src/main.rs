//! Automation of the repository: `cargo xtask --help`. It must hold no logic of
//! the product, and nothing that ships may depend on it.

mod bench;
mod codegen;
mod control_planes;
mod demo;
mod go_tools;
mod long_run;
mod progress;
mod release;
mod run;
mod sequences;
mod soak;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Automation of the Homebase repository.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_version_flag = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Builds, starts and stops real control planes.
    #[command(subcommand)]
    ControlPlanes(control_planes::Command),
    /// Writes every generated file of the tree.
    Codegen(codegen::Arguments),
    /// Runs every check and test, as CI does.
    Test(test::Arguments),
    /// Brings up a fleet on this machine and shows the hub at work.
    Demo(demo::Arguments),
    /// Has random events happen to a fleet and looks at what comes of it.
    Soak(soak::Arguments),
    /// Changes IrisClusters at random, goes back, and compares with fresh ones.
    Sequences(sequences::Arguments),
    /// Runs a benchmark.
    #[command(subcommand)]
    Bench(bench::Benchmark),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::ControlPlanes(command) => control_planes::run(&command),
        Command::Codegen(arguments) => codegen::run(&arguments),
        Command::Test(arguments) => test::run(&arguments),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Soak(arguments) => soak::run(&arguments),
        Command::Sequences(arguments) => sequences::run(&arguments),
        Command::Bench(benchmark) => bench::run(&benchmark),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}
