//! A report for people and as JSON. It judges nothing.

use homebase_iris::cluster::attest::{Report, Row, Verdict};
use serde::Serialize;

use super::super::output::{self, Cell, Table, Tone};
use super::super::values::AttestTarget;

const HEADINGS: [&str; 4] = ["ZONE", "COMPONENT", "EXPECTED", "OBSERVED"];
/// What stands for any zone.
const ANY: &str = "any";
/// What stands for a number that nobody could read.
const UNREAD: &str = "?";

/// The table of zones, and one line for each claim.
pub(super) fn table(report: &Report, coloured: bool) -> String {
    let zones = Table { headings: HEADINGS.into(), rows: report.zones.iter().map(zone).collect() };
    let claims = report.claims.iter().map(|claim| {
        let result = Cell::new(claim.result.as_str(), tone(claim.result));
        vec![result, claim.claim.as_str().into(), claim.reason.as_str().into()]
    });
    let claims = Table { headings: Vec::new(), rows: claims.collect() }.render(coloured);
    if report.zones.is_empty() { claims } else { format!("{}\n{claims}", zones.render(coloured)) }
}

fn zone(row: &Row) -> Vec<Cell> {
    let place = if row.zones.is_empty() { ANY.to_owned() } else { row.zones.join(" or ") };
    let number = |number: Option<usize>| number.map_or(UNREAD.to_owned(), |number| number.to_string());
    let tone = match (row.expected, row.observed) {
        (Some(expected), Some(observed)) if expected == observed => Tone::Good,
        (Some(_), Some(_)) => Tone::Bad,
        _ => Tone::Unsure,
    };
    let observed = Cell::new(number(row.observed), tone);
    vec![place.into(), row.component.into(), number(row.expected).into(), observed]
}

const fn tone(verdict: Verdict) -> Tone {
    match verdict {
        Verdict::Pass => Tone::Good,
        Verdict::Fail => Tone::Bad,
        Verdict::Unknown => Tone::Unsure,
    }
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<&'a str>,
    #[serde(flatten)]
    report: &'a Report,
}

pub(super) fn json(report: &Report, target: &AttestTarget) -> anyhow::Result<String> {
    let cluster = target.cluster.as_ref().map(homebase_core::ClusterId::as_str);
    output::json(&Document { cluster, report })
}

/// How far it is, in few words.
pub(super) fn progress(report: &Report) -> String {
    let passed = report.claims.iter().filter(|claim| claim.result == Verdict::Pass).count();
    let observed: Option<usize> = report.zones.iter().map(|row| row.observed).sum();
    let expected: Option<usize> = report.zones.iter().map(|row| row.expected).sum();
    let pods = match (observed, expected) {
        (Some(observed), Some(expected)) => format!(", {observed} of {expected} pods placed"),
        _ => String::new(),
    };
    format!("{passed} of {} claims pass{pods}", report.claims.len())
}
