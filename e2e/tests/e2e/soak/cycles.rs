//! Clusters that come and go some times: what the hub holds is what it held. Memory is judged by the benchmark alone,
//! over thousands of cycles.

use homebase_e2e::engage::{self, Options, judgement};

/// Enough to tell one that stays in each cycle from one that stays once, in seconds.
const CYCLES: usize = 20;

#[tokio::test]
async fn clusters_that_come_and_go_leave_no_task_descriptor_or_series() {
    let options = Options { cycles: CYCLES, clusters: 2, round: CYCLES / 2, hub: None };
    let report = engage::run(&options, |sample| println!("engage: {}", sample.figures)).await.unwrap();
    assert_eq!(report.samples.len(), 2);
    assert_eq!(judgement::faults(&report.baseline, &report.samples), Vec::<String>::new());
}
