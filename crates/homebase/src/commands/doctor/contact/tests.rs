//! Clocks and answers are judged without a server.

use homebase_kube::Category;
use homebase_kubeconfig::Trust;
use http::StatusCode;

use super::super::report::Outcome;
use super::{answer, clock, failed, trusted};

fn outcome(date: Option<&str>) -> Outcome {
    clock(date, "2026-11-20T12:00:00Z".parse().unwrap()).result
}

#[test]
fn clocks_may_differ_a_little() {
    for (date, expected) in [
        ("Fri, 20 Nov 2026 12:00:00 GMT", Outcome::Pass),
        ("Fri, 20 Nov 2026 12:00:30 GMT", Outcome::Pass),
        ("Fri, 20 Nov 2026 11:59:30 GMT", Outcome::Pass),
        ("Fri, 20 Nov 2026 12:00:31 GMT", Outcome::Fail),
        ("Fri, 20 Nov 2026 11:59:29 GMT", Outcome::Fail),
        ("Sat, 20 Nov 2027 12:00:00 GMT", Outcome::Fail),
        ("yesterday", Outcome::Unknown),
    ] {
        assert_eq!(outcome(Some(date)), expected, "{date}");
    }
    assert_eq!(outcome(None), Outcome::Unknown);
}

#[test]
fn a_refusal_is_an_answer() {
    for (status, expected) in [
        (StatusCode::OK, Outcome::Pass),
        (StatusCode::UNAUTHORIZED, Outcome::Pass),
        (StatusCode::FORBIDDEN, Outcome::Pass),
        (StatusCode::NOT_FOUND, Outcome::Fail),
        (StatusCode::FOUND, Outcome::Fail),
        (StatusCode::TOO_MANY_REQUESTS, Outcome::Fail),
        (StatusCode::BAD_GATEWAY, Outcome::Fail),
    ] {
        assert_eq!(answer(status).result, expected, "{status}");
    }
}

#[test]
fn a_server_that_never_answers_is_told_from_one_that_never_shakes_hands() {
    let hung = failed(Category::ConnectTimeout, "no session", &Trust::SystemRoots);
    assert_eq!((hung.tls.result, hung.server.result), (Outcome::Fail, Outcome::Unknown));
    let silent = failed(Category::ResponseTimeout, "no answer", &Trust::SystemRoots);
    assert_eq!((silent.tls.result, silent.server.result), (Outcome::Pass, Outcome::Fail));
}

#[test]
fn a_server_that_nobody_verifies_is_not_called_the_one_that_is_meant() {
    assert_eq!(trusted(&Trust::SystemRoots).fix, None);
    for trust in [Trust::Unverified, Trust::Plaintext] {
        let finding = trusted(&trust);
        assert!(!finding.found.contains("the server's") && finding.fix.is_some(), "{}", finding.found);
    }
}
