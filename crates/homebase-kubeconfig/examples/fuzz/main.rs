//! Mutates the golden cases and feeds them to the sanitizers: a long run of what `tests/properties.rs` does
//! briefly in every build. The cases are read before the first input; from then on nothing here opens a file
//! or starts a process, so that a trace of system calls shows what the crate does.
//!
//! `cargo run --release -p homebase-kubeconfig --example fuzz -- --inputs 1000000 --seed 7`

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use fastrand::Rng;

mod check;
mod corpus;
mod encoded;
mod mutate;

use check::{Outcome, check};
use corpus::{Case, Corpus};

/// How often progress is shown.
const PROGRESS_EVERY: Duration = Duration::from_secs(5);

/// Odd, so that neighbouring inputs of one seed have generators far apart.
const STRIDE: u64 = 0x9E37_79B9_7F4A_7C15;

/// Mutates accepted and refused registrations and checks that none does harm.
#[derive(Parser)]
struct Arguments {
    /// How many inputs to try.
    #[arg(long, default_value_t = 100_000)]
    inputs: u64,
    /// The seed; the same seed makes the same inputs.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The number of the first input, to see a failure again.
    #[arg(long, default_value_t = 0)]
    from: u64,
}

/// What a run has seen so far.
#[derive(Default)]
struct Summary {
    inputs: u64,
    bytes: usize,
    accepted: u64,
    with_dates: u64,
    kinds: BTreeMap<&'static str, u64>,
    time: Duration,
    slowest: (Duration, u64),
}

impl Summary {
    fn add(&mut self, number: u64, case: &Case, outcome: &Outcome) {
        self.inputs += 1;
        self.bytes += case.len();
        self.accepted += u64::from(outcome.kinds.is_empty());
        self.with_dates += u64::from(outcome.has_dates);
        self.time += outcome.time;
        self.slowest = self.slowest.max((outcome.time, number));
        for kind in &outcome.kinds {
            *self.kinds.entry(kind).or_default() += 1;
        }
    }

    fn print(&self, elapsed: Duration) {
        let refused = self.inputs - self.accepted;
        println!("inputs    {} ({} bytes) in {elapsed:.1?}", self.inputs, self.bytes);
        println!("accepted  {} (with dates: {})", self.accepted, self.with_dates);
        println!("refused   {refused}");
        println!("time      {:.1?} in the sanitizers", self.time);
        println!("slowest   {:.2?} (input {})", self.slowest.0, self.slowest.1);
        println!("inputs with a fault of each kind:");
        for (kind, count) in &self.kinds {
            println!("  {kind:<18}{count:>9}");
        }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let corpus = match Corpus::load() {
        Ok(corpus) => corpus,
        Err(error) => {
            eprintln!("cannot read the cases: {error}");
            return ExitCode::FAILURE;
        }
    };
    eprintln!("{} cases, seed {}", corpus.len(), arguments.seed);
    match run(&arguments, &corpus) {
        Ok(()) => ExitCode::SUCCESS,
        Err((number, failure)) => {
            eprintln!("input {number} {failure}");
            eprintln!("to see it again: --seed {} --from {number} --inputs 1", arguments.seed);
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments, corpus: &Corpus) -> Result<(), (u64, String)> {
    let start = Instant::now();
    let mut shown = start;
    let mut summary = Summary::default();
    for number in arguments.from..arguments.from.saturating_add(arguments.inputs) {
        let mut rng = Rng::with_seed(arguments.seed.wrapping_add(number.wrapping_mul(STRIDE)));
        let case = mutate::mutant(&mut rng, corpus);
        let outcome = check(&mut rng, &case).map_err(|failure| (number, failure))?;
        summary.add(number, &case, &outcome);
        if shown.elapsed() >= PROGRESS_EVERY {
            shown = Instant::now();
            eprintln!("{:>9} of {} inputs, {} accepted", summary.inputs, arguments.inputs, summary.accepted);
        }
    }
    summary.print(start.elapsed());
    Ok(())
}
