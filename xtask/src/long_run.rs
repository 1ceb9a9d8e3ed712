//! Runs one end-to-end test at full length, with a hub built for release. It must not know what the test does.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use homebase_testkit::BINARY_VARIABLE;

use crate::progress::show;
use crate::run::{self, cargo};
use crate::{go_tools, release};

/// The seed of a run that names none: another one each time.
pub(crate) fn seed(given: Option<u64>) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    given.unwrap_or(now.as_secs())
}

/// Runs the test of this full name with these settings, after saying what it does.
pub(crate) fn run(test: &str, what: &str, settings: &[(&str, String)]) -> Result<()> {
    go_tools::ensure_control_planes()?;
    let hub = release::build(&[])?.hub;
    eprintln!("{what}");
    let start = Instant::now();
    let mut command = cargo();
    command.args([
        "test",
        "--package",
        "homebase-e2e",
        "--test",
        "e2e",
        "--",
        "--exact",
        test,
        "--nocapture",
    ]);
    command.env(BINARY_VARIABLE, hub);
    command.envs(settings.iter().map(|(name, value)| (name, value)));
    run::run(&mut command)?;
    eprintln!("passed in {}", show(start.elapsed()));
    Ok(())
}
