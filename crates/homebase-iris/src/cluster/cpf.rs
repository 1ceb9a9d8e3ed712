//! Writes the CPF merge text of data and compute nodes. Must not read the spec or decide names: it gets both decided.
//!
//! Facts, from the CPF reference and the manual of configuration merge: the actions with their properties and values,
//! that a `Create` is not carried out for what exists already, that `ConfigShardedCluster` with the role `auto` tells
//! data node 1 and the members of a mirror by the names of their hosts, that compute nodes need its URL, and the
//! fourth field of an ECP server, which is TLS. Choices of this project: node 1 is pod 0 of shard 0, and what compute
//! nodes reach of a user's databases in a sharded cluster is theirs. A sharded cluster makes its namespace, its
//! databases and its mirrors itself, so we do not.

mod tls;

use std::fmt::Write as _;

use homebase_api::limits::CLUSTER_NAMESPACE;

pub use self::tls::CpfTls;
use self::tls::{client_config, server_configs};
use super::mirror::MirrorMap;
use super::names::{ARBITER_PORT, Connection, SUPERSERVER_PORT, WEB_SERVER_PORT};

/// The mirror that every mirrored cluster has; users' own CPF and scripts name it.
pub const MIRROR_NAME: &str = "IRISMIRROR1";

/// The database of [`CLUSTER_NAMESPACE`].
pub const CLUSTER_DATABASE: &str = "iriscluster";

/// The name under which compute nodes reach the data node through ECP.
const ECP_SERVER: &str = "IRIS-0";

/// The first year whose IRIS takes the arbiter as a property of `ConfigMirror`.
const FIRST_YEAR_OF_CONFIG_MIRROR: u32 = 2023;

/// First year that is believed to be a version of IRIS: a tag such as `20` or `7` is not one.
const FIRST_IRIS_YEAR: u32 = 2018;

/// Which form of CPF an IRIS version understands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// Before 2023: the arbiter is `[Startup] ArbiterURL`.
    StartupArbiter,
    /// 2023 and later: the arbiter is a property of `ConfigMirror`.
    #[default]
    ConfigMirrorArbiter,
}

impl Dialect {
    /// The dialect of a version such as `2023.2.0`; `None` when it does not begin with a year.
    pub fn of_version(version: &str) -> Option<Self> {
        let year: u32 = version.split(['.', '-']).next()?.parse().ok()?;
        match year {
            ..FIRST_IRIS_YEAR => None,
            FIRST_IRIS_YEAR..FIRST_YEAR_OF_CONFIG_MIRROR => Some(Self::StartupArbiter),
            FIRST_YEAR_OF_CONFIG_MIRROR.. => Some(Self::ConfigMirrorArbiter),
        }
    }

    /// The dialect of an image by its tag; `None` for a tag that is no version (`latest-em`, a digest, a name of the
    /// user's own), which counts as the newest.
    pub fn of_tag(image: &str) -> Option<Self> {
        let without_digest = image.split('@').next().unwrap_or(image);
        let last = without_digest.rsplit('/').next().unwrap_or(without_digest);
        last.split_once(':').and_then(|(_, tag)| Self::of_version(tag))
    }
}

/// Where a node keeps its directories, without a trailing slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directories {
    /// Of the durable `%SYS`: `ISC_DATA_DIRECTORY` is `IRIS` below it.
    pub data: String,
    /// Of the write image journal.
    pub wij: String,
    /// Of the journal.
    pub journal1: String,
    /// Of the alternate journal.
    pub journal2: String,
}

impl Directories {
    /// `ISC_DATA_DIRECTORY`.
    pub fn isc_data_directory(&self) -> String {
        format!("{}/IRIS", self.data)
    }

    /// Where a database is that has no directory of its own.
    pub fn database(&self, name: &str) -> String {
        format!("{}/mgr/{}", self.isc_data_directory(), name.to_ascii_lowercase())
    }
}

/// A database of the user's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Database {
    /// Its name, as the user writes it.
    pub name: String,
    /// Its directory on data nodes.
    pub directory: String,
    /// Whether it is part of the mirror.
    pub mirrored: bool,
}

/// An IRIS namespace of the user's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// Its name, as the user writes it.
    pub name: String,
    /// Database of its globals.
    pub globals: String,
    /// Database of its routines; `None`: that of the globals.
    pub routines: Option<String>,
    /// Whether it is enabled for interoperability.
    pub interop: bool,
}

