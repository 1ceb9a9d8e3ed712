//! A scratch cluster that somebody else started: whether it may be used, and nodes for the zones that have none. It
//! deletes nothing.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use homebase_api::{IrisCluster, labels};
use homebase_kube::{Category, categorize};
use homebase_planes::{
    KWOK_LABEL, Layout, Process, Tools, Watchdog, node_player, played_node, tail, wait_ready,
};
use k8s_openapi::api::core::v1::Node;
use kube::api::{ApiResource, ListParams};
use kube::{Api, Client, ResourceExt as _};

use super::super::attest::words;
use super::super::fleet::list_all;
use super::super::output::tell;
use super::resource::Objects;
use super::subject::Subject;

/// The annotation by which KWOK's own tools mark nodes that it plays.
const KWOK_ANNOTATION: &str = "kwok.x-k8s.io/node";

/// What was made.
#[derive(Default)]
pub(super) struct Made {
    pub(super) nodes: Objects,
    pub(super) objects: Objects,
    /// The policies for mirrors that were there before, by their kinds.
    pub(super) policies_before: Vec<ApiResource>,
}

/// How nodes are played.
pub(super) struct Player<'a> {
    pub(super) tools: Tools,
    pub(super) kubeconfig: &'a Path,
    pub(super) layout: Layout,
    pub(super) watchdog: &'a Arc<Watchdog>,
}

/// Refuses a cluster that is in use, and whatever is allowed one that has the resource itself.
pub(super) async fn check(client: &Client, subject: &Subject, is_allowed: bool) -> anyhow::Result<()> {
    let nodes = nodes(client).await?;
    let real: Vec<String> =
        nodes.iter().filter(|node| !is_played(node)).map(kube::ResourceExt::name_any).collect();
    let clusters: Vec<String> =
        match list_all::<IrisCluster>(&Api::all(client.clone()), ListParams::default()).await {
            Ok(found) => {
                let name =
                    |one: &IrisCluster| format!("{}/{}", one.namespace().unwrap_or_default(), one.name_any());
                found.iter().map(name).collect()
            }
            Err(error) if categorize(&error) == Category::NotFound => Vec::new(),
            Err(error) => bail!("list IrisClusters: {}", words(&error)),
        };
    let rehearsed = format!("{}/{}", subject.namespace, subject.name);
    if clusters.contains(&rehearsed) {
        bail!(
            "IrisCluster {rehearsed} is there already: a rehearsal would take it over, and away in the end"
        );
    }
    let mut why = Vec::new();
    if !real.is_empty() {
        why.push(format!("it has nodes that KWOK does not play: {}", some(&real)));
    }
    if !clusters.is_empty() {
        why.push(format!("it has IrisClusters: {}", some(&clusters)));
    }
    match (why.is_empty(), is_allowed) {
        (true, _) => Ok(()),
        (false, true) => {
            tell(&format!("warning: rehearsing on a cluster that is in use: {}", why.join("; ")));
            Ok(())
        }
        (false, false) => bail!(
            "this is no scratch cluster: {}; leave out --kubeconfig to rehearse on one that is started for it, or give \
             --on-a-cluster-in-use if you are sure",
            why.join("; ")
        ),
    }
}

/// Some names, for a message on one line.
fn some(names: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN { format!("{shown} and {} more", names.len() - SHOWN) } else { shown }
}

async fn nodes(client: &Client) -> anyhow::Result<Vec<Node>> {
    let found = list_all::<Node>(&Api::all(client.clone()), ListParams::default()).await;
    found.map_err(|error| anyhow::anyhow!("list nodes: {}", words(&error)))
}

fn is_played(node: &Node) -> bool {
    let (label, value) = KWOK_LABEL;
    node.labels().get(label).map(String::as_str) == Some(value)
        || node.annotations().contains_key(KWOK_ANNOTATION)
}

/// The zones that have no node which KWOK plays.
pub(super) async fn zones_without_nodes(client: &Client, zones: &[String]) -> anyhow::Result<Vec<String>> {
    let nodes = nodes(client).await?;
    let has_node = |zone: &String| {
        nodes.iter().any(|node| is_played(node) && node.labels().get(labels::ZONE) == Some(zone))
    };
    Ok(zones.iter().filter(|zone| !has_node(zone)).cloned().collect())
}

/// Makes nodes in some zones, and starts a KWOK for them unless there are nodes that one plays already: two would fight
/// over the pods.
pub(super) async fn make_nodes(
    client: &Client,
    player: Player<'_>,
    zones: &[String],
    nodes_per_zone: usize,
    made: &mut Made,
) -> anyhow::Result<Option<Process>> {
    let is_any_played = nodes(client).await?.iter().any(is_played);
    let process = if is_any_played {
        None
    } else {
        let program = node_player(&player.tools.kwok, player.kubeconfig, &player.layout)?;
        Some(Process::start(&program, player.watchdog).context("start KWOK")?)
    };
    for zone in zones {
        for index in 0..nodes_per_zone {
            let node = played_node(zone, index)?;
            let object = serde_json::to_value(&node).context("write a node")?;
            if !made.nodes.create(client, &object).await? {
                bail!(
                    "node {} is there already, and not one that KWOK plays in zone {zone}",
                    node.name_any()
                );
            }
        }
    }
    let names: Vec<String> = made.nodes.sent.iter().map(|node| node.name.clone()).collect();
    wait_ready(client, &names).await.map_err(|error| {
        let log = process.as_ref().map(|kwok| tail(kwok.log())).unwrap_or_default();
        anyhow::Error::new(error).context(format!("wait for the nodes{log}"))
    })?;
    Ok(process)
}
