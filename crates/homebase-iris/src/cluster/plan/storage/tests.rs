//! What is said of one claim, and whose turn it is.

use serde_json::json;

use super::*;
use crate::cluster::claims::GrowthRefusal;

fn template(size: &str) -> PersistentVolumeClaim {
    serde_json::from_value(json!({
        "metadata": { "name": "iris-data" },
        "spec": { "resources": { "requests": { "storage": size } } },
    }))
    .unwrap()
}

fn bound(requested: &str, capacity: &str) -> ObservedClaim {
    ObservedClaim {
        phase: ClaimPhase::Bound,
        requested: Some(Quantity(requested.to_owned())),
        capacity: Some(Quantity(capacity.to_owned())),
        ..ObservedClaim::default()
    }
}

fn judged(found: &ObservedClaim) -> Option<ClaimState> {
    judge(&template("2Gi"), Some(found))
}

fn size(text: &str) -> Quantity {
    Quantity(text.to_owned())
}

#[test]
fn a_claim_with_its_size_however_written_or_with_more_capacity_is_right() {
    for (requested, capacity) in [("2Gi", "2Gi"), ("2048Mi", "2Gi"), ("2Gi", "10Gi")] {
        assert_eq!(judged(&bound(requested, capacity)), None, "{requested} {capacity}");
    }
}

#[test]
fn a_claim_that_asks_for_less_grows_and_one_that_asks_for_more_does_not_shrink() {
    assert_eq!(judged(&bound("1Gi", "1Gi")), Some(ClaimState::Behind { to: size("2Gi") }));
    // What a provider gave beyond the request is not asked for yet.
    assert_eq!(judged(&bound("1Gi", "4Gi")), Some(ClaimState::Behind { to: size("2Gi") }));
    let larger = ClaimState::Larger { has: size("4Gi"), wanted: size("2Gi") };
    assert_eq!(judged(&bound("4Gi", "4Gi")), Some(larger));
}

#[test]
fn a_refusal_counts_for_the_size_that_was_refused() {
    let refused = |to: &str| {
        let refusal = Some(GrowthRefusal { to: size(to), words: "no".to_owned() });
        judged(&ObservedClaim { refusal, ..bound("1Gi", "1Gi") })
    };
    assert_eq!(refused("2Gi"), Some(ClaimState::Refused("no".to_owned())));
    assert_eq!(refused("3Gi"), Some(ClaimState::Behind { to: size("2Gi") }));
}

#[test]
fn a_claim_that_is_on_its_way_out_or_unbound_is_not_asked_for_more() {
    let deleting = ObservedClaim { deleting: true, ..bound("1Gi", "1Gi") };
    assert_eq!(judged(&deleting), Some(ClaimState::Deleting));
    for (phase, state) in [(ClaimPhase::Pending, ClaimState::Pending), (ClaimPhase::Lost, ClaimState::Lost)] {
        assert_eq!(judged(&ObservedClaim { phase, ..bound("1Gi", "1Gi") }), Some(state));
    }
    assert_eq!(judge(&template("2Gi"), None), Some(ClaimState::Missing));
}

#[test]
fn the_next_one_grows_when_none_is_on_its_way() {
    let finding = |claim: &str, state| ClaimFinding {
        stateful_set: "iris-data".to_owned(),
        claim: claim.to_owned(),
        state,
    };
    let behind = || ClaimState::Behind { to: size("2Gi") };
    let claims = BTreeMap::from(["a", "b"].map(|name| (name.to_owned(), bound("1Gi", "1Gi"))));
    for (first, begins) in [
        (ClaimState::Growing { to: size("2Gi") }, false),
        (ClaimState::FileSystem { to: size("2Gi") }, true),
        (ClaimState::Refused("no".to_owned()), true),
        (ClaimState::Pending, true),
    ] {
        let mut findings = [finding("a", first.clone()), finding("b", behind())];
        let growth = begin_next(&mut findings, &claims);
        assert_eq!(growth.map(|growth| growth.claim), begins.then(|| "b".to_owned()), "{first:?}");
    }
    let mut findings = [finding("b", behind()), finding("a", behind())];
    assert_eq!(begin_next(&mut findings, &claims).unwrap().claim, "b");
    assert_eq!(findings[0].state, ClaimState::Growing { to: size("2Gi") });
    assert_eq!(findings[1].state, behind());
}
