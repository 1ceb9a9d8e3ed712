//! The way to a work cluster: by its registration, as the hub goes it, or by a kubeconfig of one's own. It asks who the
//! cluster is, and nothing else.

use std::path::Path;

use anyhow::{Context as _, bail};
use homebase_core::ClusterId;
use homebase_kube::destination::DestinationPolicy;
use kube::Client;

use super::connect;
use super::fleet::{Home, kubeconfig_of, pinned_uid};
use super::grant::cluster_uid;
use super::values::NamespaceName;
use crate::arguments::HomeArguments;

/// Which cluster, and where to look for the way.
pub(super) struct Way<'a> {
    /// None: the cluster that the kubeconfig itself leads to.
    pub(super) cluster: Option<&'a ClusterId>,
    /// Of the home cluster when a cluster is named.
    pub(super) kubeconfig: Option<&'a Path>,
    /// Where registrations are.
    pub(super) namespace: &'a NamespaceName,
    pub(super) allow_loopback: bool,
}

/// A client of the cluster.
pub(super) async fn reach(way: &Way<'_>) -> anyhow::Result<Client> {
    let Some(id) = way.cluster else {
        let config = connect::load(way.kubeconfig, None).await.context("find the work cluster")?;
        return connect::client(&config).context("reach the work cluster");
    };
    let home =
        HomeArguments { kubeconfig: way.kubeconfig.map(Path::to_owned), namespace: way.namespace.clone() };
    let home = Home::connect(&home).await?;
    let shown = home.work_cluster(id).await?;
    let Some(secret) = home.registration(id, shown.as_ref()).await? else {
        bail!(
            "no cluster {id} is registered in namespace {}: `homebase list` shows those that are",
            home.namespace
        );
    };
    let (kubeconfig, _) = kubeconfig_of(&secret, id)?;
    let destinations = DestinationPolicy { allow_loopback: way.allow_loopback };
    let client = connect::registered_client(&kubeconfig, destinations).context("reach the work cluster")?;
    let uid = cluster_uid(&client).await?;
    match pinned_uid(shown.as_ref(), &secret) {
        Some(pinned) if pinned != uid => bail!(
            "the registration leads to another cluster than {id}: its kube-system Namespace has the UID {uid}, and \
             {pinned} is on record"
        ),
        _ => Ok(client),
    }
}