/// The mirror part of a data node's CPF.
#[derive(Clone, Copy, Debug)]
pub struct Mirror<'a> {
    /// The members' first roles.
    pub map: &'a MirrorMap,
    /// DNS name of the arbiter's pod, when there is one.
    pub arbiter: Option<&'a str>,
}

/// What data and compute nodes have in common.
#[derive(Clone, Copy, Debug)]
pub struct Common<'a> {
    /// Where the node keeps its directories.
    pub directories: &'a Directories,
    /// DNS name of the data pod that others ask first: node 1 of a sharded cluster.
    pub data_host: &'a str,
    /// Whether the cluster is sharded.
    pub sharded: bool,
    /// Which connections have certificates.
    pub tls: CpfTls,
    /// The user's databases.
    pub databases: &'a [Database],
    /// The user's IRIS namespaces.
    pub namespaces: &'a [Namespace],
    /// `spec.passwordHash`.
    pub password_hash: Option<&'a str>,
    /// Users' text, in the order in which it is appended.
    pub additions: &'a [&'a str],
}

/// The text of the key `data.cpf`. `dialect` is the form that the image understands; there is a mirror in a mirrored
/// cluster.
pub fn data_cpf(common: &Common<'_>, dialect: Dialect, mirror: Option<Mirror<'_>>) -> String {
    let arbiter = mirror.and_then(|mirror| mirror.arbiter).map(|host| format!("{host}:{ARBITER_PORT}"));
    let (startup_arbiter, action_arbiter) = match dialect {
        Dialect::StartupArbiter => (arbiter, None),
        Dialect::ConfigMirrorArbiter => (None, arbiter),
    };
    let mut text = startup(common.password_hash);
    if let Some(url) = startup_arbiter {
        line(&mut text, format_args!("ArbiterURL={url}"));
    }
    text.push_str(ACTIONS);
    server_configs(&mut text, common.tls, common.tls.ecp);
    let mirror = mirror.map(|mirror| mirror_properties(mirror, action_arbiter.as_deref(), common.tls));
    if common.sharded {
        sharded_cluster(&mut text, common.data_host, mirror.as_deref());
    } else {
        plain_cluster(&mut text, common.directories, mirror.as_deref());
    }
    for Database { name, directory, mirrored } in common.databases {
        let in_mirror = if *mirrored { in_mirror(name) } else { String::new() };
        line(&mut text, format_args!("CreateDatabase:Name={name},Directory={directory}{in_mirror}"));
    }
    create_namespaces(&mut text, common.namespaces);
    finish(text, common.directories, common.additions)
}

/// The text of the key `compute.cpf`. With a mirror ECP follows the primary by itself.
pub fn compute_cpf(common: &Common<'_>, mirrored: bool) -> String {
    let Common { data_host, sharded, tls, databases, .. } = *common;
    let mut text = startup(common.password_hash);
    // The nodes of a sharded cluster know each other without it.
    let by_ecp = !sharded || !databases.is_empty();
    if by_ecp {
        text.push_str("\n[ECPServers]\n");
        let with_tls = if tls.ecp { ",1" } else { "" };
        let mirrored = u8::from(mirrored);
        line(&mut text, format_args!("{ECP_SERVER}={data_host},{SUPERSERVER_PORT},{mirrored}{with_tls}"));
    }
    text.push_str(ACTIONS);
    server_configs(&mut text, tls, false);
    if tls.ecp && by_ecp {
        client_config(&mut text);
    }
    if sharded {
        let url = cluster_url(data_host);
        line(&mut text, format_args!("ConfigShardedCluster:ClusterURL={url},Role=compute"));
    } else {
        remote_database(&mut text, CLUSTER_DATABASE, mirrored);
        text.push_str(&cluster_namespace());
    }
    for Database { name, mirrored, .. } in databases {
        remote_database(&mut text, name, *mirrored);
    }
    create_namespaces(&mut text, common.namespaces);
    finish(text, common.directories, common.additions)
}

const ACTIONS: &str = "\n[Actions]\nModifyService:Name=%service_ecp,Enabled=1\n";

