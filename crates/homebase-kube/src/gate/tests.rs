//! Which requests are held back, and when.

use std::time::Duration;

use http::Request;

use super::{GateShut, Moment, WriteGate};

const TERM: Duration = Duration::from_secs(14);

fn request(method: &str, path: &str) -> Request<()> {
    Request::builder().method(method).uri(path).body(()).unwrap()
}

fn write() -> Request<()> {
    request("PATCH", "/api/v1/namespaces/a/services/b?fieldManager=c")
}

#[test]
fn a_shut_gate_holds_back_writes_and_nothing_else() {
    let gate = WriteGate::closed();
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        assert!(gate.pass(&request(method, "/api/v1/namespaces/a/pods/b")).is_err(), "{method}");
    }
    for (method, path) in [
        ("GET", "/api/v1/pods"),
        ("POST", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"),
        ("PATCH", "/api/v1/namespaces/a/services/b?dryRun=All&fieldManager=c"),
    ] {
        assert!(gate.pass(&request(method, path)).is_ok(), "{method} {path}");
    }
    assert!(WriteGate::open().pass(&write()).is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_term_ends_with_a_margin_and_a_renewal_opens_the_gate_again() {
    let gate = WriteGate::closed();
    gate.extend(Moment::now(), TERM);
    tokio::time::advance(Duration::from_secs(12)).await;
    assert!(gate.pass(&write()).is_ok());
    tokio::time::advance(Duration::from_secs(1)).await;
    assert!(gate.pass(&write()).is_err());
    gate.extend(Moment::now(), TERM);
    assert!(gate.pass(&write()).is_ok());
    gate.shut();
    assert!(gate.pass(&write()).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_write_that_is_not_answered_is_given_up_at_the_end_of_the_term() {
    let gate = WriteGate::closed();
    gate.extend(Moment::now(), TERM);
    let begun = tokio::time::Instant::now();
    let pass = gate.pass(&write()).unwrap();
    assert_eq!(pass.until_it_ends(std::future::pending::<()>()).await, Err(GateShut));
    assert!(begun.elapsed() <= TERM + Duration::from_millis(10), "{:?}", begun.elapsed());
}
