//! What shows only in the long run: many random events on several clusters, and many clusters that come and go. Here
//! it is short and bounded; `cargo xtask soak` and `cargo xtask bench engage` are the same at length.

mod cycles;
mod end;
mod lane;
mod model;
mod resources;
mod scene;
mod script;

use std::env;
use std::str::FromStr;

use scene::Soak;
use script::Settings;

/// The script of a run that names none: the same each time, so that a failure is the change's; and one of the few
/// short ones in which everything happens that can.
const SEED: u64 = 48;
/// As many as fit into a minute on two cores, most of which are starts.
const EVENTS: usize = 80;
/// See [`EVENTS`].
const CLUSTERS: usize = 4;
/// From here on faults may last for minutes: nobody waits at the terminal.
const LONG_RUN: usize = 500;

pub(crate) fn setting<T: FromStr>(name: &str, default: T) -> T {
    let Ok(text) = env::var(name) else { return default };
    text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number"))
}

#[tokio::test]
async fn random_events_end_in_what_is_desired_and_leave_nothing_over() {
    let events = setting("HOMEBASE_SOAK_EVENTS", EVENTS);
    let settings = Settings {
        seed: setting("HOMEBASE_SOAK_SEED", SEED),
        events,
        clusters: setting("HOMEBASE_SOAK_CLUSTERS", CLUSTERS),
        lasting_faults: events >= LONG_RUN,
    };
    let mut soak = Soak::start(settings).await;
    soak.play().await;
    soak.settle().await;
    soak.assert_desired().await;
    soak.assert_nothing_left().await;
    soak.fleet.assert_invariants().await;
}
