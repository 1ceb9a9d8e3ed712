//! The command `completions`: prints a script for a shell.

use clap::CommandFactory as _;
use clap_complete::{Shell, generate};

use super::{Exit, output};
use crate::arguments::Arguments;

pub(crate) fn run(shell: Shell) -> anyhow::Result<Exit> {
    let mut command = Arguments::command();
    let mut script = Vec::new();
    generate(shell, &mut command, "homebase", &mut script);
    output::print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Success)
}
