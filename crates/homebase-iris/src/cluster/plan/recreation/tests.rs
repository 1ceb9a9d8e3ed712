//! Which claims are those of a StatefulSet, and the words for what holds it.

use super::*;

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
