//! A report as `JUnit` XML, which CI systems read: a claim is a test case, one that fails a failure, one that cannot be
//! told an error. Text that comes from a cluster is hostile: it must stay text.

use std::fmt::Write as _;

use homebase_iris::cluster::attest::{Claim, Report, Verdict};

/// The document.
pub(super) fn document(report: &Report, subject: &str) -> String {
    let count = |verdict| report.claims.iter().filter(|claim| claim.result == verdict).count();
    let (tests, failures, errors) = (report.claims.len(), count(Verdict::Fail), count(Verdict::Unknown));
    let subject = escape(subject);
    let counts = format!(r#"tests="{tests}" failures="{failures}" errors="{errors}""#);
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"homebase attest\" {counts}>\n  \
         <testsuite name=\"{subject}\" {counts} skipped=\"0\">\n"
    );
    for claim in &report.claims {
        text.push_str(&case(claim, &subject));
    }
    text.push_str("  </testsuite>\n</testsuites>\n");
    text
}

fn case(claim: &Claim, subject: &str) -> String {
    let (name, reason) = (escape(&claim.claim), escape(&claim.reason));
    let mut text = format!("    <testcase classname=\"{subject}\" name=\"{name}\">\n");
    // Writing to a text cannot fail.
    let _ = match claim.result {
        Verdict::Pass => writeln!(text, "      <system-out>{reason}</system-out>"),
        Verdict::Fail => writeln!(text, "      <failure type=\"FAIL\" message=\"{reason}\"/>"),
        Verdict::Unknown => writeln!(text, "      <error type=\"UNKNOWN\" message=\"{reason}\"/>"),
    };
    text.push_str("    </testcase>\n");
    text
}

/// The text as it may stand in an attribute. XML has no way to write most control characters.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            '\n' | '\r' | '\t' => escaped.push(' '),
            c if c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}') => escaped.push('\u{FFFD}'),
            c => escaped.push(c),
        }
    }
    escaped
}