/// What a mirror adds to the action that makes it: `Map`, and the arbiter and the certificates where there are any.
fn mirror_properties(mirror: Mirror<'_>, arbiter: Option<&str>, tls: CpfTls) -> String {
    let mut properties = format!("Map=\"{}\"", mirror.map);
    if let Some(url) = arbiter {
        // Writing to a String cannot fail.
        let _ = write!(properties, ",ArbiterURL={url}");
    }
    if tls.mirror {
        let _ = write!(properties, ",SSLDir={}", Connection::Mirror.directory());
    }
    properties
}

/// The names of the hosts tell node 1: it is the only one that ends in the ordinal 0, or in 0 of shard 0.
fn sharded_cluster(text: &mut String, data_host: &str, mirror: Option<&str>) {
    let url = cluster_url(data_host);
    let members = match mirror {
        None => "MasterRegexp=\"-0$\",Regexp=\"-[0-9]+$\"".to_owned(),
        Some(mirror) => {
            format!("Member=auto,MasterRegexp=\"-0-0$\",Regexp=\"-[0-9]+-[0-9]+$\",{mirror}")
        }
    };
    line(text, format_args!("ConfigShardedCluster:ClusterURL={url},Role=auto,{members}"));
}

fn cluster_url(data_host: &str) -> String {
    format!("IRIS://{data_host}:{SUPERSERVER_PORT}/{CLUSTER_NAMESPACE}")
}

fn plain_cluster(text: &mut String, directories: &Directories, mirror: Option<&str>) {
    if let Some(properties) = mirror {
        line(text, format_args!("ConfigMirror:Name={MIRROR_NAME},Member=auto,Primary=auto,{properties}"));
    }
    let directory = directories.database(CLUSTER_DATABASE);
    let in_mirror = mirror.map(|_| in_mirror(CLUSTER_DATABASE)).unwrap_or_default();
    line(text, format_args!("CreateDatabase:Name={CLUSTER_DATABASE},Directory={directory}{in_mirror}"));
    text.push_str(&cluster_namespace());
}

fn in_mirror(database: &str) -> String {
    format!(",MirrorSetName={MIRROR_NAME},MirrorDBName={}", database.to_ascii_uppercase())
}

/// A database of the data nodes, as a compute node knows it.
fn remote_database(text: &mut String, name: &str, mirrored: bool) {
    let there = name.to_ascii_uppercase();
    let remote = if mirrored { format!(":mirror:{MIRROR_NAME}:{there}") } else { format!(":ds:{there}") };
    line(
        text,
        format_args!("CreateDatabase:Name={name},Directory={remote},Server={ECP_SERVER},LogicalOnly=1"),
    );
}

fn cluster_namespace() -> String {
    format!(
        "CreateNamespace:Name={CLUSTER_NAMESPACE},Globals={CLUSTER_DATABASE},Routines={CLUSTER_DATABASE}\n"
    )
}

fn create_namespaces(text: &mut String, namespaces: &[Namespace]) {
    for Namespace { name, globals, routines, interop } in namespaces {
        let routines = routines.as_ref().map(|name| format!(",Routines={name}")).unwrap_or_default();
        let interop = if *interop { ",Interop=1" } else { "" };
        line(text, format_args!("CreateNamespace:Name={name},Globals={globals}{routines}{interop}"));
    }
}

fn startup(password_hash: Option<&str>) -> String {
    let mut text = format!("[Startup]\nDefaultPort={SUPERSERVER_PORT}\nWebServerPort={WEB_SERVER_PORT}\n");
    if let Some(hash) = password_hash {
        line(&mut text, format_args!("PasswordHash={hash}"));
    }
    text
}

fn finish(mut text: String, directories: &Directories, additions: &[&str]) -> String {
    let Directories { wij, journal1, journal2, .. } = directories;
    text.push_str("\n[Journal]\n");
    line(&mut text, format_args!("CurrentDirectory={journal1}/"));
    line(&mut text, format_args!("AlternateDirectory={journal2}/"));
    text.push_str("\n[config]\n");
    line(&mut text, format_args!("wijdir={wij}/"));
    text.push_str("MaxServerConn=64\nMaxServers=64\n");
    for addition in additions {
        text.push('\n');
        text.push_str(addition);
        if !addition.ends_with('\n') {
            text.push('\n');
        }
    }
    text
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = text.write_fmt(arguments);
    text.push('\n');
}

#[cfg(test)]
mod tests;
