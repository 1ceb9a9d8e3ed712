//! Makes the hub's account on a work cluster, asks for its tokens, and takes it away again, with the credentials of
//! whoever runs the command. It changes nothing there that Homebase did not make.

use std::fmt::Debug;
use std::time::Duration;

use anyhow::{Context as _, bail};
use homebase_api::labels;
use homebase_core::Namespaces;
use homebase_kube::identity::fetch_identity;
use jiff::Timestamp;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions};
use kube::{Api, Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::access::Account;
use super::fleet::list_all;
use super::output::{rough, tell};
use super::ownership::holder_of;
use super::values::Lifetime;

/// Who writes, in the apiserver's own books.
pub(crate) const FIELD_MANAGER: &str = "homebase-cli";
/// What an apiserver grants more or less than was asked for without it being worth a word.
const TOLERANCE: Duration = Duration::from_secs(60);

/// A token as it was granted. It has no `Debug`.
pub(crate) struct Token(Zeroizing<String>);

impl Token {
    /// The token itself: for the kubeconfig that it goes into and for nothing else.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

/// What the cluster is: the UID of its `kube-system` Namespace.
pub(crate) async fn cluster_uid(work: &Client) -> anyhow::Result<String> {
    let identity = fetch_identity(work).await.context("ask the work cluster who it is")?;
    Ok(identity.uid.as_str().to_owned())
}

/// Makes the account with its rights, or brings it up to date.
pub(crate) async fn grant(work: &Client, account: &Account) -> anyhow::Result<()> {
    let namespaces: Api<Namespace> = Api::all(work.clone());
    if namespaces
        .get_opt(&account.namespace)
        .await
        .with_context(|| reading("namespace", &account.namespace))?
        .is_none()
    {
        let object = account.namespace_object();
        namespaces
            .create(&PostParams::default(), &object)
            .await
            .with_context(|| format!("create namespace {}", account.namespace))?;
        tell(&format!("work cluster: namespace {} created", account.namespace));
    }
    let accounts: Api<ServiceAccount> = Api::namespaced(work.clone(), &account.namespace);
    apply(&accounts, &account.service_account()).await?;
    // First what is added: an account that had rights everywhere is not without any for a moment.
    for (role, binding) in account.roles() {
        let namespace = role.namespace().unwrap_or_default();
        apply(&Api::<Role>::namespaced(work.clone(), &namespace), &role).await?;
        apply(&Api::<RoleBinding>::namespaced(work.clone(), &namespace), &binding).await?;
    }
    apply(&Api::<ClusterRole>::all(work.clone()), &account.role()).await?;
    apply(&Api::<ClusterRoleBinding>::all(work.clone()), &account.binding()).await
}

/// Applies an object that is not there yet, or that Homebase made.
async fn apply<K>(api: &Api<K>, object: &K) -> anyhow::Result<()>
where
    K: Resource<DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned,
{
    let (kind, name) = (K::kind(&()), object.name_any());
    let found = api.get_opt(&name).await.with_context(|| reading(&kind, &name))?;
    if let Some(found) = &found {
        check_ours(&kind, found)?;
    }
    let mut object = object.clone();
    if let Some(found) = &found {
        if let (Some(hub), Some(holder)) = (holder_of(&object), holder_of(found))
            && hub != holder
        {
            bail!(
                "{kind} {name} on the work cluster belongs to another hub, {holder}: choose another account"
            );
        }
        // Should somebody change it in this moment, the apiserver answers 409 instead of widening what is theirs.
        object.meta_mut().resource_version = found.resource_version();
    }
    let params = PatchParams::apply(FIELD_MANAGER).force();
    let applied = api
        .patch(&name, &params, &Patch::Apply(&object))
        .await
        .with_context(|| format!("apply {kind} {name}"))?;
    let verb = match found {
        None => "created",
        Some(found) if found.resource_version() == applied.resource_version() => "unchanged",
        Some(_) => "updated",
    };
    let place = object.namespace().map(|namespace| format!(" in namespace {namespace}")).unwrap_or_default();
    tell(&format!("work cluster: {kind} {name}{place} {verb}"));
    Ok(())
}

/// Refuses namespaces that are not there: no role can be made in them.
pub(crate) async fn check_namespaces(work: &Client, account: &Account) -> anyhow::Result<()> {
    let namespaces: Api<Namespace> = Api::all(work.clone());
    for name in account.watched.names() {
        let found = namespaces.get_metadata_opt(name.as_str()).await;
        if found.with_context(|| reading("namespace", name.as_str()))?.is_none() {
            bail!(
                "namespace {name} is not on the work cluster: create it first, as the account's rights lie in it"
            );
        }
    }
    Ok(())
}

fn reading(kind: &str, name: &str) -> String {
    format!("read {kind} {name} on the work cluster")
}

/// Refuses an object that Homebase did not make.
pub(crate) fn check_ours<K: Resource>(kind: &str, found: &K) -> anyhow::Result<()> {
    if is_ours(found) {
        return Ok(());
    }
    bail!(
        "{kind} {} is there already and was not made by Homebase: choose another name with --service-account, or label it \
         {}={} to hand it over",
        found.name_any(),
        labels::MANAGED_BY,
        labels::MANAGED_BY_HOMEBASE
    )
}

fn is_ours<K: Resource>(object: &K) -> bool {
    object.labels().get(labels::MANAGED_BY).map(String::as_str) == Some(labels::MANAGED_BY_HOMEBASE)
}

/// Asks for a token of the account, and says what was granted.
pub(crate) async fn request_token(work: &Client, account: &Account, ttl: Lifetime) -> anyhow::Result<Token> {
    let accounts: Api<ServiceAccount> = Api::namespaced(work.clone(), &account.namespace);
    let seconds = i64::try_from(ttl.duration().as_secs()).context("ask for a token")?;
    let spec = TokenRequestSpec { expiration_seconds: Some(seconds), ..TokenRequestSpec::default() };
    let request = TokenRequest { spec: Some(spec), ..TokenRequest::default() };
    let asked = Timestamp::now();
    let answer =
        accounts.create_token_request(&account.name, &PostParams::default(), &request).await.with_context(
            || format!("ask for a token of service account {}/{}", account.namespace, account.name),
        )?;
    let status = answer.status.context("the work cluster's answer has no token")?;
    let text = Zeroizing::new(status.token.context("the work cluster's answer has no token")?);
    let expires = status.expiration_timestamp.map_or(asked, |time| time.0);
    let granted = expires.duration_since(asked).unsigned_abs();
    let is_shorter = granted + TOLERANCE < ttl.duration();
    let words = if is_shorter {
        format!(
            "{}, until {} ({ttl} were asked for, the work cluster grants no more)",
            rough(granted),
            second(expires)
        )
    } else {
        format!("{ttl}, until {}", second(expires))
    };
    tell(&format!("work cluster: token granted for {words}"));
    Ok(Token(text))
}

/// To the second: nobody plans for less.
pub(crate) fn second(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Takes the account and its rights away; the namespace stays, for other things may live in it.
pub(crate) async fn revoke(work: &Client, account: &Account) -> anyhow::Result<()> {
    let hub = account.hub.as_deref();
    delete(&Api::<ClusterRoleBinding>::all(work.clone()), &account.role_name(), hub).await?;
    delete(&Api::<ClusterRole>::all(work.clone()), &account.role_name(), hub).await?;
    revoke_in(work, account, &Namespaces::default()).await?;
    delete(&Api::<ServiceAccount>::namespaced(work.clone(), &account.namespace), &account.name, hub).await
}

/// Takes the account's rights away in namespaces that it is not for any more.
pub(crate) async fn revoke_elsewhere(work: &Client, account: &Account) -> anyhow::Result<()> {
    revoke_in(work, account, &account.watched).await
}

/// Takes away the roles that lie in a namespace, but for those in the namespaces of a list.
async fn revoke_in(work: &Client, account: &Account, kept: &Namespaces) -> anyhow::Result<()> {
    let name = account.role_name();
    let selector = format!("{}={}", labels::MANAGED_BY, labels::MANAGED_BY_HOMEBASE);
    let params = ListParams::default().labels(&selector).fields(&format!("metadata.name={name}"));
    let bindings = list_all(&Api::<RoleBinding>::all(work.clone()), params.clone()).await;
    let roles = list_all(&Api::<Role>::all(work.clone()), params).await;
    let is_kept = |namespace: &str| kept.names().any(|kept| kept.as_str() == namespace);
    let surplus = |found: Vec<Option<String>>| {
        found.into_iter().flatten().filter(|namespace| !is_kept(namespace)).collect::<Vec<_>>()
    };
    let bindings = bindings.context("list the RoleBindings of the work cluster")?;
    for namespace in surplus(bindings.iter().map(ResourceExt::namespace).collect()) {
        delete(&Api::<RoleBinding>::namespaced(work.clone(), &namespace), &name, account.hub.as_deref())
            .await?;
    }
    let roles = roles.context("list the Roles of the work cluster")?;
    for namespace in surplus(roles.iter().map(ResourceExt::namespace).collect()) {
        delete(&Api::<Role>::namespaced(work.clone(), &namespace), &name, account.hub.as_deref()).await?;
    }
    Ok(())
}

/// Deletes exactly the object that was looked at, if Homebase made it, and not for another hub than this one.
async fn delete<K>(api: &Api<K>, name: &str, hub: Option<&str>) -> anyhow::Result<()>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let kind = K::kind(&());
    let Some(found) = api.get_opt(name).await.with_context(|| reading(&kind, name))? else {
        tell(&format!("work cluster: {kind} {name} is not there"));
        return Ok(());
    };
    if !is_ours(&found) {
        tell(&format!("work cluster: {kind} {name} was not made by Homebase and stays"));
        return Ok(());
    }
    if let (Some(hub), Some(holder)) = (hub, holder_of(&found))
        && hub != holder
    {
        tell(&format!("work cluster: {kind} {name} belongs to another hub, {holder}, and stays"));
        return Ok(());
    }
    let preconditions = Preconditions { uid: found.uid(), resource_version: None };
    let params = DeleteParams::default().preconditions(preconditions);
    api.delete(name, &params).await.with_context(|| format!("delete {kind} {name}"))?;
    tell(&format!("work cluster: {kind} {name} deleted"));
    Ok(())
}
