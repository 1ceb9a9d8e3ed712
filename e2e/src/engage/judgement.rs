//! Whether what a hub holds stays the same over many cycles. It must not measure.

use std::fmt::Write as _;
use std::time::Duration;

use crate::figures::Figures;

/// Cycles after which a hub has grown to its working size: allocator arenas, tables and pools are filled by then.
pub const WARM_UP: usize = 500;
/// A leak of one small object in each cycle is a few hundred bytes; what an allocator keeps in reserve wavers by
/// megabytes, which over thousands of cycles is less than this.
pub const MAX_BYTES_PER_CYCLE: f64 = 1024.0;
/// Over fewer cycles than this a slope is the wavering of the allocator, and memory is not judged.
pub const JUDGED_CYCLES: usize = 2000;
/// A first conflict or refusal is a new combination of labels, whenever it comes; of those there are few, and a series
/// in each cycle is soon more.
const MAX_NEW_SERIES: usize = 8;
/// Rows of the table.
const ROWS: usize = 10;
const KIB: f64 = 1024.0;

/// What a hub held after some cycles, with no cluster registered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Cycles so far.
    pub cycles: usize,
    /// Time since the first.
    pub elapsed: Duration,
    /// What it held.
    pub figures: Figures,
}

/// The growth of memory after the warm-up, fitted by least squares; none before there are enough cycles.
pub fn bytes_per_cycle(samples: &[Sample]) -> Option<f64> {
    let judged: Vec<&Sample> = samples.iter().filter(|sample| sample.cycles >= WARM_UP).collect();
    let (first, last) = (judged.first()?, judged.last()?);
    if last.cycles - first.cycles < JUDGED_CYCLES {
        return None;
    }
    let points: Vec<(f64, f64)> = judged
        .iter()
        .map(|sample| (number(sample.cycles), number(sample.figures.resident_kib) * KIB))
        .collect();
    let count = number(points.len());
    let mean = |pick: fn(&(f64, f64)) -> f64| points.iter().map(pick).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let covariance: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    let variance: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    Some(covariance / variance)
}

/// Everything that is not flat, in words.
pub fn faults(baseline: &Figures, samples: &[Sample]) -> Vec<String> {
    let mut faults: Vec<String> = samples
        .iter()
        .filter_map(|sample| {
            Some(format!("after {} cycles: {}", sample.cycles, sample.figures.beyond(baseline)?))
        })
        .collect();
    if let (Some(first), Some(last)) = (samples.first(), samples.last())
        && last.figures.series > first.figures.series + MAX_NEW_SERIES
    {
        let (now, then) = (last.figures.series, first.figures.series);
        faults.push(format!("{now} series in the end, {then} after {} cycles", first.cycles));
    }
    if let Some(slope) = bytes_per_cycle(samples).filter(|slope| *slope > MAX_BYTES_PER_CYCLE) {
        faults.push(format!(
            "memory grows by {slope:.0} bytes in each cycle, {MAX_BYTES_PER_CYCLE} are allowed"
        ));
    }
    faults
}

/// Some of the samples as a table, evenly spread, the last one included.
pub fn table(samples: &[Sample]) -> String {
    let mut table =
        String::from("  cycles   time s  cycles/s   RSS KiB  descriptors  tasks  series  CPU s\n");
    let step = samples.len().div_ceil(ROWS).max(1);
    let is_shown = |index: usize| (samples.len() - 1 - index).is_multiple_of(step);
    for (_, sample) in samples.iter().enumerate().filter(|(index, _)| is_shown(*index)) {
        let Figures { resident_kib, descriptors, tasks, series, cpu_seconds, .. } = sample.figures;
        let seconds = sample.elapsed.as_secs_f64();
        let rate = number(sample.cycles) / seconds;
        // Writing to a text cannot fail.
        let _ = writeln!(
            table,
            "{:>8} {seconds:>8.1} {rate:>9.1} {resident_kib:>9} {descriptors:>12} {tasks:>6} {series:>7} {cpu_seconds:>6.1}",
            sample.cycles,
        );
    }
    table
}

#[expect(clippy::cast_precision_loss, reason = "counts of a benchmark are far below 2^53")]
fn number(count: impl TryInto<u64>) -> f64 {
    count.try_into().unwrap_or(u64::MAX) as f64
}

#[cfg(test)]
mod tests {
    //! A leak is found, wavering is none.

    use super::*;

    fn samples(memory: impl Fn(usize) -> u64) -> Vec<Sample> {
        let figures =
            |cycles| Figures { resident_kib: memory(cycles), tasks: 9, series: 50, ..Figures::default() };
        let at = |cycles| Sample { cycles, elapsed: Duration::from_secs(1), figures: figures(cycles) };
        (1..=50).map(|round| at(round * 100)).collect()
    }

    fn baseline() -> Figures {
        Figures { tasks: 9, ..Figures::default() }
    }

    #[test]
    fn growth_in_the_warm_up_and_wavering_are_no_leak() {
        let wavering = samples(|cycles| cycles.min(WARM_UP) as u64 * 40 + (cycles as u64 / 100 % 3) * 900);
        assert_eq!(faults(&baseline(), &wavering), Vec::<String>::new());
    }

    #[test]
    fn two_kib_in_each_cycle_are_a_leak() {
        let leaking = samples(|cycles| 20_000 + cycles as u64 * 2);
        let slope = bytes_per_cycle(&leaking).unwrap();
        assert!((slope - 2048.0).abs() < 1.0, "{slope}");
        assert_eq!(faults(&baseline(), &leaking).len(), 1);
        assert_eq!(bytes_per_cycle(&leaking[..20]), None);
    }

    #[test]
    fn a_task_that_stays_is_told_with_the_cycle_it_was_seen_after() {
        let mut samples = samples(|_| 1000);
        samples[7].figures.tasks += 1;
        samples[49].figures.series += MAX_NEW_SERIES;
        assert_eq!(faults(&baseline(), &samples), ["after 800 cycles: 10 tasks, 9 before"]);
        samples[49].figures.series += 1;
        assert_eq!(faults(&baseline(), &samples)[1], "59 series in the end, 50 after 100 cycles");
    }

    #[test]
    fn the_table_has_the_last_sample() {
        let table = table(&samples(|_| 1000));
        assert_eq!(table.lines().count(), 1 + ROWS);
        assert!(table.lines().last().unwrap().trim_start().starts_with("5000"), "{table}");
    }
}
