//! The command `deregister`: deletes a registration and, if asked to, the hub's account on the work cluster; or lists
//! what stays behind there. It deletes nothing that runs.

use std::time::Duration;

use anyhow::{Context as _, bail};
use homebase_api::{Iris, IrisCluster, WorkCluster, labels, remote_crds};
use homebase_core::{ClusterId, Namespaces};
use homebase_kube::apply::{Dependents, delete_exact};
use homebase_kube::destination::DestinationPolicy;
use homebase_kube::{Category, categorize};
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Secret, Service};
use k8s_openapi::api::rbac::v1::ClusterRole;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DynamicObject, ListParams};
use kube::core::NamespaceResourceScope;
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::Serialize;
use tokio::time::Instant;

use super::access::Account;
use super::fleet::{Home, PAGE, kubeconfig_of, pinned_uid};
use super::grant::{cluster_uid, revoke};
use super::output::{Table, is_coloured, json, print, tell, yaml};
use super::ownership::{hub_id, policy_kinds, release_claim};
use super::{Exit, connect};
use crate::arguments::{DeregisterArguments, Output};

/// How long the hub may take to let go of a cluster: it ends what it is about to write, within its own time limits.
const LET_GO: Duration = Duration::from_secs(30);
/// How often to look whether it has.
const POLL: Duration = Duration::from_millis(500);

pub(crate) async fn run(arguments: &DeregisterArguments) -> anyhow::Result<Exit> {
    let id = &arguments.name;
    let home = Home::connect(&arguments.home).await?;
    let shown = home.work_cluster(id).await?;
    let secret = home.require_registration(id, shown.as_ref()).await?;
    if arguments.plan {
        return plan(id, &secret, arguments).await;
    }
    let work = match &arguments.work_kubeconfig {
        Some(path) => {
            let config = connect::load(Some(path), arguments.context.as_deref()).await?;
            let work = connect::client(&config).context("reach the work cluster")?;
            check_same(id, &work, pinned_uid(shown.as_ref(), &secret)).await?;
            Some(work)
        }
        None => None,
    };
    let hub = hub_id(&home).await?;
    // Read before the Secret goes: the hub's own account may take its mark off, too.
    let claimed = match &work {
        Some(work) => Ok(work.clone()),
        None => registered_work(&secret, id, arguments.allow_loopback_destinations),
    };
    let uid = secret.uid().context("the home cluster's answer has no UID")?;
    let name = secret.name_any();
    let deleted = delete_exact::<Secret>(&home.client, &home.key(&name), &uid, Dependents::Delete).await;
    if !deleted.context("write to the home cluster")? {
        bail!("Secret {name} was changed by somebody else in this moment: look at it again");
    }
    tell(&format!("home cluster: Secret {name} deleted; what runs on cluster {id} keeps running"));
    let released = match claimed {
        Ok(work) => Box::pin(release(&home, id, shown.as_ref(), &work, &hub)).await,
        Err(error) => Err(error),
    };
    match released {
        Ok(()) => tell(&format!("work cluster: the mark of this hub ({hub}) is off its CRDs")),
        Err(error) => tell(&format!(
            "note: the mark of this hub stays on the CRDs of the work cluster ({error:#}): another hub operates it only \
             with --take-over {hub}"
        )),
    }
    if let Some(work) = work {
        let account = Account { hub: Some(hub), ..Account::new(&arguments.account, &Namespaces::All) };
        revoke(&work, &account).await?;
    }
    Ok(Exit::Success)
}

/// The work cluster by the kubeconfig of its registration.
fn registered_work(secret: &Secret, id: &ClusterId, allow_loopback: bool) -> anyhow::Result<Client> {
    let (kubeconfig, _) = kubeconfig_of(secret, id)?;
    connect::registered_client(&kubeconfig, DestinationPolicy { allow_loopback })
}

/// Takes this hub's mark off the cluster, once the hub has let go of it: before, it would put it on again.
async fn release(
    home: &Home,
    id: &ClusterId,
    shown: Option<&WorkCluster>,
    work: &Client,
    hub: &str,
) -> anyhow::Result<()> {
    let deadline = Instant::now() + LET_GO;
    while shown.is_some() && home.work_cluster(id).await?.is_some() {
        if Instant::now() >= deadline {
            bail!("no hub has let go of the cluster within {} s", LET_GO.as_secs());
        }
        tokio::time::sleep(POLL).await;
    }
    let released = async {
        let uid = cluster_uid(work).await?;
        // The older of two registrations of one cluster goes on, and with it the claim.
        let fleet = home.work_clusters().await?.unwrap_or_default();
        if let Some(other) = fleet.iter().find(|shown| identity_of(shown) == Some(&uid)) {
            bail!("registration {} is of the same cluster and goes on", other.name_any());
        }
        let known = shown.and_then(identity_of);
        if known.is_some_and(|known| *known != uid) {
            bail!("its kubeconfig leads to another cluster than {id}");
        }
        release_claim(work, hub).await
    };
    tokio::time::timeout(LET_GO, released).await.context("no answer in time")?
}

/// The UID of the cluster that a registration was found to be of.
fn identity_of(shown: &WorkCluster) -> Option<&String> {
    shown.status.as_ref()?.identity.as_ref().map(|identity| &identity.uid)
}

/// What is deleted must be on the cluster that was registered.
async fn check_same(id: &ClusterId, work: &Client, pinned: Option<&str>) -> anyhow::Result<()> {
    let uid = cluster_uid(work).await?;
    match pinned {
        Some(pinned) if pinned == uid => Ok(()),
        Some(pinned) => bail!(
            "the work kubeconfig leads to another cluster than {id}: its kube-system Namespace has the UID {uid}, that \
             of {id} has {pinned}"
        ),
        None => bail!(
            "the hub has never known which cluster {id} is, so nothing is deleted there: deregister without \
             --remove-access, then delete the account by hand"
        ),
    }
}

