//! The forms in which other tools write a cluster's credentials into a Secret: by what a Secret is known, what
//! each calls its cluster, and where the credentials are. It judges no credentials.

use std::collections::BTreeMap;

use homebase_api::{annotations, labels};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;

use super::preferences::Restriction;

#[cfg(test)]
mod tests;

/// Cluster API: the label that holds the cluster's name, and the type of its Secrets.
const CLUSTER_API_LABEL: &str = "cluster.x-k8s.io/cluster-name";
const CLUSTER_API_TYPE: &str = "cluster.x-k8s.io/secret";
/// Cluster API keeps certificates of the same cluster under the same label; only this key holds a kubeconfig.
const CLUSTER_API_KEY: &str = "value";
const MULTICLUSTER_RUNTIME_LABEL: &str = "sigs.k8s.io/multicluster-runtime-kubeconfig";
const MULTICLUSTER_RUNTIME_KEY: &str = "kubeconfig";
const ARGO_CD_LABEL: &str = "argocd.argoproj.io/secret-type";
const ARGO_CD_VALUE: &str = "cluster";
/// Argo CD: the namespaces that it works in, separated by commas; all when there is no such key or nothing in it.
const ARGO_CD_NAMESPACES: &str = "namespaces";
/// Argo CD: whether it works on what lies in no namespace too, for a cluster with such a list.
const ARGO_CD_CLUSTER_RESOURCES: &str = "clusterResources";
const ISTIO_LABEL: &str = "istio/multiCluster";
/// The keys of a native registration that may hold the kubeconfig; the first one that is there counts.
pub const NATIVE_KEYS: [&str; 3] = ["kubeconfig", "value", "config"];
/// What a Secret's name ends with by custom, and the cluster's name does not.
const NAME_SUFFIX: &str = "-kubeconfig";

/// A form of registration Secrets. A Secret that has several is read in the first one of this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Convention {
    /// Homebase's own.
    Native,
    /// Written by Cluster API beside each cluster that it makes.
    ClusterApi,
    /// That of the kubeconfig provider of multicluster-runtime.
    MulticlusterRuntime,
    /// Argo CD's cluster Secrets.
    ArgoCd,
    /// Istio's remote Secrets: each key is a cluster.
    Istio,
}

/// Where the credentials of one cluster are within a Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place<'a> {
    /// A kubeconfig.
    Kubeconfig(&'a [u8]),
    /// Argo CD's three keys; one that is missing is empty, which is a fault that is told by name.
    ArgoCd { name: &'a [u8], server: &'a [u8], config: &'a [u8] },
    /// There are none: these keys were looked for.
    Missing(&'static [&'static str]),
}

impl Convention {
    /// All of them, in their order.
    pub const ALL: [Self; 5] =
        [Self::Native, Self::ClusterApi, Self::MulticlusterRuntime, Self::ArgoCd, Self::Istio];

    /// Those that need no setting: a Secret of these was made to register a cluster with a controller.
    pub const DEFAULT: [Self; 2] = [Self::Native, Self::MulticlusterRuntime];

    /// The selector of its Secrets. It narrows the watch, so that a lost label arrives as a deletion.
    pub fn selector(self) -> String {
        match self {
            Self::Native => format!("{}={}", labels::CLUSTER, labels::TRUE),
            Self::ClusterApi => CLUSTER_API_LABEL.to_owned(),
            Self::MulticlusterRuntime => format!("{MULTICLUSTER_RUNTIME_LABEL}={}", labels::TRUE),
            Self::ArgoCd => format!("{ARGO_CD_LABEL}={ARGO_CD_VALUE}"),
            Self::Istio => format!("{ISTIO_LABEL}={}", labels::TRUE),
        }
    }

    /// Whether a Secret is a registration of this form; for a Secret that was not found by the selector.
    pub(super) fn is_met(self, secret: &Secret) -> bool {
        let label = |key: &str| secret.labels().get(key).map(String::as_str);
        match self {
            Self::Native => label(labels::CLUSTER) == Some(labels::TRUE),
            Self::ClusterApi => {
                label(CLUSTER_API_LABEL).is_some()
                    && secret.type_.as_deref() == Some(CLUSTER_API_TYPE)
                    && data(secret).contains_key(CLUSTER_API_KEY)
            }
            Self::MulticlusterRuntime => label(MULTICLUSTER_RUNTIME_LABEL) == Some(labels::TRUE),
            Self::ArgoCd => label(ARGO_CD_LABEL) == Some(ARGO_CD_VALUE),
            Self::Istio => label(ISTIO_LABEL) == Some(labels::TRUE),
        }
    }

    /// The clusters of a Secret by name, as written, with the place of their credentials.
    pub(super) fn clusters(self, secret: &Secret) -> Vec<(String, Place<'_>)> {
        let own = secret.name_any();
        let renamed = secret.annotations().get(annotations::CLUSTER_NAME).cloned();
        let one = |name: String, place| vec![(renamed.clone().unwrap_or(name), place)];
        match self {
            Self::Native => {
                let name = own.strip_suffix(NAME_SUFFIX).unwrap_or(&own).to_owned();
                one(name, kubeconfig(secret, &NATIVE_KEYS))
            }
            Self::ClusterApi => {
                let name = secret.labels().get(CLUSTER_API_LABEL).cloned().unwrap_or(own);
                one(name, kubeconfig(secret, &[CLUSTER_API_KEY]))
            }
            Self::MulticlusterRuntime => one(own, kubeconfig(secret, &[MULTICLUSTER_RUNTIME_KEY])),
            Self::ArgoCd => {
                let part = |key: &str| data(secret).get(key).map_or(&[][..], |bytes| &bytes.0);
                let name = String::from_utf8_lossy(part("name")).into_owned();
                let place =
                    Place::ArgoCd { name: part("name"), server: part("server"), config: part("config") };
                one(name, place)
            }
            // An annotation for one name cannot name several clusters, so the keys alone do.
            Self::Istio => {
                let clusters = data(secret).iter();
                clusters.map(|(key, bytes)| (key.clone(), Place::Kubeconfig(&bytes.0))).collect()
            }
        }
    }
}

impl Convention {
    /// What a Secret restricts in the keys of its own tool.
    pub(super) fn restriction(self, secret: &Secret) -> Restriction<'_> {
        let text = |key: &str| data(secret).get(key).map_or(&[][..], |bytes| bytes.0.trim_ascii());
        let namespaces = text(ARGO_CD_NAMESPACES);
        if self != Self::ArgoCd || namespaces.is_empty() {
            return Restriction::default();
        }
        Restriction {
            namespaces: Some((ARGO_CD_NAMESPACES, namespaces)),
            keeps_cluster: text(ARGO_CD_CLUSTER_RESOURCES) != b"true",
        }
    }
}

fn data(secret: &Secret) -> &BTreeMap<String, ByteString> {
    static NONE: BTreeMap<String, ByteString> = BTreeMap::new();
    secret.data.as_ref().unwrap_or(&NONE)
}

fn kubeconfig<'a>(secret: &'a Secret, keys: &'static [&'static str]) -> Place<'a> {
    let found = keys.iter().find_map(|key| data(secret).get(*key));
    found.map_or(Place::Missing(keys), |bytes| Place::Kubeconfig(&bytes.0))
}
