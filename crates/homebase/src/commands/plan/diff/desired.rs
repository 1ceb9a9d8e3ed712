//! What the hub would make on a cluster of a resource that is applied there, with what it depends on as it is there. It
//! reads and writes nothing.

use anyhow::{Context as _, bail};
use homebase_api::{Iris, IrisCluster, labels};
use homebase_iris::cluster::{self, ChildKind, ConfigSource, Dereferenced, ObservedChild, PreviewObject};
use homebase_iris::iris::{self, Observed, ObservedDeployment};
use homebase_kube::{Category, categorize};
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use kube::api::ListParams;
use kube::{Api, Client, Resource, ResourceExt as _};
use serde_json::Value;

use super::super::super::attest::look::{fetch_cluster, fetch_source, selector, standing};
use super::super::super::attest::words;
use super::super::super::fleet::list_all;
use super::super::super::manifests::Manifests;
use super::super::super::validate::judge::{dereferenced, find};
use super::super::value;

/// An object as the hub would send it.
pub(super) struct Desired(pub(super) Value);

impl Desired {
    /// Kind, namespace and name.
    pub(super) fn key(&self) -> (String, String, String) {
        let text = |pointer| self.0.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        (text("/kind"), text("/metadata/namespace"), text("/metadata/name"))
    }
}

/// An object that the hub would remove.
pub(super) struct Surplus {
    pub(super) kind: String,
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) before: Value,
}

/// The objects of an IrisCluster.
pub(super) async fn of_cluster(
    client: &Client,
    mut resource: IrisCluster,
    all: &Manifests,
) -> anyhow::Result<(Vec<Desired>, Vec<Surplus>)> {
    let (namespace, name) = (resource.namespace().unwrap_or_default(), resource.name_any());
    let there = fetch_cluster(client, &namespace, &name).await?;
    let uid = there.as_ref().and_then(kube::ResourceExt::uid);
    stand_for(&mut resource, there);
    let of_cluster = ListParams::default().labels(&selector(&name));
    let sets: Vec<StatefulSet> = list(client, &namespace, &of_cluster).await?;
    let services: Vec<Service> = list(client, &namespace, &of_cluster).await?;
    let config_maps: Vec<ConfigMap> = list(client, &namespace, &of_cluster).await?;
    let uid = uid.unwrap_or_default();
    let mut existing: Vec<(ObservedChild, Value)> = Vec::new();
    add_owned(&mut existing, ChildKind::StatefulSet, &sets, &uid)?;
    add_owned(&mut existing, ChildKind::Service, &services, &uid)?;
    add_owned(&mut existing, ChildKind::ConfigMap, &config_maps, &uid)?;
    let found = Dereferenced {
        config_source: config_source(client, &resource, all).await?,
        stateful_sets: standing(&sets, &uid),
        existing: existing.iter().map(|(child, _)| child.clone()).collect(),
        ..Dereferenced::default()
    };
    let validated = match cluster::validate(&resource, &found) {
        Ok(validated) => validated,
        Err(faults) => {
            let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
            bail!("{namespace}/{name}: the hub would refuse it on this cluster: {}", faults.join("; "));
        }
    };
    let steps = cluster::preview(&validated).steps.into_iter().map(|step| match step.object {
        PreviewObject::Service(object) => value(&*object),
        PreviewObject::ConfigMap(object) => value(&*object),
        PreviewObject::StatefulSet(object) => value(&*object),
    });
    let desired = steps.map(|object| object.map(Desired)).collect::<anyhow::Result<_>>()?;
    let prune = cluster::plan(&validated).prune;
    let surplus =
        existing.into_iter().filter(|(child, _)| prune.contains(child)).map(|(child, before)| Surplus {
            kind: child.kind.as_str().to_owned(),
            namespace: namespace.clone(),
            name: child.name,
            before,
        });
    Ok((desired, surplus.collect()))
}

/// What the hub would find once the resource was applied: the UID and the status of what is there. By the status a plan
/// knows, for one, which member of a mirror was the primary last.
fn stand_for(resource: &mut IrisCluster, there: Option<IrisCluster>) {
    let (uid, status) = there.map(|there| (there.metadata.uid, there.status)).unwrap_or_default();
    (resource.metadata.uid, resource.status) = (uid, status);
}

/// The ConfigMap among the manifests, which would be applied too; else the one on the cluster.
async fn config_source(
    client: &Client,
    resource: &IrisCluster,
    all: &Manifests,
) -> anyhow::Result<ConfigSource> {
    let namespace = resource.namespace().unwrap_or_default();
    let reference = resource.spec.config_source.as_ref();
    if reference.is_some_and(|reference| find(all, "ConfigMap", &namespace, &reference.name).is_some()) {
        return Ok(dereferenced(resource, all).config_source);
    }
    fetch_source(client, resource).await.map_err(anyhow::Error::msg)
}