/// Something that stays on the work cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Left {
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    name: String,
}

async fn plan(id: &ClusterId, secret: &Secret, arguments: &DeregisterArguments) -> anyhow::Result<Exit> {
    let (kubeconfig, watched) = kubeconfig_of(secret, id)?;
    let destinations = DestinationPolicy { allow_loopback: arguments.allow_loopback_destinations };
    let work = connect::registered_client(&kubeconfig, destinations).context("reach the work cluster")?;
    let left = left_behind(&work, &watched).await?;
    match arguments.output {
        Output::Json => print(&json(&left)?)?,
        Output::Yaml => print(&yaml(&left)?)?,
        Output::Table | Output::Wide => {
            let row = |left: &Left| {
                let namespace = left.namespace.as_deref().unwrap_or("-");
                vec![left.kind.as_str().into(), namespace.into(), left.name.as_str().into()]
            };
            let headings = vec!["KIND", "NAMESPACE", "NAME"];
            print(&Table { headings, rows: left.iter().map(row).collect() }.render(is_coloured()))?;
        }
    }
    let account = Account::new(&arguments.account, &watched);
    let role = account.role_name();
    tell(&format!(
        "{} objects stay on cluster {id} and keep running; nobody operates them any more",
        left.len()
    ));
    let within = if watched.is_list() {
        format!(" (and the Role and RoleBinding of that name in {watched})")
    } else {
        String::new()
    };
    // A registration that was made by hand may use any account.
    let roles: Api<ClusterRole> = Api::all(work.clone());
    match roles.get_metadata_opt(&role).await {
        Ok(None) => tell(
            "the account of the registration's kubeconfig stays too; `homebase register` did not make it",
        ),
        Ok(Some(_)) | Err(_) => tell(&format!(
            "the hub's account stays too, if `homebase register` made it: ServiceAccount {}/{}, ClusterRole and \
             ClusterRoleBinding {role}{within}, unless --remove-access is given",
            account.namespace, account.name
        )),
    }
    Ok(Exit::Success)
}

/// All that users made for the hub and the hub made for them, where it works.
async fn left_behind(work: &Client, watched: &Namespaces) -> anyhow::Result<Vec<Left>> {
    let all = ListParams::default().limit(PAGE);
    let made = all.clone().labels(&format!("{}={}", labels::MANAGED_BY, labels::MANAGED_BY_HOMEBASE));
    let mut left = Vec::new();
    for crd in remote_crds() {
        let api: Api<CustomResourceDefinition> = Api::all(work.clone());
        let name = crd.name_any();
        let found = api.get_metadata_opt(&name).await.with_context(|| format!("read CRD {name}"))?;
        left.extend(found.map(|_| Left {
            kind: "CustomResourceDefinition".to_owned(),
            namespace: None,
            name,
        }));
    }
    for (kind, name) in policy_kinds(work).await? {
        let api: Api<DynamicObject> = Api::all_with(work.clone(), &kind);
        let is_there =
            match api.list_metadata(&ListParams::default().fields(&format!("metadata.name={name}"))).await {
                Ok(found) => !found.items.is_empty(),
                Err(error) if categorize(&error) == Category::Forbidden => false,
                Err(error) => return Err(error).with_context(|| format!("look for {} {name}", kind.kind)),
            };
        left.extend(is_there.then(|| Left { kind: kind.kind, namespace: None, name: name.to_owned() }));
    }
    add::<IrisCluster>((work, watched), &all, &mut left).await?;
    add::<Iris>((work, watched), &all, &mut left).await?;
    add::<StatefulSet>((work, watched), &made, &mut left).await?;
    add::<Deployment>((work, watched), &made, &mut left).await?;
    add::<Service>((work, watched), &made, &mut left).await?;
    add::<ConfigMap>((work, watched), &made, &mut left).await?;
    let iris = ListParams::default().limit(PAGE).labels(labels::NAME);
    add::<PersistentVolumeClaim>((work, watched), &iris, &mut left).await?;
    Ok(left)
}

/// Adds the objects of a kind. A kind that is not installed has none.
async fn add<K>(
    (work, watched): (&Client, &Namespaces),
    params: &ListParams,
    left: &mut Vec<Left>,
) -> anyhow::Result<()>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + std::fmt::Debug
        + serde::de::DeserializeOwned,
{
    if !watched.is_list() {
        return add_from(&Api::<K>::all(work.clone()), params, left).await;
    }
    for namespace in watched.names() {
        add_from(&Api::<K>::namespaced(work.clone(), namespace.as_str()), params, left).await?;
    }
    Ok(())
}

async fn add_from<K>(api: &Api<K>, params: &ListParams, left: &mut Vec<Left>) -> anyhow::Result<()>
where
    K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    let kind = K::kind(&()).into_owned();
    let mut params = params.clone();
    loop {
        let page = match api.list_metadata(&params).await {
            Ok(page) => page,
            Err(error) => match categorize(&error) {
                Category::NotFound => return Ok(()),
                Category::Forbidden => {
                    tell(&format!(
                        "the registered account may not list objects of kind {kind}: there may be some"
                    ));
                    return Ok(());
                }
                _ => return Err(error).with_context(|| format!("list objects of kind {kind}")),
            },
        };
        left.extend(page.items.iter().map(|object| Left {
            kind: kind.clone(),
            namespace: object.namespace(),
            name: object.name_any(),
        }));
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(()),
        }
    }
}
