//! The command `register`: an account with least rights on the work cluster, a token for it, and a Secret at home that
//! the hub takes. Whatever can be wrong is found before something is written.

use anyhow::{Context as _, bail};
use homebase_api::{WorkCluster, annotations};
use homebase_core::{ClusterId, Namespaces};
use homebase_kube::apply::patch_exact;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::PostParams;
use kube::{Api, ResourceExt as _};
use serde::Serialize;
use serde_json::{Value, json};

use super::access::{Account, Endpoint, PLACEHOLDER, annotation_of, secret};
use super::fleet::{Home, data_key, is_registration, observed_secret, pinned_uid, registered, secret_name};
use super::grant::{FIELD_MANAGER, check_namespaces, cluster_uid, grant, request_token, revoke_elsewhere};
use super::output::{json as to_json, print, tell, yaml};
use super::ownership::{check_account, check_alive, check_claim, check_is_home, hub_id};
use super::wait::{Goal, wait};
use super::{Exit, connect};
use crate::arguments::{ManifestFormat, RegisterArguments};

pub(crate) async fn run(arguments: &RegisterArguments) -> anyhow::Result<Exit> {
    let id = &arguments.name;
    let asked = arguments.watch_namespaces.as_ref().map(|watched| &watched.0);
    let account = Account::new(&arguments.account, asked.unwrap_or(&Namespaces::All));
    if arguments.print_rbac {
        return print_manifests(&rbac(&account)?, arguments.output);
    }
    let config = connect::load(arguments.work_kubeconfig.as_deref(), arguments.context.as_deref())
        .await
        .context("find the work cluster")?;
    connect::check_usable(&config)?;
    let server = arguments.server.as_ref().map(super::values::ServerUrl::as_str);
    let endpoint = Endpoint::new(&config, server, arguments.tls_server_name.as_deref());
    // With a placeholder all but the token can be judged beforehand.
    let sample = endpoint.kubeconfig(id, PLACEHOLDER)?;
    if arguments.dry_run {
        let namespace = arguments.home.namespace.as_str();
        let secret = secret(&secret_name(id), namespace, sample, &account.watched);
        let mut manifests =
            vec![("work", value(&account.namespace_object())?), ("work", value(&account.service_account())?)];
        manifests.extend(rbac(&account)?);
        manifests.push(("home", value(&secret)?));
        return print_manifests(&manifests, arguments.output);
    }
    if let Some(doubt) = endpoint.doubt() {
        tell(&format!("warning: {doubt}"));
    }
    let home = Home::connect(&arguments.home).await?;
    check_is_home(&home).await?;
    if !arguments.token.bound().duration().is_zero() {
        check_alive(&home, "--no-wait").await?;
    }
    let work = connect::client(&config).context("reach the work cluster")?;
    let uid = cluster_uid(&work).await?;
    let hub = hub_id(&home).await?;
    check_claim(&work, &hub, arguments.take_over.as_deref()).await?;
    let found = home.secret(&secret_name(id)).await?;
    check_free(id, found.as_ref(), &uid, &home.work_clusters().await?.unwrap_or_default())?;
    let watched = match (asked, &found) {
        (Some(asked), _) => asked.clone(),
        // A renewal does not widen what somebody has restricted.
        (None, Some(found)) => watched_by(found, id)?,
        (None, None) => Namespaces::All,
    };
    let account = Account { watched, hub: Some(hub.clone()), ..account };
    check_namespaces(&work, &account).await?;
    check_account(&work, &account, &hub, arguments.take_over.is_some()).await?;
    if found.is_none() {
        rehearse(&home, id, sample, &account.watched).await?;
    }

    grant(&work, &account).await?;
    let token = request_token(&work, &account, arguments.token.token_ttl).await?;
    let kubeconfig = endpoint.kubeconfig(id, token.expose())?;
    let version = write(&home, id, &uid, found, kubeconfig, &account.watched).await?;
    // Only now does the hub not work there any more.
    revoke_elsewhere(&work, &account).await?;
    wait(&home, id, &version, Goal::Ready, arguments.token.bound()).await
}

/// Has the home cluster judge the Secret without keeping it: what it refuses is known before the work cluster is changed.
async fn rehearse(home: &Home, id: &ClusterId, sample: String, watched: &Namespaces) -> anyhow::Result<()> {
    let name = secret_name(id);
    let api: Api<Secret> = Api::namespaced(home.client.clone(), &home.namespace);
    let params = PostParams { dry_run: true, field_manager: Some(FIELD_MANAGER.to_owned()) };
    let object = secret(&name, &home.namespace, sample, watched);
    let created = api.create(&params, &object).await;
    created.map(drop).with_context(|| {
        format!(
            "create Secret {name} in namespace {} of the home cluster (nothing has been written)",
            home.namespace
        )
    })
}

