//! Decides which connections of a cluster have certificates, and from which volume. Must not look into the volume.

use std::collections::BTreeMap;

use homebase_api::embedded::Embedded;
use homebase_api::iriscluster::{Tls, Topology};
use k8s_openapi::api::core::v1::Volume;
use serde_json::Value;

use crate::cluster::names::{Connection, TLS_COMMON_VOLUME};
use crate::cluster::validated;
use crate::report::Report;

const PATH: &str = "spec.tls";

/// Which connections a cluster has.
#[derive(Clone, Copy)]
pub(super) struct Connections {
    mirrored: bool,
    sharded: bool,
    gateways: bool,
}

impl Connections {
    /// The connections of a topology.
    pub(super) fn of(topology: &Topology) -> Self {
        let beside_compute = topology.compute.as_ref().is_some_and(|compute| compute.webgateway.is_some());
        let gateways = beside_compute || topology.data.webgateway.is_some() || topology.webgateway.is_some();
        Self { mirrored: topology.data.mirrored, sharded: topology.data.shards.is_some(), gateways }
    }

    fn has(self, connection: Connection) -> bool {
        match connection {
            Connection::Mirror => self.mirrored,
            Connection::Webgateway => self.gateways,
            // Data nodes serve both, and compute nodes may come at any time.
            Connection::Superserver | Connection::Ecp => true,
        }
    }
}

/// The volumes of the connections that there are. A specific one beats the common one.
pub(super) fn validate_tls(tls: Option<&Tls>, present: Connections, report: &mut Report) -> validated::Tls {
    let Some(Tls { common, mirror, webgateway, superserver, ecp }) = tls else {
        return validated::Tls::default();
    };
    let common = common.as_ref().and_then(|source| volume("common", TLS_COMMON_VOLUME, source, report));
    let own = [
        (Connection::Mirror, mirror),
        (Connection::Webgateway, webgateway),
        (Connection::Superserver, superserver),
        (Connection::Ecp, ecp),
    ];
    let mut volumes = BTreeMap::new();
    for (connection, source) in own {
        let field = connection.as_str();
        let own = source.as_ref().and_then(|source| volume(field, connection.volume(), source, report));
        if source.is_some() && !present.has(connection) {
            report.warn(format_args!("{PATH}.{field}"), "has no effect: this cluster has no such connection");
        }
        if source.is_some() && connection == Connection::Ecp && present.sharded {
            let message = "concerns irisDatabases only: a sharded cluster connects its nodes by itself";
            report.warn(format_args!("{PATH}.{field}"), message);
        }
        if let Some(volume) = own.or_else(|| common.clone()).filter(|_| present.has(connection)) {
            volumes.insert(connection, volume);
        }
    }
    validated::Tls(volumes)
}

/// A volume out of its source, which must be one: an apiserver says it of a pod only, when it is too late.
fn volume(field: &str, name: &str, source: &Embedded<Volume>, report: &mut Report) -> Option<Volume> {
    let path = format!("{PATH}.{field}");
    let mut volume = report.parse_except(&path, source, &["name"])?;
    volume.name.clear();
    let written = serde_json::to_value(&volume).unwrap_or_default();
    let is_source = |(key, value): &(&String, &Value)| *key != "name" && !value.is_null();
    match written.as_object().into_iter().flatten().filter(is_source).count() {
        1 => {
            name.clone_into(&mut volume.name);
            Some(volume)
        }
        0 => {
            report.invalid(path, "names no source of a volume: name one, such as secret, projected or csi");
            None
        }
        _ => {
            report.invalid(path, "names several sources of a volume: keep one");
            None
        }
    }
}
