//! The commands of a person at a terminal: each reads, changes or checks something once and ends with an exit code.
//! They know nothing of how the hub works inside; they see what it shows and write what users may write.

use std::process::ExitCode;

use crate::arguments::Command;

mod access;
mod attest;
mod completions;
mod connect;
mod deregister;
mod doctor;
mod fleet;
mod grant;
mod hub;
mod list;
mod manifests;
mod output;
mod ownership;
mod pause;
mod plan;
mod reach;
mod register;
mod rotate;
mod simulate;
mod status;
mod validate;
pub(crate) mod values;
mod wait;

/// How a command ended. The numbers are part of the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done, or the answer is yes.
    Success = 0,
    /// Failed, or the answer is no.
    Failure = 1,
    /// Nobody can tell.
    Unknown = 2,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Runs a command to its end. `run` is none of them: it is the hub.
pub(crate) async fn execute(command: Command) -> Exit {
    let on_error = match &command {
        Command::Status(_)
        | Command::Doctor(_)
        | Command::Validate(_)
        | Command::Plan(_)
        | Command::Attest(_)
        | Command::Simulate(_) => Exit::Unknown,
        _ => Exit::Failure,
    };
    let ended = match command {
        Command::Run(_) => Ok(Exit::Failure),
        Command::List(arguments) => list::run(&arguments).await,
        Command::Status(arguments) => status::run(&arguments).await,
        Command::Register(arguments) => register::run(&arguments).await,
        Command::Deregister(arguments) => deregister::run(&arguments).await,
        Command::Rotate(arguments) => rotate::run(&arguments).await,
        Command::Pause(arguments) => pause::run(&arguments, pause::Wanted::Paused).await,
        Command::Resume(arguments) => pause::run(&arguments, pause::Wanted::Running).await,
        Command::Doctor(arguments) => doctor::run(&arguments).await,
        Command::Validate(arguments) => validate::run(&arguments),
        Command::Plan(arguments) => Box::pin(plan::run(&arguments)).await,
        Command::Attest(arguments) => Box::pin(attest::run(&arguments)).await,
        Command::Simulate(arguments) => Box::pin(simulate::run(&arguments)).await,
        Command::Completions { shell } => completions::run(shell),
        Command::Version => {
            output::print(concat!("homebase ", env!("CARGO_PKG_VERSION"), "\n")).map(|()| Exit::Success)
        }
    };
    ended.unwrap_or_else(|error| {
        output::tell(&format!("error: {error:#}"));
        on_error
    })
}
