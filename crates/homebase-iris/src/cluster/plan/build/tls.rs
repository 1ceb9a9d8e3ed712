//! Builds the volumes and mounts of certificates. Must not read a Secret: it hands the source of the volume over.
//!
//! Facts, from public configurations of the operator that users come from: the files `tls.crt`, `tls.key` and
//! `ca.pem`, and the directory `/irissys/tls/webgateway`; from the CPF reference: the names of the three files that a
//! mirror looks for. Choices of this project: a directory for every connection, and that the files of a mirror are
//! mounted one by one under their other names, which works with every kind of volume.

use homebase_api::labels::Component;
use k8s_openapi::api::core::v1::{Volume, VolumeMount};

use crate::cluster::names::{Connection, TLS_AUTHORITIES, TLS_CERTIFICATE, TLS_KEY};
use crate::cluster::validated::ValidatedCluster;

/// The files of a mirror, by the names that they have in the source.
const MIRROR_FILES: [(&str, &str); 3] = [
    (TLS_AUTHORITIES, "CAFile.pem"),
    (TLS_CERTIFICATE, "CertificateFile.pem"),
    (TLS_KEY, "PrivateKeyFile.pem"),
];

/// The volumes with certificates of a pod, each once.
pub(crate) fn tls_volumes(
    cluster: &ValidatedCluster,
    component: Component,
    has_sidecar: bool,
) -> impl Iterator<Item = &Volume> {
    let mut volumes: Vec<&Volume> = Vec::new();
    let of_sidecar = sidecar_connections().iter().filter(move |_| has_sidecar);
    for connection in connections(component).iter().chain(of_sidecar) {
        let Some(volume) = cluster.tls.0.get(connection) else { continue };
        if volumes.iter().all(|known| known.name != volume.name) {
            volumes.push(volume);
        }
    }
    volumes.into_iter()
}

/// The certificates of the main container of a pod.
pub(crate) fn tls_mounts(cluster: &ValidatedCluster, component: Component) -> Vec<VolumeMount> {
    mounts(cluster, connections(component))
}

/// The certificates of a web gateway beside IRIS, which reaches that without TLS inside of the pod.
pub(crate) fn sidecar_tls_mounts(cluster: &ValidatedCluster) -> Vec<VolumeMount> {
    mounts(cluster, sidecar_connections())
}

/// The connections whose certificates the main container of a node group needs. Which of them there are at all was
/// decided before.
fn connections(component: Component) -> &'static [Connection] {
    match component {
        Component::Data => &[Connection::Mirror, Connection::Superserver, Connection::Ecp],
        Component::Compute => &[Connection::Superserver, Connection::Ecp],
        Component::Webgateway => &[Connection::Webgateway, Connection::Superserver],
        Component::Arbiter | Component::Sam | Component::Iam => &[],
    }
}

const fn sidecar_connections() -> &'static [Connection] {
    &[Connection::Webgateway]
}

fn mounts(cluster: &ValidatedCluster, connections: &[Connection]) -> Vec<VolumeMount> {
    let found =
        connections.iter().filter_map(|connection| Some((*connection, cluster.tls.0.get(connection)?)));
    found.flat_map(|(connection, volume)| mounts_of(connection, &volume.name)).collect()
}

fn mounts_of(connection: Connection, volume: &str) -> Vec<VolumeMount> {
    let directory = connection.directory();
    let mount = |path: String, file: Option<&str>| VolumeMount {
        name: volume.to_owned(),
        mount_path: path,
        sub_path: file.map(ToOwned::to_owned),
        read_only: Some(true),
        ..VolumeMount::default()
    };
    match connection {
        Connection::Mirror => {
            MIRROR_FILES.iter().map(|(file, name)| mount(format!("{directory}/{name}"), Some(file))).collect()
        }
        _ => vec![mount(directory.to_owned(), None)],
    }
}
