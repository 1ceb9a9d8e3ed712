//! Builds the ConfigMap of a component: its CPF, or the files of a web gateway. Must not decide what a line of them
//! says.

use std::collections::BTreeMap;

use homebase_api::labels::Component;
use k8s_openapi::api::core::v1::ConfigMap;

use super::meta::build_meta;
use super::webgateway::{backends, build_files, own_backend};
use crate::cluster::cpf::{Common, CpfTls, Mirror, compute_cpf, data_cpf};
use crate::cluster::names::{Connection, NodeSet};
use crate::cluster::validated::{Node, Sidecar, ValidatedCluster, Webgateway};

/// The key of a component's CPF, in the ConfigMap and in `spec.configSource`; also its file name.
pub(crate) fn cpf_key(component: Component) -> String {
    format!("{component}.cpf")
}

/// The ConfigMap of a StatefulSet: its CPF, or the files of a web gateway.
pub(crate) fn build_config_map(cluster: &ValidatedCluster, set: NodeSet, node: &Node) -> ConfigMap {
    let component = set.component;
    let data = match &cluster.webgateway {
        Some(Webgateway { gateway, .. }) if component == Component::Webgateway => {
            build_files(cluster, gateway, &backends(cluster)).into()
        }
        _ => {
            let mut data = build_cpf(cluster, component, node);
            if let Some(Sidecar { gateway, .. }) = &node.sidecar {
                data.extend(build_files(cluster, gateway, &own_backend()));
            }
            data
        }
    };
    ConfigMap {
        metadata: build_meta(cluster, set, cluster.key.config_map(set)),
        data: Some(data),
        ..ConfigMap::default()
    }
}

fn build_cpf(cluster: &ValidatedCluster, component: Component, node: &Node) -> BTreeMap<String, String> {
    let key = cpf_key(component);
    let source = &cluster.found.config_source;
    let additions: Vec<&str> = ["common.cpf", &key].into_iter().filter_map(|key| source.text(key)).collect();
    let data_host = cluster.key.pod_host(&cluster.key.pod(cluster.first_data_set(), 0));
    let common = Common {
        directories: &node.volumes.directories,
        data_host: &data_host,
        sharded: cluster.data.shards.is_some(),
        tls: CpfTls {
            mirror: cluster.tls.has(Connection::Mirror),
            superserver: cluster.tls.has(Connection::Superserver),
            ecp: cluster.tls.has(Connection::Ecp),
        },
        databases: &cluster.data.databases,
        namespaces: &cluster.data.namespaces,
        password_hash: cluster.password_hash.as_deref(),
        additions: &additions,
    };
    let text = if component == Component::Compute {
        compute_cpf(&common, cluster.mirror_map().is_some())
    } else {
        build_data_cpf(cluster, &common)
    };
    [(key, text)].into()
}

fn build_data_cpf(cluster: &ValidatedCluster, common: &Common<'_>) -> String {
    let arbiter = cluster
        .arbiter
        .is_some()
        .then(|| cluster.key.pod_host(&cluster.key.pod(NodeSet::whole(Component::Arbiter), 0)));
    let mirror = cluster.mirror_map().map(|map| Mirror { map, arbiter: arbiter.as_deref() });
    data_cpf(common, cluster.data.dialect, mirror)
}
