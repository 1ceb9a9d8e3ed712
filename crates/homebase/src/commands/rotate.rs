//! The command `rotate`: a new token into a registration, the rest of its kubeconfig as it is. The hub goes on with the
//! old one until the new one has proved itself.

use anyhow::{Context as _, bail};
use homebase_core::Namespaces;
use kube::ResourceExt as _;

use super::access::{Account, Endpoint};
use super::fleet::{Home, kubeconfig_of, pinned_uid};
use super::grant::{cluster_uid, request_token};
use super::output::tell;
use super::ownership::{check_alive, check_is_home, check_service_account, hub_id};
use super::register::replace_kubeconfig;
use super::wait::{Goal, wait};
use super::{Exit, connect};
use crate::arguments::RotateArguments;

pub(crate) async fn run(arguments: &RotateArguments) -> anyhow::Result<Exit> {
    let id = &arguments.name;
    let account = Account::new(&arguments.account, &Namespaces::All);
    let config = connect::load(Some(&arguments.work_kubeconfig), arguments.context.as_deref())
        .await
        .context("find the work cluster")?;
    let home = Home::connect(&arguments.home).await?;
    check_is_home(&home).await?;
    if !arguments.token.bound().duration().is_zero() {
        check_alive(&home, "--no-wait").await?;
    }
    let shown = home.work_cluster(id).await?;
    let secret = home.require_registration(id, shown.as_ref()).await?;
    let (registered, _) = kubeconfig_of(&secret, id)?;
    let endpoint = Endpoint::of_registration(&registered);

    let work = connect::client(&config).context("reach the work cluster")?;
    let uid = cluster_uid(&work).await?;
    if let Some(pinned) = pinned_uid(shown.as_ref(), &secret)
        && pinned != uid
    {
        bail!(
            "the work kubeconfig leads to another cluster than {id}: its kube-system Namespace has the UID {uid}, that \
             of {id} has {pinned}"
        );
    }
    let hub = hub_id(&home).await?;
    check_service_account(&work, &account, &hub).await?;
    let token = request_token(&work, &account, arguments.token.token_ttl).await?;
    let kubeconfig = endpoint.kubeconfig(id, token.expose())?;
    let written = replace_kubeconfig(&home, &secret, kubeconfig, &Namespaces::All).await?;
    tell(&format!("home cluster: Secret {} written", secret.name_any()));
    let version = written.resource_version().context("the home cluster's answer has no resourceVersion")?;
    wait(&home, id, &version, Goal::Rotated, arguments.token.bound()).await
}
