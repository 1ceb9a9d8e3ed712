//! Who makes room.

use std::time::Duration;

use super::*;

#[tokio::test(start_paused = true)]
async fn the_one_that_has_waited_longest_makes_room_and_none_that_is_answered() {
    let mut all = Connections::default();
    let (_, first) = all.add();
    tokio::time::advance(Duration::from_secs(1)).await;
    let (_, second) = all.add();
    let (_, third) = all.add();
    tokio::time::advance(Duration::from_secs(1)).await;
    // The first one asks again.
    drop(first.begin());
    let busy = second.begin();
    assert!(all.make_room());
    third.close.notified().await;
    assert!(all.make_room());
    first.close.notified().await;
    assert!(!all.make_room());
    assert_eq!(all.len(), 1);
    tokio::time::advance(Duration::from_secs(1)).await;
    drop(busy);
    assert!(all.make_room());
    second.close.notified().await;
    assert_eq!(all.len(), 0);
}
