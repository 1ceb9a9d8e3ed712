//! Which claims are those of a StatefulSet, and the words for what holds it.

use super::*;
use crate::cluster::claims::ClaimPhase;

fn is_claim(claim: &str, template: &str, set: &str) -> bool {
    ordinal_of(claim, template, set).is_some()
}

#[test]
fn a_claim_belongs_to_its_template_its_set_and_a_pod() {
    assert!(is_claim("iris-data-demo-data-0", "iris-data", "demo-data"));
    assert!(is_claim("iris-data-demo-data-12", "iris-data", "demo-data"));
    // That of the first member of a mirror is not that of a set without shards.
    assert!(!is_claim("iris-data-demo-data-0-1", "iris-data", "demo-data"));
    assert!(!is_claim("iris-data-demo-data", "iris-data", "demo-data"));
    assert!(!is_claim("iris-wij-demo-data-0", "iris-data", "demo-data"));
    assert!(!is_claim("iris-data-demo-data-x", "iris-data", "demo-data"));
}

#[test]
fn hundreds_of_claims_are_told_in_a_few_words() {
    let claims: Vec<_> = (0..5).map(|number| format!("c{number}")).collect();
    assert_eq!(Hold::NotBound(claims.clone()).to_string(), "not bound: c0, c1, c2 and 2 more");
    assert_eq!(Hold::NotBound(claims[..3].to_vec()).to_string(), "not bound: c0, c1, c2");
}

#[test]
fn a_claim_that_has_lost_its_label_counts_when_the_set_goes() {
    let recreation = Recreation {
        stateful_set: "demo-data".to_owned(),
        uid: "uid".to_owned(),
        fields: Vec::new(),
        claims: vec!["iris-data-demo-data-0".to_owned()],
        templates: vec!["iris-data".to_owned()],
        pods: 2,
    };
    let live = |claims: &[(&str, ClaimPhase)]| {
        let claim = |(name, phase): &(&str, ClaimPhase)| {
            ((*name).to_owned(), ObservedClaim { phase: *phase, ..ObservedClaim::default() })
        };
        claims.iter().map(claim).collect::<BTreeMap<_, _>>()
    };
    let first = ("iris-data-demo-data-0", ClaimPhase::Bound);
    let others = [("iris-data-demo-data-2", ClaimPhase::Pending), ("other-demo-data-1", ClaimPhase::Lost)];
    assert!(recreation.may_begin(&live(&[first, others[0], others[1]])), "those are of none of its pods");
    assert!(!recreation.may_begin(&live(&[first, ("iris-data-demo-data-1", ClaimPhase::Pending)])));
    assert!(!recreation.may_begin(&live(&[])), "one that was seen is gone");
}
