//! `cargo xtask sequences`: random changes of IrisClusters and back, at full length, with a hub built for release. It must
//! not know what a change is.

use anyhow::Result;

use crate::long_run;

/// The test, by its full name.
const TEST: &str = "sequences::random_changes_and_back_end_where_a_fresh_deployment_does";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How many changes, over all seeds; a sequence has twelve of them.
    #[arg(long, default_value_t = 600)]
    steps: usize,
    /// Which changes; others each time by default. It is printed.
    #[arg(long)]
    seed: Option<u64>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let Arguments { steps, seed } = *arguments;
    let seed = long_run::seed(seed);
    let what = format!(
        "{steps} random changes of IrisClusters, each sequence then goes back and is compared with a fresh deployment; \
         again with: cargo xtask sequences --steps {steps} --seed {seed}"
    );
    let settings =
        [("HOMEBASE_SEQUENCE_STEPS", steps.to_string()), ("HOMEBASE_SEQUENCE_SEED", seed.to_string())];
    long_run::run(TEST, &what, &settings)
}