/// The namespaces that a registration is restricted to already.
fn watched_by(found: &Secret, id: &ClusterId) -> anyhow::Result<Namespaces> {
    let Some(registration) = registered(found, id) else { return Ok(Namespaces::All) };
    if let Some(refused) = &registration.preferences.refused {
        bail!("{refused}, or give --watch-namespaces");
    }
    Ok(registration.preferences.namespaces.as_ref().clone())
}

/// All that grants the account its rights.
fn rbac(account: &Account) -> anyhow::Result<Vec<(&'static str, Value)>> {
    let mut manifests = vec![("work", value(&account.role())?), ("work", value(&account.binding())?)];
    for (role, binding) in account.roles() {
        manifests.extend([("work", value(&role)?), ("work", value(&binding)?)]);
    }
    Ok(manifests)
}

/// Refuses a name or a cluster that is somebody else's.
fn check_free(
    id: &ClusterId,
    found: Option<&Secret>,
    uid: &str,
    fleet: &[WorkCluster],
) -> anyhow::Result<()> {
    let own = secret_name(id);
    if let Some(secret) = found
        && !is_registration(secret)
    {
        bail!("Secret {own} is there already and is no registration: choose another name for the cluster");
    }
    let shown = fleet.iter().find(|shown| shown.name_any() == id.as_str());
    if let Some(observed) = shown.and_then(observed_secret)
        && observed.name != own
    {
        bail!(
            "cluster {id} is registered by Secret {}: renew its token with `homebase rotate {id}`, or choose another \
             name",
            observed.name
        );
    }
    let expected = |secret: &Secret| secret.annotations().get(annotations::EXPECTED_CLUSTER_UID).cloned();
    let known = |secret| pinned_uid(shown, secret).map(str::to_owned).or_else(|| expected(secret));
    if let Some(pinned) = found.and_then(known)
        && pinned != uid
    {
        bail!(
            "cluster {id} is another one than this: its kube-system Namespace has the UID {pinned}, here it is {uid}; \
             choose another name, or deregister {id} first"
        );
    }
    let is_this = |shown: &&WorkCluster| {
        let status = shown.status.as_ref();
        status.and_then(|status| status.identity.as_ref()).is_some_and(|identity| identity.uid == uid)
    };
    if let Some(other) = fleet.iter().find(|shown| is_this(shown) && shown.name_any() != id.as_str()) {
        let (other, secret) = (other.name_any(), observed_secret(other).map(|secret| secret.name.clone()));
        let secret = secret.map(|secret| format!(" (Secret {secret})")).unwrap_or_default();
        bail!(
            "this cluster is registered already, as {other}{secret}: `homebase status {other}` shows it. To renew its \
             token, `homebase rotate {other}`; to give it another name, `homebase deregister {other}` first. What runs \
             on it keeps running"
        );
    }
    Ok(())
}

/// Creates the Secret, or puts the kubeconfig into exactly the one that was looked at; returns its resourceVersion.
async fn write(
    home: &Home,
    id: &ClusterId,
    uid: &str,
    found: Option<Secret>,
    kubeconfig: String,
    watched: &Namespaces,
) -> anyhow::Result<String> {
    let name = secret_name(id);
    let written = if let Some(found) = found {
        replace_kubeconfig(home, &found, kubeconfig, watched).await?
    } else {
        let api: Api<Secret> = Api::namespaced(home.client.clone(), &home.namespace);
        let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        let mut object = secret(&name, &home.namespace, kubeconfig, watched);
        // So that the hub never takes another cluster for this one, not even at first contact.
        object.annotations_mut().insert(annotations::EXPECTED_CLUSTER_UID.to_owned(), uid.to_owned());
        let created = api.create(&params, &object).await;
        created.with_context(|| format!("create Secret {name} in the home cluster"))?
    };
    tell(&format!("home cluster: Secret {name} written"));
    written.resource_version().context("the home cluster's answer has no resourceVersion")
}

/// Puts another kubeconfig into exactly this Secret, under the key that the hub reads, with the namespaces that it is
/// for if it is not for all: what a Secret says about them stays otherwise.
pub(crate) async fn replace_kubeconfig(
    home: &Home,
    found: &Secret,
    kubeconfig: String,
    watched: &Namespaces,
) -> anyhow::Result<Secret> {
    let (Some(uid), Some(version)) = (found.uid(), found.resource_version()) else {
        bail!("the home cluster's answer has no UID");
    };
    let mut data = json!({"data": {data_key(found): ByteString(kubeconfig.into_bytes())}});
    if let Some(list) = annotation_of(watched) {
        data["metadata"]["annotations"] = json!({annotations::WATCH_NAMESPACES: list});
    }
    let key = home.key(&found.name_any());
    patch_exact(&home.client, &key, &uid, &version, data).await.context("write to the home cluster")
}

