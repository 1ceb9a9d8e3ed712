//! A scratch cluster that somebody else started: whether it may be used, nodes for the zones that have none, and the
//! way back. It deletes exactly what was made for the rehearsal, and no namespace, CRD or volume.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use homebase_api::{IrisCluster, labels};
use homebase_kube::{Category, categorize};
use homebase_planes::{
    KWOK_LABEL, Layout, POLL_INTERVAL, Process, Tools, Watchdog, create_nodes, node_player, tail, wait_ready,
};
use k8s_openapi::api::core::v1::{Node, Pod, Secret};
use kube::api::{DeleteParams, ListParams, Preconditions};
use kube::{Api, Client, ResourceExt as _};

use super::super::access::Account;
use super::super::attest::look::selector;
use super::super::attest::words;
use super::super::fleet::{Home, list_all, secret_name};
use super::super::grant::revoke;
use super::super::output::tell;
use super::hub;
use super::resource::{Objects, Sent};
use super::subject::Subject;

/// The annotation by which KWOK's own tools mark nodes that it plays.
const KWOK_ANNOTATION: &str = "kwok.x-k8s.io/node";
/// How long pods that are played, and the hub, may take to go.
const GONE: Duration = Duration::from_secs(60);

/// What was made.
#[derive(Default)]
pub(super) struct Made {
    nodes: Vec<String>,
    pub(super) objects: Objects,
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
    let before = nodes(client).await?.iter().filter(|node| is_played(node)).count();
    let process = if before == 0 {
        let program = node_player(&player.tools.kwok, player.kubeconfig, &player.layout)?;
        Some(Process::start(&program, player.watchdog).context("start KWOK")?)
    } else {
        None
    };
    for zone in zones {
        made.nodes.extend(create_nodes(client, std::slice::from_ref(zone), nodes_per_zone).await?);
    }
    wait_ready(client, before + made.nodes.len()).await.map_err(|error| {
        let log = process.as_ref().map(|kwok| tail(kwok.log())).unwrap_or_default();
        anyhow::Error::new(error).context(format!("wait for the nodes{log}"))
    })?;
    Ok(process)
}

/// Deletes what was made, the resource first and while the hub still works.
pub(super) async fn clean(client: &Client, made: &Made, account: Option<&Account>) -> anyhow::Result<()> {
    let mut faults = Vec::new();
    for object in made.objects.sent.iter().rev() {
        if let Err(error) = delete_sent(object, &made.objects.manager).await {
            faults.push(format!(
                "delete {} {}/{}: {}",
                object.kind,
                object.namespace,
                object.name,
                words(&error)
            ));
        }
    }
    if let Some(resource) = made.objects.sent.iter().find(|object| object.kind == "IrisCluster") {
        // A garbage collector learns of a kind that was installed a moment ago within half a minute.
        tell("waiting for the pods to go");
        let pods: Api<Pod> = Api::namespaced(client.clone(), &resource.namespace);
        let of_resource = ListParams::default().labels(&selector(&resource.name));
        if !gone(|| async { list_all(&pods, of_resource.clone()).await.is_ok_and(|pods| pods.is_empty()) })
            .await
        {
            faults.push(format!("pods of {}/{} are still there", resource.namespace, resource.name));
        }
    }
    if let Some(account) = account {
        let id = hub::id()?;
        let secrets: Api<Secret> = Api::namespaced(client.clone(), hub::NAMESPACE);
        if let Err(error) = delete(&secrets, &secret_name(&id), None).await {
            faults.push(format!("delete the registration: {}", words(&error)));
        }
        let home = Home { client: client.clone(), namespace: hub::NAMESPACE.to_owned() };
        gone(|| async { home.work_cluster(&id).await.is_ok_and(|shown| shown.is_none()) }).await;
        if let Err(error) = revoke(client, account).await {
            faults.push(format!("{error:#}"));
        }
    }
    let nodes: Api<Node> = Api::all(client.clone());
    for node in &made.nodes {
        if let Err(error) = delete(&nodes, node, None).await {
            faults.push(format!("delete node {node}: {}", words(&error)));
        }
    }
    tell("CRDs, namespaces and volume claims stay: Homebase deletes none of them");
    if faults.is_empty() { Ok(()) } else { bail!("{}", faults.join("; ")) }
}

/// Deletes an object of the rehearsal, and none that somebody else has made under its name.
async fn delete_sent(sent: &Sent, manager: &str) -> Result<(), kube::Error> {
    let uid = match &sent.uid {
        Some(uid) => Some(uid.clone()),
        None => sent
            .api
            .get_metadata_opt(&sent.name)
            .await?
            .filter(|found| is_by(found, manager))
            .and_then(|found| found.uid()),
    };
    match uid {
        Some(uid) => delete(&sent.api, &sent.name, Some(uid)).await,
        None => Ok(()),
    }
}

/// Whether a field manager has written an object.
fn is_by<K: kube::Resource>(object: &K, manager: &str) -> bool {
    object.managed_fields().iter().any(|entry| entry.manager.as_deref() == Some(manager))
}

/// Deletes an object, and only the one with this UID if there is one. One that is gone is no fault.
async fn delete<K>(api: &Api<K>, name: &str, uid: Option<String>) -> Result<(), kube::Error>
where
    K: Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    let uid = match uid {
        Some(uid) => Some(uid),
        None => api.get_metadata_opt(name).await?.and_then(|found| found.metadata.uid),
    };
    let Some(uid) = uid else { return Ok(()) };
    let preconditions = Preconditions { uid: Some(uid), resource_version: None };
    match api.delete(name, &DeleteParams::background().preconditions(preconditions)).await {
        Err(error) if !matches!(categorize(&error), Category::NotFound | Category::Conflict) => Err(error),
        _ => Ok(()),
    }
}

/// Waits until something is so; false when it is not in time.
async fn gone<F: Future<Output = bool>>(is_gone: impl Fn() -> F) -> bool {
    let waiting = async {
        while !is_gone().await {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    };
    tokio::time::timeout(GONE, waiting).await.is_ok()
}
