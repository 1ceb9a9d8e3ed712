//! The words of apiservers are not taken for those of pods, and the other way round.

use http::StatusCode;

use super::{PodAnswer, is_pod_proxy, sort};

const UNREACHED: &[u8] = br#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure",
    "message":"error trying to reach service: dial tcp 10.0.0.1:52773: connect: connection refused",
    "reason":"ServiceUnavailable","code":503}"#;

#[test]
fn a_503_of_the_pod_is_an_answer_and_one_of_the_apiserver_is_none() {
    let status = StatusCode::SERVICE_UNAVAILABLE;
    assert_eq!(sort(status, Some(b"FAILED")), PodAnswer::Pod(status));
    assert_eq!(sort(status, Some(b"{\"status\":\"FAILED\"}")), PodAnswer::Pod(status));
    assert_eq!(sort(status, None), PodAnswer::Pod(status));
    assert_eq!(sort(status, Some(UNREACHED)), PodAnswer::None);
    assert_eq!(sort(StatusCode::NOT_FOUND, Some(UNREACHED)), PodAnswer::None);
}

#[test]
fn only_the_apiserver_says_that_the_hub_may_not_ask() {
    assert_eq!(sort(StatusCode::FORBIDDEN, Some(UNREACHED)), PodAnswer::Forbidden);
    let login = sort(StatusCode::FORBIDDEN, Some(b"<html>"));
    assert_eq!(login, PodAnswer::Pod(StatusCode::FORBIDDEN));
}

#[test]
fn what_says_that_somebody_else_was_silent_is_no_answer() {
    for status in [StatusCode::BAD_GATEWAY, StatusCode::GATEWAY_TIMEOUT, StatusCode::TOO_MANY_REQUESTS] {
        assert_eq!(sort(status, Some(b"<html>")), PodAnswer::None);
    }
}

#[test]
fn a_request_to_a_pod_is_told_by_its_path() {
    assert!(is_pod_proxy("/api/v1/namespaces/a/pods/b:52773/proxy/csp/bin/mirror_status.cxw"));
    assert!(!is_pod_proxy("/api/v1/namespaces/proxy/pods/proxy"));
    assert!(!is_pod_proxy("/api/v1/namespaces/a/pods/b/eviction"));
}
