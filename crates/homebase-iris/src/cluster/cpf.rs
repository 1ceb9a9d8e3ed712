//! Writes the CPF merge text of data and compute nodes. Must not read the spec or decide names: it gets both decided.

use std::fmt::Write as _;

use super::mirror::MirrorMap;
use crate::cluster::names::{ARBITER_PORT, SUPERSERVER_PORT, WEB_SERVER_PORT};

/// The mirror that every mirrored cluster has; users' own CPF and scripts name it.
pub const MIRROR_NAME: &str = "IRISMIRROR1";

/// The name under which compute nodes reach the data node through ECP.
const ECP_SERVER: &str = "IRIS-0";

/// The first year whose IRIS takes the arbiter as a property of `ConfigMirror`.
const FIRST_YEAR_OF_CONFIG_MIRROR: u32 = 2023;

/// First year that is believed to be a version of IRIS: a tag such as `20` or `7` is not one.
const FIRST_IRIS_YEAR: u32 = 2018;

/// Which form of CPF an IRIS version understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Before 2023: the arbiter is `[Startup] ArbiterURL`.
    StartupArbiter,
    /// 2023 and later: the arbiter is a property of `ConfigMirror`.
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

    /// The dialect of an image by its tag; a tag that is no version (`latest-em`, a digest, a name of
    /// the user's own) counts as the newest.
    pub fn of_image(image: &str) -> Self {
        let without_digest = image.split('@').next().unwrap_or(image);
        let last = without_digest.rsplit('/').next().unwrap_or(without_digest);
        last.split_once(':').and_then(|(_, tag)| Self::of_version(tag)).unwrap_or(Self::ConfigMirrorArbiter)
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
}

/// The mirror part of a data node's CPF.
#[derive(Clone, Copy, Debug)]
pub struct Mirror<'a> {
    /// The members' first roles.
    pub map: &'a MirrorMap,
    /// DNS name of the arbiter's pod, when there is one.
    pub arbiter: Option<&'a str>,
}

/// Everything that a data node's CPF depends on.
#[derive(Clone, Copy, Debug)]
pub struct DataCpf<'a> {
    /// The form that the image understands.
    pub dialect: Dialect,
    /// Where the node keeps its directories.
    pub directories: &'a Directories,
    /// Present for a mirrored cluster.
    pub mirror: Option<Mirror<'a>>,
    /// `spec.passwordHash`.
    pub password_hash: Option<&'a str>,
    /// Users' text, in the order in which it is appended.
    pub additions: &'a [&'a str],
}

/// Everything that a compute node's CPF depends on.
#[derive(Clone, Copy, Debug)]
pub struct ComputeCpf<'a> {
    /// Where the node keeps its directories.
    pub directories: &'a Directories,
    /// DNS name of the data pod that ECP connects to first.
    pub data_host: &'a str,
    /// Whether the data nodes are a mirror: ECP then follows the primary by itself.
    pub mirrored: bool,
    /// `spec.passwordHash`.
    pub password_hash: Option<&'a str>,
    /// Users' text, in the order in which it is appended.
    pub additions: &'a [&'a str],
}

/// The text of the key `data.cpf`.
pub fn data_cpf(cpf: &DataCpf<'_>) -> String {
    let DataCpf { dialect, directories, mirror, password_hash, additions } = *cpf;
    let arbiter = mirror.and_then(|mirror| mirror.arbiter).map(|host| format!("{host}:{ARBITER_PORT}"));
    let (startup_arbiter, action_arbiter) = match dialect {
        Dialect::StartupArbiter => (arbiter, None),
        Dialect::ConfigMirrorArbiter => (None, arbiter),
    };

    let mut text = startup(password_hash);
    if let Some(url) = startup_arbiter {
        line(&mut text, format_args!("ArbiterURL={url}"));
    }
    text.push_str("\n[Actions]\nModifyService:Name=%service_ecp,Enabled=1\n");
    if let Some(Mirror { map, .. }) = mirror {
        let arbiter = action_arbiter.map(|url| format!(",ArbiterURL={url}")).unwrap_or_default();
        line(
            &mut text,
            format_args!("ConfigMirror:Name={MIRROR_NAME},Member=auto,Primary=auto,Map=\"{map}\"{arbiter}"),
        );
    }
    let in_mirror = if mirror.is_some() {
        format!(",MirrorSetName={MIRROR_NAME},MirrorDBName=IRISCLUSTER")
    } else {
        String::new()
    };
    let directory = directories.isc_data_directory();
    line(
        &mut text,
        format_args!("CreateDatabase:Name=iriscluster,Directory={directory}/mgr/iriscluster{in_mirror}"),
    );
    text.push_str(CREATE_NAMESPACE);
    finish(text, directories, additions)
}

/// The text of the key `compute.cpf`.
pub fn compute_cpf(cpf: &ComputeCpf<'_>) -> String {
    let ComputeCpf { directories, data_host, mirrored, password_hash, additions } = *cpf;
    let mut text = startup(password_hash);
    text.push_str("\n[ECPServers]\n");
    line(&mut text, format_args!("{ECP_SERVER}={data_host},{SUPERSERVER_PORT},{}", u8::from(mirrored)));
    text.push_str("\n[Actions]\nModifyService:Name=%service_ecp,Enabled=1\n");
    let remote =
        if mirrored { format!(":mirror:{MIRROR_NAME}:IRISCLUSTER") } else { ":ds:IRISCLUSTER".to_owned() };
    line(
        &mut text,
        format_args!("CreateDatabase:Name=iriscluster,Directory={remote},Server={ECP_SERVER},LogicalOnly=1"),
    );
    text.push_str(CREATE_NAMESPACE);
    finish(text, directories, additions)
}

const CREATE_NAMESPACE: &str = "CreateNamespace:Name=IRISCLUSTER,Globals=iriscluster,Routines=iriscluster\n";

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
