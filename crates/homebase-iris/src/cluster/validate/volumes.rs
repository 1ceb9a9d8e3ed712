//! Decides which of the user's volumes a node gets, and refuses mounts that cannot be. Must not decide sizes.

use std::collections::BTreeSet;

use homebase_api::IrisClusterSpec;
use homebase_api::embedded::Embedded;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, PodSpec, Volume, VolumeMount};

use super::storage::{Predefined, validate_storage};
use crate::cluster::names::{
    CPF_DIRECTORY, CPF_VOLUME, CSP_DIRECTORY, CSP_TEMPLATE_DIRECTORY, CSP_TEMPLATE_VOLUME, CSP_VOLUME,
    Connection, KEY_DIRECTORY, KEY_VOLUME, LOGIN_DIRECTORY, LOGIN_VOLUME, SIDECAR_VOLUME, TLS_COMMON_VOLUME,
    TLS_DIRECTORY,
};
use crate::cluster::validated::{Node, Volumes};
use crate::report::{Report, join};

/// Names of volumes that the plan gives itself.
const RESERVED: [&str; 10] = [
    "iris-data",
    "iris-wij",
    "iris-journal1",
    "iris-journal2",
    CPF_VOLUME,
    KEY_VOLUME,
    CSP_VOLUME,
    CSP_TEMPLATE_VOLUME,
    LOGIN_VOLUME,
    SIDECAR_VOLUME,
];

/// Directories that are taken in every pod that has them.
const TAKEN: [&str; 5] =
    [CPF_DIRECTORY, KEY_DIRECTORY, CSP_DIRECTORY, CSP_TEMPLATE_DIRECTORY, LOGIN_DIRECTORY];

/// The same of the certificates, for clusters that have some.
const RESERVED_WITH_TLS: [&str; 5] = [
    TLS_COMMON_VOLUME,
    Connection::Mirror.volume(),
    Connection::Webgateway.volume(),
    Connection::Superserver.volume(),
    Connection::Ecp.volume(),
];

/// See [`RESERVED_WITH_TLS`].
const TAKEN_WITH_TLS: [&str; 5] = [
    TLS_DIRECTORY,
    Connection::Mirror.directory(),
    Connection::Webgateway.directory(),
    Connection::Superserver.directory(),
    Connection::Ecp.directory(),
];

/// Every volume and claim template of the cluster, whichever node uses it.
pub(super) struct Library {
    volumes: Vec<Volume>,
    claims: Vec<PersistentVolumeClaim>,
    has_tls: bool,
}

impl Library {
    /// Reads `spec.volumes` and `spec.volumeClaimTemplates`.
    pub(super) fn read(spec: &IrisClusterSpec, report: &mut Report) -> Self {
        let has_tls = spec.tls.is_some();
        let volumes = report.parse_list("spec.volumes", &spec.volumes).unwrap_or_default();
        let claims =
            report.parse_list("spec.volumeClaimTemplates", &spec.volume_claim_templates).unwrap_or_default();
        let names = volumes
            .iter()
            .enumerate()
            .map(|(index, volume)| (format!("spec.volumes[{index}].name"), volume.name.as_str()))
            .chain(claims.iter().enumerate().map(|(index, claim)| {
                (format!("spec.volumeClaimTemplates[{index}].metadata.name"), claim_name(claim))
            }));
        let mut seen = BTreeSet::new();
        for (path, name) in names {
            if name.is_empty() {
                report.invalid(path, "must not be empty: name the volume");
            } else if RESERVED.contains(&name) || (has_tls && RESERVED_WITH_TLS.contains(&name)) {
                report.invalid(path, "the name of a predefined volume: use another one");
            } else if !seen.insert(name.to_owned()) {
                report.invalid(path, "another volume has this name: use another one");
            }
        }
        Self { volumes, claims, has_tls }
    }

