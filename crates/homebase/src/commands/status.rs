//! The command `status`: all that the hub shows of one cluster. The exit code says whether it is Ready.

use homebase_api::conditions::find_condition;
use homebase_api::conditions::work_cluster::Ready;
use homebase_api::{WorkCluster, WorkClusterStatus};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::ResourceExt as _;

use super::Exit;
use super::fleet::Home;
use super::grant::second;
use super::hub::{HubLife, hub_life};
use super::list::verdict;
use super::output::{Cell, Table, Tone, age, is_coloured, json, print, tell, yaml};
use crate::arguments::{Output, StatusArguments};

#[cfg(test)]
mod tests;

pub(crate) async fn run(arguments: &StatusArguments) -> anyhow::Result<Exit> {
    let home = Home::connect(&arguments.home).await?;
    let Some(found) = home.work_cluster(&arguments.name).await? else {
        let registration = home.registration(&arguments.name, None).await?;
        tell(&match registration {
            Some(secret) => format!(
                "error: cluster {} is registered by Secret {}, and no hub has taken it up",
                arguments.name,
                secret.name_any()
            ),
            None => format!(
                "error: no cluster {} in namespace {}: `homebase list` shows those that are registered",
                arguments.name, home.namespace
            ),
        });
        return Ok(Exit::Unknown);
    };
    let life = hub_life(&home.client, &home.namespace).await;
    let text = match arguments.output {
        Output::Json => json(&found)?,
        Output::Yaml => yaml(&found)?,
        Output::Table | Output::Wide => in_words(&found, &life, Timestamp::now(), is_coloured()),
    };
    print(&text)?;
    Ok(match life.tell() {
        Exit::Success => exit(&found),
        dead => dead,
    })
}

fn exit(found: &WorkCluster) -> Exit {
    let conditions = found.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    match find_condition::<Ready>(conditions).map(|ready| ready.status.as_str()) {
        Some("True") => Exit::Success,
        Some("False") => Exit::Failure,
        _ => Exit::Unknown,
    }
}

fn in_words(found: &WorkCluster, life: &HubLife, now: Timestamp, coloured: bool) -> String {
    let nothing = WorkClusterStatus::default();
    let status = found.status.as_ref().unwrap_or(&nothing);
    let facts = Table { headings: Vec::new(), rows: facts(found, status, now) };
    let rows = status.conditions.iter().map(|condition| condition_row(condition, life, now)).collect();
    let conditions = Table { headings: vec!["CONDITION", "STATUS", "SINCE", "REASON", "MESSAGE"], rows };
    format!("{}\n{}", facts.render(coloured), conditions.render(coloured))
}

fn condition_row(condition: &Condition, life: &HubLife, now: Timestamp) -> Vec<Cell> {
    let status = if life.is_dead() {
        Cell::new(format!("Unknown (was {})", condition.status), Tone::Unsure)
    } else {
        verdict(Some(&condition.status))
    };
    vec![
        condition.type_.as_str().into(),
        status,
        age(now, condition.last_transition_time.0).into(),
        condition.reason.as_str().into(),
        condition.message.as_str().into(),
    ]
}

/// One line for each thing that is known; every value that came from the cluster says when.
fn facts(found: &WorkCluster, status: &WorkClusterStatus, now: Timestamp) -> Vec<Vec<Cell>> {
    let as_of = |time: &Time| format!("as of {} ago", age(now, time.0));
    let facts = [
        ("Cluster", Some(found.name_any())),
        ("State", status.state.map(|state| state.to_string())),
        ("Server", status.server.clone()),
        (
            "Identity",
            status.identity.as_ref().map(|found| format!("{} ({})", found.uid, as_of(&found.observed_at))),
        ),
        (
            "Version",
            status
                .version
                .as_ref()
                .map(|found| format!("{} ({})", found.git_version, as_of(&found.observed_at))),
        ),
        (
            "Resources",
            status.resources.as_ref().map(|found| {
                format!(
                    "{} of {} IrisClusters ready, {} Iris ({})",
                    found.ready_iris_clusters,
                    found.iris_clusters,
                    found.iris,
                    as_of(&found.observed_at)
                )
            }),
        ),
        ("Last seen", status.last_seen.as_ref().map(|time| format!("{} ago", age(now, time.0)))),
        ("Latency", status.latency_milliseconds.map(|latency| format!("{latency} ms"))),
        ("Credentials expire", status.credentials_expire.as_ref().map(|time| expiry(time.0, now))),
        ("Registration", status.observed_secret.as_ref().map(|secret| format!("Secret {}", secret.name))),
        ("Owner", status.owner.clone()),
    ];
    let known = facts.into_iter().filter_map(|(name, value)| Some((name, value?)));
    known.map(|(name, value)| vec![format!("{name}:").into(), value.into()]).collect()
}

fn expiry(end: Timestamp, now: Timestamp) -> String {
    if end > now {
        format!("{} (in {})", second(end), age(end, now))
    } else {
        format!("{} ({} ago)", second(end), age(now, end))
    }
}
