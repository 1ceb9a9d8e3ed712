//! `cargo xtask soak`: the soak of the end-to-end tests at full length, with a hub built for release. It must not know
//! what an event is.

use anyhow::Result;

use crate::long_run;

/// The test, by its full name.
const TEST: &str = "soak::random_events_end_in_what_is_desired_and_leave_nothing_over";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How many random events; from 500 on some faults last up to 45 s.
    #[arg(long, default_value_t = 1000)]
    events: usize,
    /// Over how many work clusters; each is a control plane of three processes and takes about 400 MiB.
    #[arg(long, default_value_t = 10)]
    clusters: usize,
    /// Which events; another one each time by default. It is printed.
    #[arg(long)]
    seed: Option<u64>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let Arguments { events, clusters, seed } = *arguments;
    let seed = long_run::seed(seed);
    let what = format!(
        "{events} random events over {clusters} clusters, then everything is mended, compared with what is desired, \
         and deregistered; again with: cargo xtask soak --events {events} --clusters {clusters} --seed {seed}"
    );
    let settings = [
        ("HOMEBASE_SOAK_EVENTS", events.to_string()),
        ("HOMEBASE_SOAK_CLUSTERS", clusters.to_string()),
        ("HOMEBASE_SOAK_SEED", seed.to_string()),
    ];
    long_run::run(TEST, &what, &settings)
}
