//! What people and CI systems get to see of a report. What a report says is decided and tested elsewhere.

use homebase_iris::cluster::attest::{Claim, Report, Row, Verdict};
use serde_json::Value;

use super::{junit, show};

fn report() -> Report {
    let claim = |claim: &str, result, reason: &str| Claim {
        claim: claim.to_owned(),
        result,
        reason: reason.to_owned(),
    };
    let row = |zones: &[&str], expected, observed| Row {
        zones: zones.iter().map(|zone| (*zone).to_owned()).collect(),
        component: "compute",
        expected,
        observed,
    };
    Report {
        namespace: "rehearsal".to_owned(),
        name: "iris".to_owned(),
        result: Verdict::Fail,
        zones: vec![
            row(&["london"], Some(128), Some(19)),
            row(&["boston", "chicago"], Some(2), None),
            row(&[], Some(1), Some(1)),
        ],
        claims: vec![
            claim("data primary in boston", Verdict::Pass, "on node boston-0"),
            claim("128 compute in london", Verdict::Fail, "19 of 128: <b>\"ill\" & 'ready'</b>\u{1b}[31m\n"),
            claim("every node is alive", Verdict::Unknown, "this account has no right to list nodes"),
        ],
    }
}

#[test]
fn the_table_has_zones_and_one_line_for_each_claim() {
    let text = show::table(&report(), false);
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let lines: Vec<_> = text.lines().map(words).collect();
    assert_eq!(lines[0], ["ZONE", "COMPONENT", "EXPECTED", "OBSERVED"]);
    assert_eq!(lines[1], ["london", "compute", "128", "19"]);
    assert_eq!(lines[2], ["boston", "or", "chicago", "compute", "2", "?"]);
    assert_eq!(lines[3], ["any", "compute", "1", "1"]);
    let verdicts: Vec<_> = lines[5..].iter().map(|line| line[0].as_str()).collect();
    assert_eq!(verdicts, ["PASS", "FAIL", "UNKNOWN"]);
    assert!(!text.contains('\u{1b}'), "{text:?}");
    assert!(show::table(&report(), true).contains("\u{1b}[31mFAIL\u{1b}[0m"));
    assert_eq!(show::progress(&report()), "1 of 3 claims pass");
}

#[test]
fn json_names_the_cluster_if_one_was_named() {
    let json = |target: &str| -> Value {
        serde_json::from_str(&show::json(&report(), &target.parse().unwrap()).unwrap()).unwrap()
    };
    let named = json("boston/rehearsal/iris");
    assert_eq!((&named["cluster"], &named["result"]), (&"boston".into(), &"FAIL".into()));
    assert_eq!(named["claims"][2]["result"], "UNKNOWN");
    assert_eq!(named["zones"][1]["observed"], Value::Null);
    assert_eq!(json("rehearsal/iris").get("cluster"), None);
}

#[test]
fn junit_has_a_case_for_each_claim_and_text_stays_text() {
    let text = junit::document(&report(), "boston/rehearsal/iris");
    assert!(text.contains(r#"tests="3" failures="1" errors="1""#), "{text}");
    assert_eq!(text.matches("<testcase ").count(), 3);
    let failure = r#"message="19 of 128: &lt;b&gt;&quot;ill&quot; &amp; &apos;ready&apos;&lt;/b&gt;"#;
    assert!(text.contains(failure) && !text.contains('\u{1b}'), "{text}");
    assert!(text.contains(r#"<error type="UNKNOWN" message="this account has"#), "{text}");
}

#[test]
fn a_target_has_two_or_three_parts() {
    use crate::commands::values::AttestTarget;
    let read = |text: &str| text.parse::<AttestTarget>().map(|target| target.to_string());
    assert_eq!(read("boston/ns/iris").as_deref(), Ok("boston/ns/iris"));
    assert_eq!(read("ns/iris").as_deref(), Ok("ns/iris"));
    for bad in ["iris", "a/b/c/d", "/ns/iris", "ns/", "Boston/ns/iris", "ns/-"] {
        assert!(read(bad).is_err(), "{bad}");
    }
}
