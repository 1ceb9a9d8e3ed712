//! What is said of many claims.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::*;

fn finding(ordinal: usize, state: ClaimState) -> ClaimFinding {
    ClaimFinding {
        stateful_set: "demo-compute".to_owned(),
        claim: format!("iris-wij-demo-compute-{ordinal}"),
        state,
    }
}

fn told(mut findings: Vec<ClaimFinding>) -> String {
    findings.sort_by_key(|finding| rank(&finding.state));
    let findings: Vec<_> = findings.iter().collect();
    describe(findings[0], &findings, 512)
}

#[test]
fn the_text_stays_while_the_rest_of_hundreds_comes_right() {
    let pending =
        |last: usize| (last..128).rev().map(|ordinal| finding(ordinal, ClaimState::Pending)).collect();
    assert_eq!(
        told(pending(0)),
        "StatefulSet demo-compute: iris-wij-demo-compute-127 is not bound to a volume yet"
    );
    assert_eq!(told(pending(0)), told(pending(126)));
    let to = || Quantity("2Gi".to_owned());
    let growing = |last: usize| {
        let behind = (last..127).map(|ordinal| finding(ordinal, ClaimState::Behind { to: to() }));
        behind.chain([finding(127, ClaimState::Growing { to: to() })]).collect()
    };
    assert_eq!(told(growing(0)), "StatefulSet demo-compute: iris-wij-demo-compute-127 grows to 2Gi");
    assert_eq!(told(growing(0)), told(growing(126)));
}

#[test]
fn what_needs_a_person_is_told_in_full_and_without_what_does_not() {
    let mut findings: Vec<_> = (0..4).map(|ordinal| finding(ordinal, ClaimState::Lost)).collect();
    findings.push(finding(7, ClaimState::Deleting));
    let lost = told(findings.clone());
    assert!(
        lost.starts_with("5 of 512 claims are not as they should be: iris-wij-demo-compute-0 has lost"),
        "{lost}"
    );
    assert_eq!(lost.matches("has lost its volume").count(), MAX_NAMED);
    findings.push(finding(8, ClaimState::Pending));
    assert_eq!(told(findings), lost);
}
