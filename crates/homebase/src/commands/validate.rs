//! The command `validate`: what an apiserver and the hub would say of manifests, without either. It changes nothing and
//! contacts nobody.

use serde::Serialize;

use self::judge::{Judge, Outcome, Verdict};
use super::Exit;
use super::manifests::{self, Manifests, Unreadable};
use super::output::{Cell, Table, Tone, is_coloured, json, print, tell, yaml};
use crate::arguments::{Output, ValidateArguments};

pub(super) mod judge;
#[cfg(test)]
mod tests;

const HEADINGS: [&str; 5] = ["RESULT", "WHERE", "RESOURCE", "FIELD", "FOUND"];

/// All findings.
#[derive(Debug, Serialize)]
struct Report {
    resources: Vec<Verdict>,
    /// Objects of other kinds, which are not judged.
    passed_over: Vec<String>,
    unreadable: Vec<Unreadable>,
}

pub(crate) fn run(arguments: &ValidateArguments) -> anyhow::Result<Exit> {
    let manifests = manifests::read(&arguments.manifests);
    for folder in &manifests.skipped {
        tell(&format!("note: folder {} is not read: name it with -f as well", folder.display()));
    }
    let report = examine(manifests)?;
    for unreadable in &report.unreadable {
        tell(&format!("error: {}: {}", unreadable.place, unreadable.why));
    }
    for passed_over in &report.passed_over {
        tell(&format!("note: passed over: {passed_over}"));
    }
    match arguments.output {
        Output::Json => print(&json(&report)?)?,
        Output::Yaml => print(&yaml(&report)?)?,
        Output::Table | Output::Wide => print(&table(&report).render(is_coloured()))?,
    }
    if report.resources.is_empty() && report.unreadable.is_empty() {
        tell("error: there is no IrisCluster and no Iris in what was given");
    }
    Ok(exit(&report))
}

fn examine(manifests: Manifests) -> anyhow::Result<Report> {
    let judge = Judge::new()?;
    let (mut resources, mut passed_over) = (Vec::new(), Vec::new());
    for document in &manifests.documents {
        match judge.verdict(document, &manifests) {
            Some(verdict) => resources.push(verdict),
            None => passed_over.push(format!(
                "{}: {} {}",
                document.place,
                document.kind(),
                document.text("/metadata/name")
            )),
        }
    }
    Ok(Report { resources, passed_over, unreadable: manifests.unreadable })
}

/// What is invalid stays invalid, whatever else could not be read.
fn exit(report: &Report) -> Exit {
    let any = |outcome| report.resources.iter().any(|verdict| verdict.result == outcome);
    if any(Outcome::Invalid) {
        Exit::Failure
    } else if any(Outcome::Unknown) || !report.unreadable.is_empty() || report.resources.is_empty() {
        Exit::Unknown
    } else {
        Exit::Success
    }
}

fn table(report: &Report) -> Table {
    let mut rows = Vec::new();
    for verdict in &report.resources {
        let place = verdict.place.to_string();
        let resource = verdict.resource();
        for finding in &verdict.findings {
            let found = match &finding.value {
                Some(value) => format!("{} (it is {value})", finding.message),
                None => finding.message.clone(),
            };
            let tone = if finding.is_fatal() { Tone::Bad } else { Tone::Unsure };
            let level = Cell::new(finding.level.as_str(), tone);
            rows.push(vec![
                level,
                (&finding.place).into(),
                (&resource).into(),
                (&finding.field).into(),
                found.into(),
            ]);
        }
        if verdict.result == Outcome::Valid {
            let result = Cell::new("VALID", Tone::Good);
            rows.push(vec![result, place.into(), resource.into()]);
        }
    }
    Table { headings: if rows.is_empty() { Vec::new() } else { HEADINGS.into() }, rows }
}
