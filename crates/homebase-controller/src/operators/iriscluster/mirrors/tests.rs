//! What is kept from round to round, and how often all are asked.

use std::time::Duration;

use homebase_core::ObjectKey;
use homebase_iris::cluster::primary::{Answer, Asked, Finding};
use tokio::time::Instant;

use super::{MirrorKey, Mirrors, Round, pace};
use crate::watching::FORBIDDEN_PAUSE;

fn key() -> MirrorKey {
    (ObjectKey::new("a", "b"), 0)
}

fn round(answers: [Answer; 2]) -> Round {
    let asked = answers.into_iter().enumerate().map(|(ordinal, answer)| {
        (format!("b-data-0-{ordinal}"), Asked { uid: format!("uid-{ordinal}"), answer })
    });
    Round { key: key(), answers: asked.collect() }
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_new_primary_is_told_once() {
    let mirrors = Mirrors::new(None);
    let cluster = key().0;
    assert!(mirrors.take(round([Answer::Primary, Answer::NotPrimary])));
    tokio::time::advance(Duration::from_secs(1)).await;
    assert!(!mirrors.take(round([Answer::Primary, Answer::NotPrimary])), "no news");
    assert_eq!(mirrors.take_primary_since(&cluster, "uid-1"), None);
    let since = mirrors.take_primary_since(&cluster, "uid-0").unwrap();
    assert_eq!(since, Duration::from_secs(1));
    assert_eq!(mirrors.take_primary_since(&cluster, "uid-0"), None);
    assert!(mirrors.take(round([Answer::NotPrimary, Answer::Primary])));
    assert_eq!(mirrors.take_primary_since(&cluster, "uid-1"), Some(Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn who_was_silent_waits_with_others_like_it() {
    let mirrors = Mirrors::new(None);
    assert!(!mirrors.was_silent(&key(), "b-data-0-1"), "never asked");
    mirrors.take(round([Answer::Primary, Answer::Silent]));
    assert!(!mirrors.was_silent(&key(), "b-data-0-0"));
    assert!(mirrors.was_silent(&key(), "b-data-0-1"));
    mirrors.take(round([Answer::Primary, Answer::NotPrimary]));
    assert!(!mirrors.was_silent(&key(), "b-data-0-1"));
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_forbids_it_is_asked_again_later() {
    let mirrors = Mirrors::new(None);
    assert!(mirrors.is_due(&key()));
    assert!(mirrors.take(round([Answer::Forbidden, Answer::Forbidden])));
    assert_eq!(mirrors.findings(&key().0).get(&0), Some(&Finding::Forbidden));
    assert!(!mirrors.is_due(&key()));
    tokio::time::sleep_until(Instant::now() + FORBIDDEN_PAUSE).await;
    assert!(mirrors.is_due(&key()));
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_forbids_it_once_is_asked_again_at_once() {
    let mirrors = Mirrors::new(None);
    let granted = || round([Answer::Primary, Answer::NotPrimary]);
    let forbidden = || round([Answer::Forbidden, Answer::Forbidden]);
    mirrors.take(granted());
    assert!(!mirrors.take(forbidden()) && mirrors.is_due(&key()), "its apiserver may have just begun");
    assert!(!mirrors.take(granted()));
    assert!(!mirrors.take(forbidden()) && mirrors.take(forbidden()));
    assert!(!mirrors.is_due(&key()));
    assert_eq!(mirrors.findings(&key().0).get(&0), Some(&Finding::Forbidden));
}

#[test]
fn many_members_are_asked_less_often() {
    let interval = Duration::from_secs(3);
    assert_eq!(pace(interval, 0), interval);
    assert_eq!(pace(interval, 90), interval);
    assert_eq!(pace(interval, 300), Duration::from_secs(10));
}
