//! Random changes of IrisClusters, drawn from the schema and from every golden input, and then back: what is there in the
//! end is what a fresh deployment of the same spec has. Here it is short; `cargo xtask sequences` is the same at length.

mod comparison;
mod mutation;
mod pool;
mod scene;
mod seeds;

use crate::soak::setting;

use mutation::Mutator;
use scene::Scene;

/// The changes of a run that names none: the same each time, so that a failure is the change's.
const SEED: u64 = 7;
/// As many as fit into a minute on two cores, over all seeds.
const STEPS: usize = 24;
/// Changes of one cluster before it goes back: far enough from where it began, and near enough to be understood.
const STEPS_PER_SEQUENCE: usize = 12;

#[tokio::test]
async fn random_changes_and_back_end_where_a_fresh_deployment_does() {
    let steps = setting("HOMEBASE_SEQUENCE_STEPS", STEPS);
    let seed = setting("HOMEBASE_SEQUENCE_SEED", SEED);
    let scene = Scene::start().await;
    let mut mutator = Mutator::new(seed);
    let (mut done, mut sequence) = (0, 0);
    while done < steps {
        let first = seeds::all().swap_remove(sequence % seeds::all().len());
        let namespace = format!("sequence-{sequence}");
        let count = STEPS_PER_SEQUENCE.min(steps - done);
        scene.play(&namespace, &first, &mut mutator, count).await;
        done += count;
        sequence += 1;
    }
    let tally = mutator.tally();
    eprintln!("{done} steps of seed {seed} in {sequence} sequences: {tally}");
    assert!(tally.accepted > 0 && tally.refused > 0, "a run in which nothing happens: {tally}");
    scene.fleet.assert_invariants().await;
}
