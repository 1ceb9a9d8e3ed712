//! Lines stand in the order of the checks, and the worst one decides.

use super::{Check, Finding, Report};
use crate::commands::Exit;

fn report(findings: Vec<Finding>) -> Report {
    Report { cluster: Some("boston".to_owned()), from: "here".to_owned(), checks: findings }
}

fn pass(check: Check) -> Finding {
    Finding::pass(check, "fine".to_owned())
}

#[test]
fn a_failure_outweighs_what_is_not_known() {
    let failed = Finding::fail(Check::Tls, "wrong".to_owned(), "mend it");
    let unknown = Finding::unknown(Check::Clock, "no idea".to_owned());
    assert_eq!(report(vec![pass(Check::Dns)]).exit(), Exit::Success);
    assert_eq!(report(vec![pass(Check::Dns), unknown.clone()]).exit(), Exit::Unknown);
    assert_eq!(report(vec![unknown, failed, pass(Check::Dns)]).exit(), Exit::Failure);
    let note = Finding::note(Check::Expiry, "soon".to_owned(), "renew");
    assert_eq!(report(vec![note]).exit(), Exit::Success);
}

#[test]
fn what_was_not_reached_says_why() {
    let mut report = report(vec![pass(Check::Registration), pass(Check::Kubeconfig), pass(Check::Expiry)]);
    assert!(report.add_step(pass(Check::Dns)));
    assert!(!report.add_step(Finding::fail(Check::Tcp, "refused".to_owned(), "start it")));
    report.skip_to_freshness("there is no connection");
    report.add(pass(Check::Freshness));
    let text = report.table().render(false);
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().take(2).collect()).collect();
    let expected = [
        ["PASS", "registration"],
        ["PASS", "kubeconfig"],
        ["PASS", "expiry"],
        ["PASS", "dns"],
        ["FAIL", "tcp"],
        ["UNKNOWN", "tls"],
        ["UNKNOWN", "server"],
        ["UNKNOWN", "clock"],
        ["UNKNOWN", "credentials"],
        ["UNKNOWN", "identity"],
        ["UNKNOWN", "permissions"],
        ["UNKNOWN", "crds"],
        ["PASS", "freshness"],
    ];
    assert_eq!(lines, expected);
    assert!(text.contains("refused") && text.contains("fix: start it"), "{text}");
    assert!(text.contains("not checked: there is no connection"), "{text}");
}

#[test]
fn json_has_the_same_words() {
    let json =
        serde_json::to_value(report(vec![Finding::fail(Check::Crds, "gone".to_owned(), "apply")])).unwrap();
    let expected = serde_json::json!({
        "cluster": "boston", "from": "here",
        "checks": [{"check": "crds", "result": "FAIL", "found": "gone", "fix": "apply"}],
    });
    assert_eq!(json, expected);
}
