//! The queue with tokio's paused clock: no key is lost, none is worked on twice at once.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use proptest::prelude::*;

use super::{Priority, QueueObserver, WorkQueue};

#[derive(Default)]
struct Depth(AtomicI64);

impl QueueObserver<u8> for Depth {
    fn added(&self, _: &u8) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
    fn taken(&self, _: &u8, _: Duration) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
    fn retried(&self, _: &u8) {}
    fn dropped(&self, _: &u8) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn queue() -> (Arc<Depth>, WorkQueue<u8>) {
    let depth = Arc::new(Depth::default());
    (depth.clone(), WorkQueue::new(depth))
}

async fn take_now(queue: &WorkQueue<u8>) -> Option<u8> {
    tokio::time::timeout(Duration::from_millis(1), queue.take()).await.ok()
}

#[tokio::test(start_paused = true)]
async fn live_changes_overtake_the_initial_listing() {
    let (_, queue) = queue();
    for key in [1, 2, 3] {
        queue.add(&key, Priority::Listed);
    }
    queue.add(&9, Priority::Live);
    queue.add(&3, Priority::Live);
    let mut order = Vec::new();
    while let Some(key) = take_now(&queue).await {
        order.push(key);
        queue.done(&key);
    }
    assert_eq!(order, [9, 3, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_changes_while_it_is_worked_on_comes_back_once() {
    let (_, queue) = queue();
    queue.add(&1, Priority::Live);
    assert_eq!(take_now(&queue).await, Some(1));
    queue.add(&1, Priority::Live);
    queue.add(&1, Priority::Live);
    assert_eq!(take_now(&queue).await, None, "never twice at once");
    queue.done(&1);
    assert_eq!(take_now(&queue).await, Some(1));
    queue.done(&1);
    assert_eq!(take_now(&queue).await, None);
}

#[tokio::test(start_paused = true)]
async fn failures_wait_longer_each_time_and_a_success_forgets_them() {
    let (_, queue) = queue();
    let mut waits = Vec::new();
    queue.add(&1, Priority::Live);
    for round in 0..12 {
        let before = tokio::time::Instant::now();
        let key = queue.take().await;
        waits.push(before.elapsed());
        if round == 10 {
            queue.done(&key);
        } else {
            queue.failed(&key, 1.0);
        }
        if round == 10 {
            queue.add(&1, Priority::Live);
        }
    }
    assert!(waits[1] >= Duration::from_millis(200) && waits[1] < Duration::from_millis(300), "{waits:?}");
    assert!(waits[1..10].windows(2).all(|pair| pair[1] >= pair[0]), "{waits:?}");
    assert!(waits[10] <= Duration::from_secs(61), "{waits:?}");
    assert!(queue.take().await == 1 && queue.backlog().0 == 0);
}

#[tokio::test(start_paused = true)]
async fn a_change_does_not_wait_for_the_backoff() {
    let (_, queue) = queue();
    queue.add_after(1, Duration::from_secs(3600));
    assert_eq!(take_now(&queue).await, None);
    queue.add(&1, Priority::Live);
    assert_eq!(take_now(&queue).await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn what_failed_of_an_outage_is_tried_at_once_when_it_is_over() {
    let (_, queue) = queue();
    queue.add(&1, Priority::Live);
    for _ in 0..10 {
        let key = queue.take().await;
        queue.failed(&key, 1.0);
    }
    queue.hold();
    assert_eq!(take_now(&queue).await, None);
    queue.resume();
    assert_eq!(take_now(&queue).await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn held_keys_are_kept() {
    let (_, queue) = queue();
    queue.hold();
    queue.add(&1, Priority::Live);
    assert_eq!(take_now(&queue).await, None);
    queue.resume();
    assert_eq!(take_now(&queue).await, Some(1));
}

proptest! {
    /// Whatever is added is taken afterwards, and the depth that metrics show ends at zero.
    #[test]
    fn no_key_is_lost_and_the_depth_comes_back_to_zero(steps in prop::collection::vec((0u8..6, 0u8..5), 0..120)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let (depth, queue) = queue();
            let (mut owed, mut working) = (HashSet::new(), HashSet::new());
            for (key, step) in steps {
                match step {
                    0 => { queue.add(&key, Priority::Live); owed.insert(key); }
                    1 => { queue.add(&key, Priority::Listed); owed.insert(key); }
                    2 => { queue.add_after(key, Duration::from_secs(u64::from(key))); owed.insert(key); }
                    3 => if let Some(taken) = take_now(&queue).await {
                        prop_assert!(working.insert(taken), "taken twice at once");
                        owed.remove(&taken);
                    },
                    _ => if working.remove(&key) {
                        if key % 2 == 0 { queue.done(&key) } else { queue.failed(&key, 0.5); owed.insert(key); }
                    },
                }
            }
            for key in working { queue.done(&key); }
            while let Ok(key) = tokio::time::timeout(Duration::from_secs(3600), queue.take()).await {
                owed.remove(&key);
                queue.done(&key);
            }
            prop_assert!(owed.is_empty(), "lost: {:?}", owed);
            prop_assert_eq!(depth.0.load(Ordering::Relaxed), 0);
            Ok(())
        })?;
    }
}
