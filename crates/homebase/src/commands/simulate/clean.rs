//! The way back on a cluster that was not started for the rehearsal: exactly what was made for it is deleted, each part
//! within a time of its own, so that one that hangs leaves nothing of the others behind. It deletes no namespace, CRD or
//! volume claim.

use std::time::Duration;

use anyhow::{Context as _, bail};
use homebase_kube::identity::fetch_identity;
use homebase_kube::{Category, categorize};
use homebase_planes::POLL_INTERVAL;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::{ApiResource, DeleteParams, DynamicObject, ListParams, Preconditions};
use kube::{Api, Client, ResourceExt as _};

use super::super::access::Account;
use super::super::attest::look::selector;
use super::super::attest::words;
use super::super::fleet::{Home, list_all, secret_name};
use super::super::grant::revoke;
use super::super::output::tell;
use super::super::ownership::{holder_of, policy_kinds, release_claim};
use super::hub;
use super::resource::{Objects, Sent};
use crate::home::HubIdentity;

/// For each part: pods that are played end at once, and a garbage collector learns of a kind that was installed a moment
/// ago within half a minute.
const PART: Duration = Duration::from_secs(60);

/// What could not be taken away, in words.
#[derive(Default)]
pub(super) struct Faults(Vec<String>);

impl Faults {
    /// Does a part; one that fails or is not done in time keeps no other from being done.
    pub(super) async fn part(&mut self, what: &str, doing: impl Future<Output = anyhow::Result<()>>) {
        let done = tokio::time::timeout(PART, Box::pin(doing)).await;
        let done = done.unwrap_or_else(|_| bail!("not done within {} s", PART.as_secs()));
        self.0.extend(done.err().map(|error| format!("{what}: {error:#}")));
    }

    pub(super) fn result(self) -> anyhow::Result<()> {
        if self.0.is_empty() { Ok(()) } else { bail!("{}", self.0.join("; ")) }
    }
}

/// Deletes objects, those that were made last first.
pub(super) async fn objects(objects: &Objects) -> anyhow::Result<()> {
    let mut faults = Vec::new();
    for sent in objects.sent.iter().rev() {
        if let Err(error) = delete_sent(sent, &objects.manager).await {
            faults.push(format!("{} {}: {}", sent.kind, sent.name, words(&error)));
        }
    }
    if faults.is_empty() { Ok(()) } else { bail!("{}", faults.join("; ")) }
}

/// Waits until the pods of the resource are gone.
pub(super) async fn pods(client: &Client, objects: &Objects) -> anyhow::Result<()> {
    let Some(resource) = objects.sent.iter().find(|sent| sent.kind == "IrisCluster") else { return Ok(()) };
    tell("waiting for the pods to go");
    let pods: Api<Pod> = Api::namespaced(client.clone(), &resource.namespace);
    let of_resource = ListParams::default().labels(&selector(&resource.name));
    until(|| async { list_all(&pods, of_resource.clone()).await.is_ok_and(|pods| pods.is_empty()) }).await;
    Ok(())
}

/// Deletes the registration, and waits until the hub shows the cluster no more.
pub(super) async fn registration(client: &Client) -> anyhow::Result<()> {
    let id = hub::id()?;
    let secrets: Api<Secret> = Api::namespaced(client.clone(), hub::NAMESPACE);
    delete(&secrets, &secret_name(&id), None).await.map_err(|error| anyhow::anyhow!("{}", words(&error)))?;
    let home = Home { client: client.clone(), namespace: hub::NAMESPACE.to_owned() };
    until(|| async { home.work_cluster(&id).await.is_ok_and(|shown| shown.is_none()) }).await;
    Ok(())
}

/// Takes away the hub's account with its rights.
pub(super) async fn account(client: &Client, account: &Account) -> anyhow::Result<()> {
    revoke(client, account).await
}

/// The admission policies of a hub and their bindings, as far as they are there.
pub(super) async fn policies(client: &Client) -> anyhow::Result<Vec<ApiResource>> {
    let mut found = Vec::new();
    for (kind, name) in policy_kinds(client).await? {
        let api: Api<DynamicObject> = Api::all_with(client.clone(), &kind);
        let there = api.get_metadata_opt(name).await;
        if there.map_err(|error| anyhow::anyhow!("read {} {name}: {}", kind.kind, words(&error)))?.is_some() {
            found.push(kind);
        }
    }
    Ok(found)
}

/// Takes away what says that the cluster belongs to the hub of the rehearsal, which must have ended: a policy that was
/// not there before, and the claim on CRDs. Else no other hub would operate the cluster.
pub(super) async fn claims(client: &Client, before: &[ApiResource]) -> anyhow::Result<()> {
    let home = fetch_identity(client).await.context("ask the cluster who it is")?;
    let hub = HubIdentity::new(&home.uid, hub::NAMESPACE).hub_id;
    let made = policy_kinds(client).await?.into_iter().filter(|(kind, _)| !before.contains(kind));
    for (kind, name) in made {
        let api: Api<DynamicObject> = Api::all_with(client.clone(), &kind);
        let faulty = |error: kube::Error| anyhow::anyhow!("{} {name}: {}", kind.kind, words(&error));
        let there = api.get_metadata_opt(name).await.map_err(faulty)?;
        if let Some(there) = there.filter(|there| holder_of(there) == Some(hub.as_str())) {
            delete(&api, name, there.uid()).await.map_err(faulty)?;
        }
    }
    release_claim(client, &hub).await
}

/// The CRDs that a hub installs.
pub(super) fn crd_names() -> Vec<String> {
    homebase_api::crds().iter().map(kube::ResourceExt::name_any).collect()
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

/// Waits until something is so; the part that it belongs to has a bound.
async fn until<F: Future<Output = bool>>(is_so: impl Fn() -> F) {
    while !is_so().await {
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}