    /// Directories that are taken before a node asks for any.
    fn taken(&self) -> BTreeSet<&'static str> {
        let with_tls: &[&str] = if self.has_tls { &TAKEN_WITH_TLS } else { &[] };
        TAKEN.iter().chain(with_tls).copied().collect()
    }

    /// Warns of what no node mounts.
    pub(super) fn warn_of_unused<'a>(&self, nodes: impl Iterator<Item = &'a Node>, report: &mut Report) {
        let used: Vec<_> = nodes
            .flat_map(|node| {
                node.sidecar.as_ref().map(|sidecar| &sidecar.volumes).into_iter().chain([&node.volumes])
            })
            .collect();
        let message = "has no effect: no node has it in its volumeMounts";
        for (index, volume) in self.volumes.iter().enumerate() {
            if !used.iter().any(|used| used.referenced.contains(volume)) {
                report.warn(format_args!("spec.volumes[{index}]"), message);
            }
        }
        for (index, claim) in self.claims.iter().enumerate() {
            if !used.iter().any(|used| used.claims.contains(claim)) {
                report.warn(format_args!("spec.volumeClaimTemplates[{index}]"), message);
            }
        }
    }

    fn has(&self, name: &str) -> bool {
        self.volumes.iter().any(|volume| volume.name == name)
            || self.claims.iter().any(|claim| claim_name(claim) == name)
    }
}

fn claim_name(claim: &PersistentVolumeClaim) -> &str {
    claim.metadata.name.as_deref().unwrap_or_default()
}

/// All volumes of one node.
pub(super) fn validate_volumes(
    path: &str,
    mounts: &[Embedded<VolumeMount>],
    pod: &PodSpec,
    predefined: Predefined<'_>,
    library: &Library,
    storage_class: Option<&str>,
    report: &mut Report,
) -> Volumes {
    let mounts_path = join(path, "volumeMounts");
    let mounts = report.parse_list(&mounts_path, mounts).unwrap_or_default();
    check_mounts(&mounts_path, &mounts, library, report);
    let (predefined, directories) = validate_storage(path, predefined, &mounts, storage_class, report);
    check_overlaps(
        path,
        &predefined.iter().map(|volume| volume.mount_path.as_str()).collect::<Vec<_>>(),
        library,
        report,
    );

    let of_init =
        pod.init_containers.iter().flatten().flat_map(|container| container.volume_mounts.iter().flatten());
    let used: BTreeSet<&str> = mounts.iter().chain(of_init).map(|mount| mount.name.as_str()).collect();
    Volumes {
        referenced: library
            .volumes
            .iter()
            .filter(|volume| used.contains(volume.name.as_str()))
            .cloned()
            .collect(),
        claims: library.claims.iter().filter(|claim| used.contains(claim_name(claim))).cloned().collect(),
        predefined,
        directories,
        mounts,
    }
}

fn check_mounts(path: &str, mounts: &[VolumeMount], library: &Library, report: &mut Report) {
    let mut seen: BTreeSet<&str> = library.taken();
    for (index, mount) in mounts.iter().enumerate() {
        let path = format!("{path}[{index}]");
        if !library.has(&mount.name) {
            report.invalid(
                join(&path, "name"),
                "no such volume: add it to spec.volumes or spec.volumeClaimTemplates",
            );
        }
        let directory = mount.mount_path.trim_end_matches('/');
        if directory.is_empty() {
            report.invalid(join(&path, "mountPath"), "must not be empty or the root directory");
        } else if !seen.insert(directory) {
            report
                .invalid(join(&path, "mountPath"), "something else is mounted there: use another directory");
        }
    }
}

/// Two predefined volumes in one place would be refused by Kubernetes, with a message that names neither.
fn check_overlaps(path: &str, directories: &[&str], library: &Library, report: &mut Report) {
    let mut seen: BTreeSet<&str> = library.taken();
    for directory in directories {
        if !seen.insert(directory) {
            report.invalid(
                path,
                format!("another predefined volume is mounted at {directory}: change one mountPath"),
            );
        }
    }
}
