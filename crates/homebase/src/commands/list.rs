//! The command `list`: the fleet as the hub shows it, with the columns of `kubectl get workclusters`.

use anyhow::bail;
use homebase_api::conditions::find_condition;
use homebase_api::conditions::work_cluster::Ready;
use homebase_api::{WorkCluster, WorkClusterStatus};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt as _;
use serde_json::json;

use super::Exit;
use super::fleet::Home;
use super::grant::second;
use super::hub::{HubLife, hub_life};
use super::output::{Cell, Table, Tone, age, is_coloured, json, print, tell, yaml};
use crate::arguments::{ListArguments, Output};

#[cfg(test)]
mod tests;

const HEADINGS: [&str; 9] = [
    "NAME",
    "READY",
    "REASON",
    "VERSION",
    "IRISCLUSTERS",
    "READY-IRISCLUSTERS",
    "LAST-SEEN",
    "CREDENTIALS-EXPIRE",
    "AGE",
];
const WIDE_HEADINGS: [&str; 3] = ["SERVER", "LATENCY", "OWNER"];
/// The reason that is shown for a cluster while no hub works.
const HUB_SILENT: &str = "HubSilent";
/// What stands for a value that is not known: never a zero.
const NOTHING: &str = "-";

pub(crate) async fn run(arguments: &ListArguments) -> anyhow::Result<Exit> {
    let home = Home::connect(&arguments.home).await?;
    let Some(found) = home.work_clusters().await? else {
        bail!(
            "the home cluster does not serve the kind WorkCluster: either no hub has run with it, or its CRD was \
             deleted, which a running hub installs again. Start the hub, or read its log"
        );
    };
    let life = hub_life(&home.client, &home.namespace).await;
    let text = match arguments.output {
        Output::Json => json(&list_of(&found))?,
        Output::Yaml => yaml(&list_of(&found))?,
        Output::Table | Output::Wide if found.is_empty() => {
            tell(&format!("no cluster is registered in namespace {}", home.namespace));
            String::new()
        }
        Output::Table | Output::Wide => {
            table(&found, arguments.output == Output::Wide, &life, Timestamp::now()).render(is_coloured())
        }
    };
    print(&text)?;
    let is_unused = found.is_empty() && life == HubLife::NeverSeen;
    Ok(if is_unused { Exit::Success } else { life.tell() })
}

fn list_of(found: &[WorkCluster]) -> serde_json::Value {
    json!({"apiVersion": "v1", "kind": "List", "items": found})
}

fn table(found: &[WorkCluster], wide: bool, life: &HubLife, now: Timestamp) -> Table {
    let headings = HEADINGS.into_iter().chain(WIDE_HEADINGS.into_iter().filter(|_| wide)).collect();
    Table { headings, rows: found.iter().map(|cluster| row(cluster, wide, life, now)).collect() }
}

fn row(cluster: &WorkCluster, wide: bool, life: &HubLife, now: Timestamp) -> Vec<Cell> {
    let nothing = WorkClusterStatus::default();
    let status = cluster.status.as_ref().unwrap_or(&nothing);
    let ready = find_condition::<Ready>(&status.conditions);
    let count = |count: Option<i64>| or_nothing(count.map(|count| count.to_string()));
    let resources = status.resources.as_ref();
    let since = |time: Option<&Time>| or_nothing(time.map(|time| age(now, time.0)));
    // What a hub that is dead said last is not the state of now.
    let (verdict, reason) = if life.is_dead() {
        (verdict(None), Some(HUB_SILENT.to_owned()))
    } else {
        (verdict(ready.map(|ready| ready.status.as_str())), ready.map(|ready| ready.reason.clone()))
    };
    let mut row = vec![
        cluster.name_any().into(),
        verdict,
        or_nothing(reason),
        or_nothing(status.version.as_ref().map(|version| version.git_version.clone())),
        count(resources.map(|resources| resources.iris_clusters)),
        count(resources.map(|resources| resources.ready_iris_clusters)),
        since(status.last_seen.as_ref()),
        or_nothing(status.credentials_expire.as_ref().map(|time| second(time.0))),
        since(cluster.creation_timestamp().as_ref()),
    ];
    if wide {
        row.push(or_nothing(status.server.clone()));
        row.push(or_nothing(status.latency_milliseconds.map(|latency| format!("{latency}ms"))));
        row.push(or_nothing(status.owner.clone()));
    }
    row
}

fn or_nothing(text: Option<String>) -> Cell {
    text.filter(|text| !text.is_empty()).unwrap_or_else(|| NOTHING.to_owned()).into()
}

/// The status of a condition, in its colour.
pub(crate) fn verdict(status: Option<&str>) -> Cell {
    let status = status.unwrap_or("Unknown");
    let tone = match status {
        "True" => Tone::Good,
        "False" => Tone::Bad,
        _ => Tone::Unsure,
    };
    Cell::new(status, tone)
}