/// The Deployment of an Iris.
pub(super) async fn of_iris(
    client: &Client,
    mut resource: Iris,
) -> anyhow::Result<(Vec<Desired>, Vec<Surplus>)> {
    let (namespace, name) = (resource.namespace().unwrap_or_default(), resource.name_any());
    let named = ListParams::default().fields(&format!("metadata.name={name}"));
    let there: Vec<Iris> = list(client, &namespace, &named).await?;
    let uid = there.first().and_then(kube::ResourceExt::uid);
    resource.metadata.uid.clone_from(&uid);
    let deployments: Vec<Deployment> = list(client, &namespace, &ListParams::default()).await?;
    let uid = uid.unwrap_or_default();
    let owned: Vec<&Deployment> =
        deployments.iter().filter(|one| is_owned(*one, &uid) && is_ours(*one)).collect();
    let found = Observed {
        deployments: owned.iter().map(|one| (one.name_any(), ObservedDeployment::from(*one))).collect(),
    };
    let validated =
        iris::validate(&resource).map_err(|_| anyhow::anyhow!("{namespace}/{name} is refused by the hub"))?;
    let plan = iris::plan(&validated, &found);
    let mut surplus = Vec::new();
    for one in &plan.delete {
        let before = owned.iter().find(|deployment| deployment.uid().as_ref() == Some(&one.uid));
        surplus.push(Surplus {
            kind: "Deployment".to_owned(),
            namespace: namespace.clone(),
            name: one.name.clone(),
            before: before.map_or(Ok(Value::Null), value)?,
        });
    }
    Ok((vec![Desired(value(&plan.deployment)?)], surplus))
}

/// The objects of a kind; a kind that is not installed has none.
async fn list<K>(client: &Client, namespace: &str, params: &ListParams) -> anyhow::Result<Vec<K>>
where
    K: Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
        + Clone
        + std::fmt::Debug
        + serde::de::DeserializeOwned,
{
    let api: Api<K> = Api::namespaced(client.clone(), namespace);
    match list_all(&api, params.clone()).await {
        Ok(found) => Ok(found),
        Err(error) if categorize(&error) == Category::NotFound => Ok(Vec::new()),
        Err(error) => Err(anyhow::anyhow!("{}", words(&error)))
            .with_context(|| format!("list {} in namespace {namespace}", K::plural(&()))),
    }
}

fn is_owned<K: Resource>(object: &K, uid: &str) -> bool {
    let is_going = object.meta().deletion_timestamp.is_some();
    !is_going && object.owner_references().iter().any(|owner| owner.uid == uid)
}

/// Whether a hub made an object or has taken it over: it removes nothing else.
fn is_ours<K: Resource>(object: &K) -> bool {
    object.labels().get(labels::MANAGED_BY).map(String::as_str) == Some(labels::MANAGED_BY_HOMEBASE)
}

fn add_owned<K: Resource + serde::Serialize>(
    all: &mut Vec<(ObservedChild, Value)>,
    kind: ChildKind,
    objects: &[K],
    uid: &str,
) -> anyhow::Result<()> {
    for object in objects.iter().filter(|object| is_owned(*object, uid) && is_ours(*object)) {
        let child = ObservedChild { kind, name: object.name_any(), uid: object.uid().unwrap_or_default() };
        all.push((child, value(object)?));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    //! What of an object that is there a plan depends on.

    use homebase_api::IrisCluster;
    use homebase_iris::cluster::ChildKind;
    use k8s_openapi::api::core::v1::Service;
    use serde_json::json;

    use super::{add_owned, stand_for};

    #[test]
    fn only_what_is_owned_and_made_by_a_hub_would_be_removed() {
        let of = |uid: &str, by: &str| -> Service {
            serde_json::from_value(
                json!({"metadata": {"name": "s", "labels": {"app.kubernetes.io/managed-by": by},
                "ownerReferences": [{"apiVersion": "a/v1", "kind": "k", "name": "n", "uid": uid}]}}),
            )
            .unwrap()
        };
        let objects = [of("u", "homebase"), of("u", "iko"), of("other", "homebase")];
        let mut found = Vec::new();
        add_owned(&mut found, ChildKind::Service, &objects, "u").unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].1["metadata"]["labels"]["app.kubernetes.io/managed-by"], "homebase");
    }

    #[test]
    fn the_status_is_that_of_what_is_there() {
        let of = |uid: &str, shard: i32| -> IrisCluster {
            serde_json::from_value(json!({"apiVersion": "intersystems.com/v1alpha1", "kind": "IrisCluster",
                "metadata": {"name": "a", "namespace": "b", "uid": uid}, "spec": {"topology": {"data": {"image": "i"}}},
                "status": {"mirrors": [{"shard": shard, "primary": "a-data-0-1"}]}}))
            .unwrap()
        };
        // As `kubectl get -o yaml` has written it some time ago, from another cluster perhaps.
        let mut resource = of("old", 7);
        stand_for(&mut resource, Some(of("new", 0)));
        assert_eq!(resource.metadata.uid.as_deref(), Some("new"));
        assert_eq!(resource.status.as_ref().unwrap().mirrors[0].shard, 0);
        stand_for(&mut resource, None);
        assert_eq!((resource.metadata.uid, resource.status), (None, None));
    }
}
