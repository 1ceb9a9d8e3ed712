//! Whether a command may write before it writes: whether the home cluster is one, whether its hub is alive, and whether the
//! work cluster and the account on it are another hub's. And the end of a hub's claim on a work cluster. Nothing else is
//! written here.

use std::fmt::Debug;
use std::time::Duration;

use anyhow::{Context as _, bail};
use homebase_api::annotations;
use homebase_core::ClusterUid;
use homebase_iris::cluster::{placement, volume_policy};
use homebase_kube::identity::fetch_identity;
use homebase_kube::policy::{PolicyKind, find_served};
use homebase_kube::{Category, categorize};
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ApiResource, Patch, PatchParams};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::access::Account;
use super::fleet::Home;
use super::grant::{FIELD_MANAGER, check_ours};
use super::hub::{HubLife, hub_life};
use super::output::tell;
use crate::home::HubIdentity;

/// Between two tries to write what the apiserver has changed meanwhile.
const RETRY: Duration = Duration::from_millis(200);

/// The ID of the hub that works with a home cluster and namespace.
pub(crate) async fn hub_id(home: &Home) -> anyhow::Result<String> {
    let identity = fetch_identity(&home.client).await.context("ask the home cluster who it is")?;
    let uid = ClusterUid::new(identity.uid.as_str().to_owned());
    Ok(HubIdentity::new(&uid, &home.namespace).hub_id)
}

/// Refuses a cluster that is no home cluster: a kubeconfig of another one is easily taken for it.
pub(crate) async fn check_is_home(home: &Home) -> anyhow::Result<()> {
    if home.work_clusters().await?.is_none() {
        bail!(
            "the home cluster does not serve WorkClusters, so it is no home cluster of Homebase, or no hub has run there \
             yet: check --kubeconfig and KUBECONFIG, or start the hub; nothing has been written"
        );
    }
    Ok(())
}

/// Refuses to go on while no hub would take up what is written. `later` is how the user says that it need not.
pub(crate) async fn check_alive(home: &Home, later: &str) -> anyhow::Result<()> {
    match hub_life(&home.client, &home.namespace).await {
        HubLife::Alive { .. } => Ok(()),
        life @ HubLife::Unknown { .. } => {
            tell(&format!("note: {life}"));
            Ok(())
        }
        life @ (HubLife::Silent { .. } | HubLife::NeverSeen) => bail!(
            "{life} (namespace {}): start the hub, check --namespace, or give {later}; nothing has been written",
            home.namespace
        ),
    }
}

/// The CRDs that a hub installs on work clusters, and marks as its own.
fn crd_names() -> Vec<String> {
    homebase_api::remote_crds().iter().map(kube::ResourceExt::name_any).collect()
}

/// Refuses a work cluster that another hub operates.
pub(crate) async fn check_claim(work: &Client, hub: &str, take_over: Option<&str>) -> anyhow::Result<()> {
    let crds: Api<CustomResourceDefinition> = Api::all(work.clone());
    for name in crd_names() {
        let found = crds.get_metadata_opt(&name).await.with_context(|| format!("read CRD {name}"))?;
        let Some(holder) = found.as_ref().and_then(holder_of) else { continue };
        if holder != hub && take_over != Some(holder) {
            bail!(
                "the work cluster is operated by another hub, {holder} (annotation {} of CRD {name}): deregister the \
                 cluster there first (`homebase deregister`, with the kubeconfig of that hub's home cluster), or, if that \
                 hub is gone, give --take-over {holder} here and to this hub; nothing has been written",
                annotations::HUB_ID
            );
        }
    }
    Ok(())
}

/// Refuses an account that another hub or somebody else uses: its permissions would change under it. An account without the
/// mark of a hub, as earlier versions made it, is this hub's, unless the cluster is being taken over from another one.
pub(crate) async fn check_account(
    work: &Client,
    account: &Account,
    hub: &str,
    is_taken_over: bool,
) -> anyhow::Result<()> {
    let (role, whose) = (account.role_name(), Whose { hub, is_taken_over });
    let accounts: Api<ServiceAccount> = Api::namespaced(work.clone(), &account.namespace);
    check(&accounts, &account.name, whose).await?;
    check(&Api::<ClusterRole>::all(work.clone()), &role, whose).await?;
    check(&Api::<ClusterRoleBinding>::all(work.clone()), &role, whose).await?;
    for namespace in account.watched.names() {
        check(&Api::<Role>::namespaced(work.clone(), namespace.as_str()), &role, whose).await?;
        check(&Api::<RoleBinding>::namespaced(work.clone(), namespace.as_str()), &role, whose).await?;
    }
    Ok(())
}

