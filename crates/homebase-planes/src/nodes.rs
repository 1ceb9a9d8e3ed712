//! What a plane holds before its first test: KWOK nodes by zone and a storage
//! class. It must write through the API only.

use std::collections::BTreeSet;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Node, ServiceAccount};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::ResourceExt as _;
use kube::api::{Api, ListParams, PostParams};
use serde_json::json;

use crate::{Error, Result, eventually};

/// The label that carries a node's zone.
pub const ZONE_LABEL: &str = "topology.kubernetes.io/zone";
/// The label of nodes that KWOK plays, as its own examples have it.
pub const KWOK_LABEL: (&str, &str) = ("type", "kwok");
/// The default storage class, whose claims KWOK provisions.
pub const STORAGE_CLASS: &str = "kwok-volume";
/// A claim with this annotation does not grow until it says `yes`; with `file-system-pending` only its volume does.
pub const GROW_ANNOTATION: &str = "homebase.dev/kwok-grow";

/// Pods that a node takes: more than the 128 compute pods of the rehearsed topology beside the rest.
pub const PODS_PER_NODE: usize = 500;
/// So that 500 pods with the requests of the samples fit.
const CPUS_PER_NODE: &str = "2000";
/// See `CPUS_PER_NODE`.
const MEMORY_PER_NODE: &str = "8Ti";
/// KWOK needs less than a second; a loaded two-core machine many times that.
const NODES_READY: Duration = Duration::from_secs(60);

/// The nodes of a zone are `ZONE-0`, `ZONE-1`…; labels may hold more characters than names.
pub(crate) fn node_name(zone: &str, index: usize) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let zone: String = zone.chars().map(plain).collect();
    format!("{}-{index}", zone.trim_matches('-'))
}

/// Creates nodes as KWOK takes them over, and returns their names.
pub(crate) async fn create_nodes(
    client: &kube::Client,
    zones: &[String],
    nodes_per_zone: usize,
) -> Result<Vec<String>> {
    let nodes: Api<Node> = Api::all(client.clone());
    let mut names = Vec::new();
    for zone in zones {
        for index in 0..nodes_per_zone {
            let node = played_node(zone, index)?;
            let name = node.name_any();
            let action = format!("create the node {name}");
            nodes.create(&PostParams::default(), &node).await.map_err(Error::request(action))?;
            names.push(name);
        }
    }
    Ok(names)
}

/// Creates the default storage class, and others that are the same but for their name.
pub(crate) async fn create_storage_classes(client: &kube::Client, others: &[String]) -> Result<()> {
    let classes: Api<StorageClass> = Api::all(client.clone());
    for name in std::iter::once(STORAGE_CLASS).chain(others.iter().map(String::as_str)) {
        let is_default = (name == STORAGE_CLASS).to_string();
        let class = from_json(json!({
            "metadata": {
                "name": name,
                "annotations": {"storageclass.kubernetes.io/is-default-class": is_default},
            },
            "provisioner": "homebase.dev/kwok-volume",
            "reclaimPolicy": "Delete",
            "volumeBindingMode": "Immediate",
            "allowVolumeExpansion": true,
        }))?;
        let action = format!("create the storage class {name}");
        classes.create(&PostParams::default(), &class).await.map_err(Error::request(action))?;
    }
    Ok(())
}

/// Waits until pods can be placed on the nodes of these names, whatever other nodes there are.
///
/// # Errors
/// If that is not so in time.
pub async fn wait_ready(client: &kube::Client, names: &[String]) -> Result<()> {
    let nodes: Api<Node> = Api::all(client.clone());
    eventually("every KWOK node is Ready and free of taints", NODES_READY, || async {
        let list = nodes.list(&ListParams::default()).await.map_err(|error| error.to_string())?;
        let missing = missing(names, &list.items);
        if missing.is_empty() { Ok(()) } else { Err(format!("not yet: {}", missing.join(", "))) }
    })
    .await
}

/// Waits until pods can be created: their admission asks for this account.
pub(crate) async fn wait_default_service_account(client: &kube::Client) -> Result<()> {
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), "default");
    eventually("the service account default/default exists", NODES_READY, || async {
        accounts.get("default").await.map(drop)
    })
    .await
}

/// The names that no node has on which pods can be placed.
fn missing<'a>(names: &'a [String], nodes: &[Node]) -> Vec<&'a str> {
    let usable: BTreeSet<String> =
        nodes.iter().filter(|node| is_usable(node)).map(kube::ResourceExt::name_any).collect();
    names.iter().filter(|name| !usable.contains(*name)).map(String::as_str).collect()
}

fn is_usable(node: &Node) -> bool {
    let ready =
        node.status.as_ref().and_then(|status| status.conditions.as_ref()).is_some_and(|conditions| {
            conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
        });
    let tainted =
        node.spec.as_ref().and_then(|spec| spec.taints.as_ref()).is_some_and(|taints| !taints.is_empty());
    ready && !tainted
}

/// A node of a zone as KWOK takes it over.
///
/// # Errors
/// Never, as long as its text is that of a node.
pub fn played_node(zone: &str, index: usize) -> Result<Node> {
    let name = node_name(zone, index);
    let capacity =
        json!({"cpu": CPUS_PER_NODE, "memory": MEMORY_PER_NODE, "pods": PODS_PER_NODE.to_string()});
    from_json(json!({
        "metadata": {
            "name": name,
            "labels": {
                ZONE_LABEL: zone,
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
                KWOK_LABEL.0: KWOK_LABEL.1,
            },
        },
        "status": {"capacity": capacity, "allocatable": capacity},
    }))
}

fn from_json<T: serde::de::DeserializeOwned>(value: serde_json::Value) -> Result<T> {
    serde_json::from_value(value)
        .map_err(|source| Error::Parse { path: "an object of a plane".into(), source })
}

#[cfg(test)]
mod tests {
    //! Which nodes are waited for.

    use serde_json::json;

    use super::{missing, played_node};

    #[test]
    fn nodes_are_waited_for_by_name_beside_others() {
        let mut ready = played_node("Boston_1", 0).unwrap();
        ready.status.as_mut().unwrap().conditions =
            serde_json::from_value(json!([{"type": "Ready", "status": "True"}])).unwrap();
        let mut other = ready.clone();
        other.metadata.name = Some("a-real-one".to_owned());
        let names = ["boston-1-0".to_owned(), "boston-1-1".to_owned()];
        assert_eq!(missing(&names[..1], &[other.clone(), ready.clone()]), Vec::<&str>::new());
        assert_eq!(missing(&names, &[other.clone(), ready.clone()]), ["boston-1-1"]);
        assert_eq!(missing(&names[..1], &[other, played_node("Boston_1", 0).unwrap()]), ["boston-1-0"]);
    }
}
