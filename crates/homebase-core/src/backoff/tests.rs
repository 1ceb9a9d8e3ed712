//! Delays stay within their bounds for every input.

use std::time::Duration;

use proptest::prelude::*;

use super::Backoff;

const SCHEDULE: Backoff = Backoff { first: Duration::from_secs(5), cap: Duration::from_secs(300) };

#[test]
fn the_ceiling_doubles_up_to_the_cap() {
    let seconds: Vec<u64> = (0..9).map(|n| SCHEDULE.ceiling(n).as_secs()).collect();
    assert_eq!(seconds, [5, 5, 10, 20, 40, 80, 160, 300, 300]);
}

#[test]
fn jitter_that_is_no_number_waits_longest() {
    assert_eq!(SCHEDULE.delay(1, f64::NAN), Duration::from_secs(5));
}

proptest! {
    #[test]
    fn a_delay_is_never_above_its_ceiling(failures in any::<u32>(), jitter in any::<f64>()) {
        prop_assert!(SCHEDULE.delay(failures, jitter) <= SCHEDULE.ceiling(failures));
        prop_assert!(SCHEDULE.ceiling(failures) <= SCHEDULE.cap);
    }
}
