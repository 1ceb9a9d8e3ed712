//! Decides the predefined volumes of a node: where each directory is, and which claim it gets. Must not shrink or
//! grow a claim that exists.

use std::collections::BTreeMap;

use homebase_api::iriscluster::{StorageSpec, VolumeSettings};
use k8s_openapi::api::core::v1::{PersistentVolumeClaimSpec, VolumeMount, VolumeResourceRequirements};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::text::require_directory;
use crate::cluster::cpf::Directories;
use crate::cluster::validated::PredefinedVolume;
use crate::report::Report;

/// Size of a predefined volume that the spec does not size: what existing clusters were built with.
const DEFAULT_SIZE: &str = "2Gi";

/// Access mode of a predefined volume that the spec gives none.
const DEFAULT_ACCESS_MODE: &str = "ReadWriteOnce";

/// Which predefined volumes a node has.
#[derive(Clone, Copy)]
pub(super) enum Predefined<'a> {
    /// None at all: the arbiter keeps nothing.
    None,
    /// Each one a claim.
    Claims(&'a StorageSpec),
    /// Each one a directory that goes with the pod.
    Ephemeral(&'a StorageSpec),
    /// Only the first: a web gateway has no database, and System Alerting and Monitoring no directories of ours.
    Gateway {
        /// Its settings.
        storage: &'a StorageSpec,
        /// Whether it goes with the pod.
        ephemeral: bool,
    },
}

/// The predefined volumes of a node and its directories.
pub(super) fn validate_storage(
    path: &str,
    predefined: Predefined<'_>,
    mounts: &[VolumeMount],
    storage_class: Option<&str>,
    report: &mut Report,
) -> (Vec<PredefinedVolume>, Directories) {
    let (storage, ephemeral, count) = match predefined {
        Predefined::None => return (Vec::new(), default_directories()),
        Predefined::Claims(storage) => (storage, false, 4),
        Predefined::Ephemeral(storage) => (storage, true, 4),
        Predefined::Gateway { storage, ephemeral } => (storage, ephemeral, 1),
    };
    let db_field = if storage.db.is_none() && storage.legacy.is_some() { "storage" } else { "storageDB" };
    if storage.db.is_some() && storage.legacy.is_some() {
        report.invalid(format!("{path}.storage"), "the old name of storageDB: keep storageDB only");
    }
    let mut directories = default_directories();
    let mut volumes = Vec::new();
    let all = [
        ("iris-data", db_field, storage.database(), &mut directories.data),
        ("iris-wij", "storageWIJ", storage.wij.as_ref(), &mut directories.wij),
        ("iris-journal1", "storageJournal1", storage.journal1.as_ref(), &mut directories.journal1),
        ("iris-journal2", "storageJournal2", storage.journal2.as_ref(), &mut directories.journal2),
    ];
    for (name, field, settings, directory) in all.into_iter().take(count) {
        let path = format!("{path}.{field}");
        let chosen = settings.and_then(|settings| settings.mount_path.as_deref());
        if let Some(chosen) = chosen {
            require_directory(&format!("{path}.mountPath"), chosen, report);
            directory.clear();
            directory.push_str(chosen.trim_end_matches('/'));
            if mounts.iter().any(|mount| lies_under(directory, &mount.mount_path)) {
                continue;
            }
        } else if mounts.iter().any(|mount| mount.mount_path.trim_end_matches('/') == directory) {
            report.invalid(
                format!("{path}.mountPath"),
                format!("a volume is mounted at {directory}: set mountPath to use it, or mount it elsewhere"),
            );
        }
        if ephemeral && settings.is_some_and(has_more_than_a_path) {
            report.warn(&path, "only mountPath has an effect: nodes that are ephemeral have no claims");
        }
        let claim = (!ephemeral).then(|| claim(settings, storage_class, &path, report));
        volumes.push(PredefinedVolume { name, mount_path: directory.clone(), claim });
    }
    (volumes, directories)
}

fn has_more_than_a_path(settings: &VolumeSettings) -> bool {
    *settings != VolumeSettings { mount_path: settings.mount_path.clone(), ..VolumeSettings::default() }
}

/// Whether a directory is a mount or inside of it.
pub(super) fn lies_under(directory: &str, mount: &str) -> bool {
    directory
        .strip_prefix(mount.trim_end_matches('/'))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn default_directories() -> Directories {
    Directories {
        data: "/irissys/data".to_owned(),
        wij: "/irissys/wij".to_owned(),
        journal1: "/irissys/journal1".to_owned(),
        journal2: "/irissys/journal2".to_owned(),
    }
}

fn claim(
    settings: Option<&VolumeSettings>,
    storage_class: Option<&str>,
    path: &str,
    report: &mut Report,
) -> PersistentVolumeClaimSpec {
    let settings = settings.cloned().unwrap_or_default();
    if settings.volume_mode.as_deref() == Some("Block") {
        report.invalid(format!("{path}.volumeMode"), "IRIS needs a file system: use Filesystem");
    }
    let resources = settings.resources.clone().unwrap_or_default();
    let mut requests = resources.requests;
    requests.entry("storage".to_owned()).or_insert_with(|| Quantity(DEFAULT_SIZE.to_owned()));
    let access_modes = if settings.access_modes.is_empty() {
        vec![DEFAULT_ACCESS_MODE.to_owned()]
    } else {
        settings.access_modes
    };
    PersistentVolumeClaimSpec {
        access_modes: Some(access_modes),
        resources: Some(VolumeResourceRequirements {
            requests: Some(requests),
            limits: Some(resources.limits).filter(|limits: &BTreeMap<_, _>| !limits.is_empty()),
        }),
        storage_class_name: settings.storage_class_name.or_else(|| storage_class.map(ToOwned::to_owned)),
        selector: report.parse_option(&format!("{path}.selector"), settings.selector.as_ref()),
        volume_mode: settings.volume_mode,
        volume_name: settings.volume_name,
        data_source: report.parse_option(&format!("{path}.dataSource"), settings.data_source.as_ref()),
        data_source_ref: report
            .parse_option(&format!("{path}.dataSourceRef"), settings.data_source_ref.as_ref()),
        volume_attributes_class_name: settings.volume_attributes_class_name,
    }
}