/// The same of the service account alone, for who may do no more than ask for a token: what may not be read is not judged.
pub(crate) async fn check_service_account(work: &Client, account: &Account, hub: &str) -> anyhow::Result<()> {
    let accounts: Api<ServiceAccount> = Api::namespaced(work.clone(), &account.namespace);
    match accounts.get_metadata_opt(&account.name).await {
        Ok(found) => match found.as_ref().and_then(holder_of) {
            Some(holder) if holder != hub => bail!(
                "ServiceAccount {} on the work cluster belongs to another hub, {holder}: give the account of this \
                 registration with --service-account; nothing has been written",
                account.name
            ),
            _ => Ok(()),
        },
        Err(error) if categorize(&error) == Category::Forbidden => Ok(()),
        Err(error) => Err(error).with_context(|| format!("read ServiceAccount {}", account.name)),
    }
}

/// For which hub an object of an account is looked at.
#[derive(Clone, Copy, Debug)]
struct Whose<'a> {
    hub: &'a str,
    is_taken_over: bool,
}

async fn check<K>(api: &Api<K>, name: &str, whose: Whose<'_>) -> anyhow::Result<()>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let kind = K::kind(&());
    let found = api.get_metadata_opt(name).await;
    let found = found.with_context(|| format!("read {kind} {name} on the work cluster"))?;
    let Some(found) = found else { return Ok(()) };
    check_ours(&kind, &found)?;
    match holder_of(&found) {
        Some(holder) if holder != whose.hub => bail!(
            "{kind} {name} on the work cluster belongs to another hub, {holder}: choose another account with \
             --service-account; nothing has been written"
        ),
        None if whose.is_taken_over => bail!(
            "{kind} {name} on the work cluster may belong to the hub that is taken over: choose another account with \
             --service-account; nothing has been written"
        ),
        _ => Ok(()),
    }
}

/// The hub that has marked an object as its own.
pub(crate) fn holder_of<K: Resource>(object: &K) -> Option<&str> {
    object.annotations().get(annotations::HUB_ID).map(String::as_str)
}

/// The kinds of the policies of a hub that the cluster serves, each with the name of the hub's object.
pub(crate) async fn policy_kinds(client: &Client) -> anyhow::Result<Vec<(ApiResource, &'static str)>> {
    let mut kinds = Vec::new();
    for (kind, name) in
        [(PolicyKind::Mutating, placement::POLICY), (PolicyKind::Validating, volume_policy::POLICY)]
    {
        let version = find_served(client, kind).await.context("look for admission policies")?;
        // Without its binding a policy does nothing.
        let both = version.map(|version| [(kind.binding(version), name), (kind.policy(version), name)]);
        kinds.extend(both.into_iter().flatten());
    }
    Ok(kinds)
}

/// Takes a hub's mark off the CRDs of a work cluster, so that another hub may operate it. What another hub has marked stays
/// marked.
pub(crate) async fn release_claim(work: &Client, hub: &str) -> anyhow::Result<()> {
    let crds: Api<CustomResourceDefinition> = Api::all(work.clone());
    for name in crd_names() {
        release(&crds, &name, hub).await.with_context(|| format!("release CRD {name}"))?;
    }
    Ok(())
}

async fn release(crds: &Api<CustomResourceDefinition>, name: &str, hub: &str) -> Result<(), kube::Error> {
    loop {
        let found = crds.get_metadata_opt(name).await?.filter(|found| holder_of(found) == Some(hub));
        let Some(found) = found else { return Ok(()) };
        let patch = json!({"metadata": {"uid": found.uid(), "resourceVersion": found.resource_version(),
            "annotations": {(annotations::HUB_ID): null}}});
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        match crds.patch_metadata(name, &params, &Patch::Merge(patch)).await {
            // The apiserver writes its conditions meanwhile.
            Err(error) if categorize(&error) == Category::Conflict => tokio::time::sleep(RETRY).await,
            done => return done.map(drop),
        }
    }
}
