//! What the board says of watches of one kind in several namespaces, and how long a watch that failed waits.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::{MAX_NAMED, Place, Progress, SyncBoard, until_ready};

const BACKOFF: Duration = Duration::from_secs(8);

#[tokio::test(start_paused = true)]
async fn a_watch_of_a_cluster_that_answers_waits_for_its_backoff() {
    let (_cluster, reachable) = watch::channel(true);
    let start = Instant::now();
    until_ready(BACKOFF, reachable).await;
    assert_eq!(start.elapsed(), BACKOFF);
}

#[tokio::test(start_paused = true)]
async fn a_watch_goes_on_as_soon_as_the_cluster_answers_again_and_not_before() {
    for was_reachable in [true, false] {
        let (cluster, reachable) = watch::channel(was_reachable);
        let start = Instant::now();
        let waiting = tokio::spawn(until_ready(BACKOFF, reachable));
        tokio::time::advance(Duration::from_secs(1)).await;
        cluster.send_replace(false);
        tokio::time::advance(BACKOFF * 2).await;
        assert!(!waiting.is_finished());
        cluster.send_replace(true);
        waiting.await.unwrap();
        assert_eq!(start.elapsed(), Duration::from_secs(1) + BACKOFF * 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_answered_again_ends_the_wait() {
    let (cluster, reachable) = watch::channel(true);
    let start = Instant::now();
    let waiting = tokio::spawn(until_ready(BACKOFF, reachable));
    tokio::time::advance(Duration::from_secs(1)).await;
    cluster.send_replace(true);
    waiting.await.unwrap();
    assert_eq!(start.elapsed(), Duration::from_secs(1));
}

fn place(kind: &'static str, namespace: Option<&str>) -> Place {
    Place { kind, namespace: namespace.map(|name| name.parse().unwrap()) }
}

fn listed(progress: &mut Progress) {
    progress.listed = true;
}

#[test]
fn each_namespace_counts_for_itself() {
    let board = SyncBoard::default();
    for namespace in ["a", "b"] {
        board.update(&place("Service", Some(namespace)), |_| {});
    }
    assert_eq!(board.watches(), 2);
    board.update(&place("Service", Some("a")), listed);
    assert_eq!(board.missing().as_deref(), Some("Service in b"));
    board.update(&place("Service", Some("b")), listed);
    assert_eq!(board.missing(), None);
    board.update(&place("Pod", None), |_| {});
    assert_eq!(board.missing().as_deref(), Some("Pod"));
}

#[test]
fn hundreds_of_watches_are_told_in_a_few_words() {
    let board = SyncBoard::default();
    for number in 0..MAX_NAMED + 5 {
        board.update(&place("Service", Some(&format!("n-{number:03}"))), |_| {});
    }
    let words = board.missing().unwrap();
    assert!(words.starts_with("Service in n-000, ") && words.ends_with(", and 5 more"), "{words}");
}

#[tokio::test(start_paused = true)]
async fn a_recovery_of_before_spares_no_later_wait() {
    let (cluster, reachable) = watch::channel(true);
    cluster.send_replace(true);
    let start = Instant::now();
    until_ready(BACKOFF, reachable).await;
    assert_eq!(start.elapsed(), BACKOFF);
}
