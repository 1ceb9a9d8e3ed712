//! A burst is let through, then a steady few, and what is left out is counted for each kind and cluster.

use super::*;

fn kind(cluster: u64) -> Kind {
    let callsite = tracing::callsite!(name: "x", kind: tracing::metadata::Kind::EVENT, fields: message);
    (Identifier(callsite), cluster)
}

#[test]
fn one_cluster_that_floods_takes_nothing_from_another() {
    let (rates, start) = (Rates::default(), Instant::now());
    let (flooding, other) = (kind(1), kind(2));
    let allowed = (0..20_000).filter(|_| rates.allow(flooding.clone(), start)).count();
    assert_eq!(allowed, 100);
    assert!(rates.allow(other.clone(), start));
    assert_eq!((rates.take_suppressed(&flooding), rates.take_suppressed(&flooding)), (19_900, 0));
    assert_eq!(rates.take_suppressed(&other), 0);
    // Ten a second from then on.
    let within_a_second = (0..1000_u32)
        .filter(|n| rates.allow(flooding.clone(), start + Duration::from_millis(1 + u64::from(*n))))
        .count();
    assert!((9..=11).contains(&within_a_second), "{within_a_second}");
}

#[test]
fn what_is_remembered_is_bounded() {
    let (rates, start) = (Rates::default(), Instant::now());
    let of = |cluster: usize| (kind(0).0, cluster as u64);
    assert!((0..MAX_KINDS).all(|cluster| rates.allow(of(cluster), start)));
    assert!(!rates.allow(of(MAX_KINDS), start));
    assert!(rates.allow(of(MAX_KINDS), start + Duration::from_secs(60)));
    assert!(rates.0.lock().unwrap().len() <= MAX_KINDS);
}
