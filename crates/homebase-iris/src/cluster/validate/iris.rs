//! Decides which databases and IRIS namespaces a cluster gets. Must not let a name or a directory through that could
//! end a value of the CPF.

use std::collections::BTreeSet;

use homebase_api::iriscluster::{Data, IrisDatabase, IrisNamespace};
use homebase_api::limits::{CLUSTER_NAMESPACE, IRIS_ITEMS, IRIS_NAME_LENGTH};

use super::text::require_directory;
use crate::cluster::cpf::{CLUSTER_DATABASE, Database, Namespace};
use crate::cluster::validated::Volumes;
use crate::report::Report;

const DATABASES: &str = "spec.topology.data.irisDatabases";
const NAMESPACES: &str = "spec.topology.data.irisNamespaces";

/// The databases with their directories, and whether each is mirrored.
pub(super) fn validate_databases(data: &Data, volumes: &Volumes, report: &mut Report) -> Vec<Database> {
    let names = data.iris_databases.iter().map(|database| database.name.as_str());
    check_names(DATABASES, names, CLUSTER_DATABASE, report);
    let mut directories = BTreeSet::from([volumes.directories.database(CLUSTER_DATABASE)]);
    let mut databases = Vec::new();
    for (index, database) in data.iris_databases.iter().enumerate() {
        let IrisDatabase { name, directory, mirrored, unknown } = database;
        let path = format!("{DATABASES}[{index}]");
        report.unknown(&path, unknown);
        let directory_path = format!("{path}.directory");
        if let Some(directory) = directory {
            require_directory(&directory_path, directory, report);
            if !is_on_a_volume(directory, volumes) {
                report.warn(&directory_path, "is on no volume: the database goes with its pod");
            }
        }
        let directory = directory.as_deref().map(|directory| directory.trim_end_matches('/').to_owned());
        let directory = directory.unwrap_or_else(|| volumes.directories.database(name));
        if !directories.insert(directory.clone()) {
            report.invalid(&directory_path, "another database is there: give each a directory of its own");
        }
        let mirrored = check_mirrored(data, *mirrored, &format!("{path}.mirrored"), report);
        databases.push(Database { name: name.clone(), directory, mirrored });
    }
    databases
}

/// Whether a database is part of the mirror.
fn check_mirrored(data: &Data, wish: Option<bool>, path: &str, report: &mut Report) -> bool {
    let mirrored = wish.unwrap_or(data.mirrored);
    if mirrored && !data.mirrored {
        report.invalid(path, "only a mirrored cluster has mirrored databases: set it to false");
    } else if mirrored && data.shards.is_some() {
        report.invalid(
            path,
            "a sharded cluster names its mirrors itself and takes no other databases in: set it to false",
        );
    }
    mirrored
}

/// The IRIS namespaces with their databases.
pub(super) fn validate_namespaces(data: &Data, report: &mut Report) -> Vec<Namespace> {
    let names = data.iris_namespaces.iter().map(|namespace| namespace.name.as_str());
    check_names(NAMESPACES, names, CLUSTER_NAMESPACE, report);
    let made = |name: &str| {
        let mut names = data.iris_databases.iter().map(|database| database.name.as_str());
        name.eq_ignore_ascii_case(CLUSTER_DATABASE) || names.any(|made| made.eq_ignore_ascii_case(name))
    };
    let mut namespaces = Vec::new();
    for (index, namespace) in data.iris_namespaces.iter().enumerate() {
        let IrisNamespace { name, globals, routines, interop, unknown } = namespace;
        let path = format!("{NAMESPACES}[{index}]");
        report.unknown(&path, unknown);
        for (field, database) in [("globals", globals), ("routines", routines)] {
            let Some(database) = database else { continue };
            check_name(&format!("{path}.{field}"), database, report);
            if !made(database) {
                let message = "is none of irisDatabases: the image must bring the database along";
                report.warn(format_args!("{path}.{field}"), message);
            }
        }
        if globals.is_none() && !made(name) {
            let message = "no database of this name is in irisDatabases: the image must bring it along";
            report.warn(&path, message);
        }
        namespaces.push(Namespace {
            name: name.clone(),
            globals: globals.clone().unwrap_or_else(|| name.clone()),
            routines: routines.clone(),
            interop: interop.unwrap_or_default(),
        });
    }
    namespaces
}

/// Names that IRIS can tell apart, none of them `ours`.
fn check_names<'a>(
    path: &str,
    names: impl ExactSizeIterator<Item = &'a str>,
    ours: &str,
    report: &mut Report,
) {
    if names.len() > IRIS_ITEMS {
        report.invalid(path, format!("must have {IRIS_ITEMS} items at most"));
    }
    let mut seen = BTreeSet::new();
    for (index, name) in names.enumerate() {
        let path = format!("{path}[{index}].name");
        check_name(&path, name, report);
        if name.eq_ignore_ascii_case(ours) {
            report.invalid(path, "every cluster has it already: choose another name");
        } else if !seen.insert(name.to_ascii_lowercase()) {
            report.invalid(path, "is there twice, as IRIS ignores case: choose another name");
        }
    }
}

fn check_name(path: &str, name: &str, report: &mut Report) {
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '%');
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !begins || !name.chars().skip(1).all(plain) {
        report.invalid(path, "must begin with a letter or `%`, and have only letters, digits, `-` and `_`");
    } else if name.len() > IRIS_NAME_LENGTH {
        report.invalid(path, format!("must have {IRIS_NAME_LENGTH} characters at most"));
    }
}

fn is_on_a_volume(directory: &str, volumes: &Volumes) -> bool {
    let predefined = volumes.predefined.iter().map(|volume| volume.mount_path.as_str());
    let users = volumes.mounts.iter().map(|mount| mount.mount_path.as_str());
    predefined.chain(users).any(|mount| super::storage::lies_under(directory, mount))
}
