//! The `homebase` binary: arguments → settings → command → exit code. What a command does is in the crates
//! below.

mod arguments;
mod commands;
mod home;
mod logging;
mod memory;
mod panics;
mod process;
mod run;
mod settings;

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;
use tokio::runtime::{Builder, Runtime};

use arguments::{Arguments, Command};

/// The exit code for arguments that cannot be used: clap's own.
const USAGE: u8 = 2;
/// How long threads that serve a scrape may hold up the end of the process.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);
/// The stack of a worker thread. Reading a StatefulSet takes more than tokio's 2 MiB in a build without
/// optimization: a pod template is a tree of large types. It is address space; only what is touched is memory.
const STACK_BYTES: usize = 16 * 1024 * 1024;

/// glibc keeps the memory that a crowded cluster took: 71 MiB before, 99 MiB after 200,000 objects were gone. jemalloc
/// returns it within 10 s: 79 MiB before, 82 MiB after.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    panics::keep_values_out();
    match Arguments::parse().command {
        Command::Run(arguments) => match settings::validate(&arguments) {
            Ok(settings) => execute(settings),
            Err(faults) => {
                for fault in &faults {
                    eprintln!("error: {fault}");
                }
                ExitCode::from(USAGE)
            }
        },
        command => match runtime() {
            Ok(runtime) => {
                let exit = runtime.block_on(commands::execute(command));
                runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
                exit.into()
            }
            Err(exit) => exit,
        },
    }
}

fn runtime() -> Result<Runtime, ExitCode> {
    let runtime = Builder::new_multi_thread().thread_stack_size(STACK_BYTES).enable_all().build();
    runtime.map_err(|error| {
        eprintln!("error: start the runtime: {error}");
        ExitCode::FAILURE
    })
}

fn execute(settings: settings::Settings) -> ExitCode {
    let log = match logging::start(&settings.logging) {
        Ok(log) => log,
        Err(error) => {
            eprintln!("error: start the log: {error}");
            return ExitCode::FAILURE;
        }
    };
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(exit) => return exit,
    };
    let outcome = runtime.block_on(run::run(settings));
    runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
    let is_read = log.flush();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Or the process would wait for a reader that has stopped.
            if is_read {
                drop(writeln!(std::io::stderr(), "error: {error:#}"));
            }
            ExitCode::FAILURE
        }
    }
}