fn value(object: &impl Serialize) -> anyhow::Result<Value> {
    serde_json::to_value(object).context("write a manifest")
}

/// Prints objects, each with the cluster that it is for.
fn print_manifests(manifests: &[(&str, Value)], format: ManifestFormat) -> anyhow::Result<Exit> {
    let text = match format {
        ManifestFormat::Json => {
            let items: Vec<&Value> = manifests.iter().map(|(_, manifest)| manifest).collect();
            to_json(&json!({"apiVersion": "v1", "kind": "List", "items": items}))?
        }
        ManifestFormat::Yaml => {
            let documents: Vec<String> = manifests
                .iter()
                .map(|(cluster, manifest)| {
                    Ok(format!("---\n# on the {cluster} cluster\n{}", yaml(manifest)?))
                })
                .collect::<anyhow::Result<_>>()?;
            documents.concat()
        }
    };
    print(&text)?;
    Ok(Exit::Success)
}

#[cfg(test)]
mod tests {
    //! Names and clusters that are taken are refused before anything is written.

    use homebase_api::{annotations, labels};
    use k8s_openapi::api::core::v1::Secret;
    use serde_json::{Value, json};

    use super::check_free;

    #[test]
    fn the_cluster_that_a_registration_expects_is_known_before_the_hub_has_seen_it() {
        let mut expecting = secret(true);
        let annotation = (annotations::EXPECTED_CLUSTER_UID.to_owned(), "uid-2".to_owned());
        expecting.metadata.annotations = Some([annotation].into());
        assert!(refusal(Some(&expecting), &[]).contains("is another one than this"));
    }

    fn secret(registered: bool) -> Secret {
        let labels = if registered { json!({labels::CLUSTER: labels::TRUE}) } else { json!({}) };
        let meta = json!({"name": "boston-kubeconfig", "uid": "s-1", "labels": labels});
        serde_json::from_value(json!({"apiVersion": "v1", "kind": "Secret", "metadata": meta})).unwrap()
    }

    fn shown(name: &str, secret: (&str, &str), uid: &str) -> homebase_api::WorkCluster {
        let status: Value = json!({
            "observedSecret": {"name": secret.0, "uid": secret.1, "resourceVersion": "7"},
            "identity": {"uid": uid, "observedAt": "2026-11-20T00:00:00Z"},
        });
        serde_json::from_value(json!({
            "apiVersion": "homebase.dev/v1alpha1", "kind": "WorkCluster",
            "metadata": {"name": name}, "status": status,
        }))
        .unwrap()
    }

    fn refusal(found: Option<&Secret>, fleet: &[homebase_api::WorkCluster]) -> String {
        check_free(&"boston".parse().unwrap(), found, "uid-1", fleet)
            .map_or_else(|error| error.to_string(), |()| String::new())
    }

    const OWN: (&str, &str) = ("boston-kubeconfig", "s-1");

    #[test]
    fn a_free_name_and_a_renewal_are_taken() {
        assert_eq!(refusal(None, &[]), "");
        assert_eq!(refusal(Some(&secret(true)), &[shown("boston", OWN, "uid-1")]), "");
        assert_eq!(refusal(None, &[shown("chicago", ("chicago-kubeconfig", "s-2"), "uid-2")]), "");
    }

    #[test]
    fn what_is_somebody_elses_is_refused() {
        assert!(refusal(Some(&secret(false)), &[]).contains("is no registration"));
        let other_secret = shown("boston", ("another", "s-3"), "uid-1");
        assert!(refusal(None, &[other_secret]).contains("registered by Secret another"));
        let other_cluster = shown("boston", OWN, "uid-2");
        assert!(refusal(Some(&secret(true)), &[other_cluster]).contains("is another one than this"));
        let same_cluster = shown("chicago", ("chicago-kubeconfig", "s-2"), "uid-1");
        assert!(refusal(None, &[same_cluster]).contains("registered already, as chicago"));
    }

    #[test]
    fn what_was_pinned_for_an_earlier_registration_says_nothing() {
        let earlier = shown("boston", ("boston-kubeconfig", "s-0"), "uid-2");
        assert_eq!(refusal(Some(&secret(true)), &[earlier]), "");
    }
}
