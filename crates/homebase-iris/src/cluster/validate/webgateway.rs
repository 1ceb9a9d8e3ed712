//! Decides whether a web gateway can be built. Must not decide which servers it uses.

use homebase_api::iriscluster::{
    StorageSpec, VolumeSettings, Webgateway, WebgatewaySettings, WebgatewaySidecar,
};
use homebase_api::labels::Component;
use homebase_api::limits::{MAX_REPLICAS, PATH_LENGTH};
use k8s_openapi::api::core::v1::PodSpec;

use super::{Defaults, pod, reference, storage, text, validate_node, volumes, warn_of_version};
use crate::cluster::csp;
use crate::cluster::names::SIDECAR_VOLUME;
use crate::cluster::validated;
use crate::report::Report;

/// Most bytes of the part of a `CSP.ini` that grows with paths and servers: it shares a ConfigMap (1 MiB) with a
/// `CSP.conf` and with what the user adds.
const MAX_ROUTES_BYTES: usize = 500_000;

/// What a server takes in the section of a path, besides its name.
const ROUTE_BYTES: usize = "Alternative_Server_999=1~~~~~~\n".len();

/// What TLS takes in the profile of a server.
const TLS_PROFILE_BYTES: usize = 300;

/// A web gateway of its own.
pub(super) fn validate_webgateway(
    gateway: &Webgateway,
    defaults: &Defaults<'_>,
    report: &mut Report,
) -> validated::Webgateway {
    let path = "spec.topology.webgateway";
    if gateway.replicas.is_some_and(|replicas| !(0..=MAX_REPLICAS).contains(&replicas)) {
        report.invalid(format!("{path}.replicas"), format!("must be 0 to {MAX_REPLICAS}"));
    }
    let ephemeral = gateway.gateway.ephemeral;
    let storage = storage_of(gateway.storage_db.as_ref());
    let predefined = storage::Predefined::Gateway { storage: &storage, ephemeral };
    let node = validate_node(&gateway.node, Component::Webgateway, predefined, defaults, report);
    warn_of_version(&gateway.node, path, report);
    let settings = validate_settings(path, &gateway.gateway, &gateway.node.image, report);
    validated::Webgateway { node, gateway: settings, replicas: gateway.replicas.unwrap_or(1) }
}

/// A web gateway beside IRIS. It has no claim where its node has none.
pub(super) fn validate_sidecar(
    node: &str,
    sidecar: Option<&WebgatewaySidecar>,
    node_is_ephemeral: bool,
    defaults: &Defaults<'_>,
    report: &mut Report,
) -> Option<validated::Sidecar> {
    let sidecar = sidecar?;
    let path = format!("{node}.webgateway");
    text::require_image(&format!("{path}.image"), &sidecar.image, report);
    let template_path = format!("{path}.podTemplate");
    let template = pod::validate_template(sidecar.pod_template.as_ref(), &template_path, report);
    let container = template.container.clone();
    if template != (validated::Template { container: container.clone(), ..validated::Template::default() }) {
        report.warn(template_path, "only fields of the container have an effect in a sidecar");
    }
    if sidecar.gateway.alternative_servers.is_some() {
        let message = "has no effect: a sidecar uses the IRIS of its own pod";
        report.warn(format_args!("{path}.alternativeServers"), message);
    }
    let ephemeral = sidecar.gateway.ephemeral || node_is_ephemeral;
    let storage = storage_of(sidecar.storage_db.as_ref());
    let mut volumes = volumes::validate_volumes(
        &path,
        &sidecar.volume_mounts,
        &PodSpec::default(),
        storage::Predefined::Gateway { storage: &storage, ephemeral },
        defaults.library,
        defaults.storage_class,
        report,
    );
    for volume in &mut volumes.predefined {
        // The other name is that of the databases beside it.
        volume.name = SIDECAR_VOLUME;
    }
    let gateway = validate_settings(&path, &sidecar.gateway, &sidecar.image, report);
    Some(validated::Sidecar { image: sidecar.image.clone(), container, gateway, volumes })
}

/// The one volume of a gateway.
fn storage_of(volume: Option<&VolumeSettings>) -> StorageSpec {
    StorageSpec { db: volume.cloned(), ..StorageSpec::default() }
}

/// What every gateway has. Paths go into `CSP.ini` and into the configuration of a web server.
fn validate_settings(
    path: &str,
    settings: &WebgatewaySettings,
    image: &str,
    report: &mut Report,
) -> validated::Gateway {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.~%".contains(c);
    let mut paths: Vec<String> = Vec::new();
    for (index, application) in settings.application_paths.iter().enumerate() {
        let path = format!("{path}.applicationPaths[{index}]");
        if !application.starts_with('/') || !application.chars().all(plain) {
            report.invalid(path, "not a path: begin with `/`, and use only letters, digits and / - _ . ~ %");
        } else if application.len() > PATH_LENGTH {
            report.invalid(path, format!("must have {PATH_LENGTH} characters at most"));
        }
        let trimmed = application.trim_end_matches('/');
        let trimmed = if trimmed.is_empty() { "/" } else { trimmed };
        if !paths.iter().any(|earlier| earlier == trimmed) {
            paths.push(trimmed.to_owned());
        }
    }
    let login_path = format!("{path}.loginSecret");
    validated::Gateway {
        type_: csp::server_of(settings, image),
        paths,
        alternative: settings.alternative_servers,
        login_secret: reference(&login_path, settings.login_secret.as_ref(), report),
    }
}

/// Refuses more routes than fit a ConfigMap.
pub(super) fn limit_routes(
    gateway: &validated::Webgateway,
    servers: usize,
    with_tls: bool,
    name: &str,
    report: &mut Report,
) {
    let route = ROUTE_BYTES + name.len() + "-compute-999".len();
    // Two paths are ours.
    let profile = if with_tls { TLS_PROFILE_BYTES } else { 0 };
    let bytes = ((gateway.gateway.paths.len() + 2) * route + profile) * servers;
    if bytes > MAX_ROUTES_BYTES {
        report.invalid(
            "spec.topology.webgateway.applicationPaths",
            format!(
                "{} paths to {servers} servers need about {bytes} bytes of CSP.ini, which has room for \
                 {MAX_ROUTES_BYTES}: name fewer paths, such as their common beginning",
                gateway.gateway.paths.len()
            ),
        );
    }
}
