//! The command `attest`: compares what runs of an IrisCluster with what the hub would make of it. It changes nothing.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use homebase_core::Chain;
use homebase_iris::cluster::attest::{Report, Verdict, attest, refused};
use homebase_iris::cluster::validate;
use kube::Client;
use tokio::time::Instant;

use self::look::look;
use super::Exit;
use super::output::{is_coloured, print, tell};
use super::reach::{Way, reach};
use super::values::AttestTarget;
use crate::arguments::{AttestArguments, AttestFormat};

mod junit;
pub(super) mod look;
mod show;
#[cfg(test)]
mod tests;

/// How often to look again: a pod takes longer to come up, and an apiserver does not notice.
const POLL: Duration = Duration::from_secs(1);

pub(crate) async fn run(arguments: &AttestArguments) -> anyhow::Result<Exit> {
    let target = &arguments.target;
    let way = Way {
        cluster: target.cluster.as_ref(),
        kubeconfig: arguments.kubeconfig.as_deref(),
        namespace: &arguments.namespace,
        allow_loopback: arguments.allow_loopback_destinations,
    };
    let client = reach(&way).await?;
    let report = settle(&client, target, arguments.wait.duration()).await?;
    publish(&report, target, arguments.output, arguments.junit.as_deref())
}

/// Looks until every claim passes or the time is over; the last report.
pub(super) async fn settle(
    client: &Client,
    target: &AttestTarget,
    bound: Duration,
) -> anyhow::Result<Report> {
    let deadline = Instant::now() + bound;
    let mut told = String::new();
    loop {
        let looked = once(client, target).await;
        let is_over = Instant::now() >= deadline;
        let words = match looked {
            Ok(report) if report.result == Verdict::Pass || is_over => return Ok(report),
            Ok(report) => show::progress(&report),
            Err(error) if is_over => return Err(error),
            Err(error) => format!("{error:#}"),
        };
        if words != told {
            tell(&format!("{target}: {words}"));
            told = words;
        }
        tokio::time::sleep(POLL).await;
    }
}

/// One attestation.
async fn once(client: &Client, target: &AttestTarget) -> anyhow::Result<Report> {
    let (namespace, name) = (target.namespace.as_str(), target.name.as_str());
    let Some(found) = look(client, namespace, name).await? else {
        anyhow::bail!("there is no IrisCluster {namespace}/{name}");
    };
    Ok(match validate(&found.cluster, &found.dereferenced) {
        Ok(validated) => attest(&validated, &found.seen),
        Err(invalid) => refused(namespace, name, &invalid),
    })
}

/// Prints a report, and says by the exit code what it comes to.
pub(super) fn publish(
    report: &Report,
    target: &AttestTarget,
    format: AttestFormat,
    junit: Option<&Path>,
) -> anyhow::Result<Exit> {
    let subject = target.to_string();
    if let Some(path) = junit {
        std::fs::write(path, junit::document(report, &subject))
            .with_context(|| format!("write {}", path.display()))?;
    }
    match format {
        AttestFormat::Table => print(&show::table(report, is_coloured()))?,
        AttestFormat::Json => print(&show::json(report, target)?)?,
        AttestFormat::Junit => print(&junit::document(report, &subject))?,
    }
    tell(&format!("{subject}: {}: {}", report.result, show::progress(report)));
    Ok(match report.result {
        Verdict::Pass => Exit::Success,
        Verdict::Fail => Exit::Failure,
        Verdict::Unknown => Exit::Unknown,
    })
}

/// What went wrong with a request. kube shows the whole of an answer, in the form of Rust code.
pub(super) fn words(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => format!("the server answers {}: {}", status.code, status.message),
        other => Chain(other).to_string(),
    }
}
