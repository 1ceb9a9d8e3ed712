//! What the home cluster holds: registrations and what the hub shows of them. It changes nothing by itself.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use homebase_api::workcluster::ObservedSecret;
use homebase_api::{WorkCluster, labels};
use homebase_controller::registration::{Convention, Insecure, NATIVE_KEYS, Registration, read, read_first};
use homebase_core::{ClusterId, Namespaces, ObjectKey};
use homebase_kube::apply::{Object, fetch};
use homebase_kubeconfig::SanitizedKubeconfig;
use k8s_openapi::api::core::v1::Secret;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt as _};

use super::connect;
use crate::arguments::HomeArguments;

/// Nobody here knows the settings of the hub: what a registration asks for is taken as allowed.
pub(crate) const INSECURE: Insecure = Insecure::IfAsked;
/// Objects on one page of a list.
pub(crate) const PAGE: u32 = 500;
/// What a Secret's name ends with by custom, and the cluster's name does not.
const NAME_SUFFIX: &str = "-kubeconfig";

/// The home cluster.
pub(crate) struct Home {
    pub(crate) client: Client,
    pub(crate) namespace: String,
}

impl Home {
    pub(crate) async fn connect(arguments: &HomeArguments) -> anyhow::Result<Self> {
        let config =
            connect::load(arguments.kubeconfig.as_deref(), None).await.context("find the home cluster")?;
        let client = connect::client(&config).context("reach the home cluster")?;
        Ok(Self { client, namespace: arguments.namespace.as_str().to_owned() })
    }

    pub(crate) fn key(&self, name: &str) -> ObjectKey {
        ObjectKey::new(&self.namespace, name)
    }

    async fn object<K: Object>(&self, name: &str) -> anyhow::Result<Option<K>> {
        fetch(&self.client, &self.key(name)).await.context("ask the home cluster")
    }

    /// What the hub shows of a cluster; none when it does not know it.
    pub(crate) async fn work_cluster(&self, id: &ClusterId) -> anyhow::Result<Option<WorkCluster>> {
        self.object(id.as_str()).await
    }

    pub(crate) async fn secret(&self, name: &str) -> anyhow::Result<Option<Secret>> {
        self.object(name).await
    }

    /// What the hub shows of all clusters, by name; none when no hub has ever run here.
    pub(crate) async fn work_clusters(&self) -> anyhow::Result<Option<Vec<WorkCluster>>> {
        let api: Api<WorkCluster> = Api::namespaced(self.client.clone(), &self.namespace);
        match list_all(&api, ListParams::default()).await {
            Ok(mut found) => {
                found.sort_by_key(kube::ResourceExt::name_any);
                Ok(Some(found))
            }
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
            Err(error) => Err(error).context("list the WorkClusters of the home cluster"),
        }
    }

    /// The registration of a cluster: the Secret that the hub goes by, else the oldest that claims the name.
    pub(crate) async fn registration(
        &self,
        id: &ClusterId,
        shown: Option<&WorkCluster>,
    ) -> anyhow::Result<Option<Secret>> {
        if let Some(observed) = shown.and_then(observed_secret)
            && let Some(secret) = self.secret(&observed.name).await?
            && secret.uid().as_deref() == Some(&observed.uid)
        {
            return Ok(Some(secret));
        }
        let api: Api<Secret> = Api::namespaced(self.client.clone(), &self.namespace);
        let registered = ListParams::default().labels(&Convention::Native.selector());
        let found = list_all(&api, registered).await.context("list the registrations of the home cluster")?;
        let claims = found.into_iter().filter_map(|secret| {
            let mine =
                read(Convention::Native, &secret, INSECURE).into_iter().find(|found| is_of(found, id))?;
            Some((mine.secret.created, mine.secret.name, secret))
        });
        Ok(claims.min_by_key(|(created, name, _)| (*created, name.clone())).map(|(_, _, secret)| secret))
    }

    /// The same, as something that has to be there.
    pub(crate) async fn require_registration(
        &self,
        id: &ClusterId,
        shown: Option<&WorkCluster>,
    ) -> anyhow::Result<Secret> {
        let Some(secret) = self.registration(id, shown).await? else {
            bail!(
                "no cluster {id} is registered in namespace {}: `homebase list` shows those that are",
                self.namespace
            );
        };
        if !is_registration(&secret) {
            bail!(
                "Secret {} is not a registration of Homebase's own (label {}={}): change it with the tool that made it",
                secret.name_any(),
                labels::CLUSTER,
                labels::TRUE
            );
        }
        Ok(secret)
    }
}

/// All pages of a list.
pub(crate) async fn list_all<K>(api: &Api<K>, params: ListParams) -> Result<Vec<K>, kube::Error>
where
    K: Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    let mut params = params.limit(PAGE);
    let mut all = Vec::new();
    loop {
        let page = api.list(&params).await?;
        all.extend(page.items);
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(all),
        }
    }
}

/// Name of the Secret that registers a cluster.
pub(crate) fn secret_name(id: &ClusterId) -> String {
    format!("{id}{NAME_SUFFIX}")
}

/// Whether a Secret is a registration of the native convention.
pub(crate) fn is_registration(secret: &Secret) -> bool {
    secret.labels().get(labels::CLUSTER).map(String::as_str) == Some(labels::TRUE)
}

/// A Secret as the hub reads it for a cluster, whatever tool wrote it.
pub(crate) fn registered(secret: &Secret, id: &ClusterId) -> Option<Registration> {
    read_first(&Convention::ALL, secret, INSECURE).into_iter().find(|found| is_of(found, id))
}

fn is_of(registration: &Registration, id: &ClusterId) -> bool {
    registration.id.as_ref().is_ok_and(|found| found == id)
}

/// The key of a registration's kubeconfig: the one that is there, or the first choice.
pub(crate) fn data_key(secret: &Secret) -> &'static str {
    let has = |key: &&str| secret.data.as_ref().is_some_and(|data| data.contains_key(*key));
    NATIVE_KEYS.into_iter().find(has).unwrap_or(NATIVE_KEYS[0])
}

/// The kubeconfig of a registration, by the hub's own rules, and where in its cluster the hub works.
pub(crate) fn kubeconfig_of(
    secret: &Secret,
    id: &ClusterId,
) -> anyhow::Result<(Arc<SanitizedKubeconfig>, Arc<Namespaces>)> {
    let name = secret.name_any();
    let registration =
        registered(secret, id).with_context(|| format!("Secret {name} does not register {id} any more"))?;
    let kubeconfig = registration
        .kubeconfig
        .map_err(|unusable| anyhow::anyhow!("use what Secret {name} holds: {}", unusable.message))?;
    Ok((kubeconfig, registration.preferences.namespaces.clone()))
}

/// The Secret that the hub's words are about.
pub(crate) fn observed_secret(shown: &WorkCluster) -> Option<&ObservedSecret> {
    shown.status.as_ref()?.observed_secret.as_ref()
}

/// The UID of the cluster that is on record for this registration; one that was recorded for an earlier one of the
/// same name says nothing.
pub(crate) fn pinned_uid<'a>(shown: Option<&'a WorkCluster>, secret: &Secret) -> Option<&'a str> {
    let shown = shown?;
    let is_same = observed_secret(shown)?.uid == secret.uid()?;
    is_same.then(|| Some(shown.status.as_ref()?.identity.as_ref()?.uid.as_str()))?
}
