//! Decides whether an IrisCluster can be built, and finds every reason why not. Must not build objects, and must
//! not refuse what merely has no effect: that is a warning.

mod beside;
mod identity;
mod iris;
mod pod;
mod service;
mod storage;
mod text;
mod tls;
mod volumes;
mod webgateway;

use homebase_api::IrisCluster;
use homebase_api::iriscluster::{
    Compute, Data, LocalReference, MirrorRole, NodeSpec, PlainNode, UpdateStrategyType,
};

use super::config_source::ConfigSource;
use super::cpf::Dialect;
use super::csp;
use super::mirror::{DEFAULT_MIRROR_MAP, MirrorMap};
use super::names::{CSP_CONF, CSP_INI, Connection};
use super::observed::Dereferenced;
use super::plan::build::webgateway::backends;
use super::validated::{self, ValidatedCluster};
use crate::report::{Invalid, InvalidKind, Report};
use homebase_api::labels::Component;
use homebase_api::limits::{MAX_REPLICAS, MAX_SHARDS};

/// Most bytes of CPF that fit a ConfigMap (1 MiB with its metadata) beside the generated text.
const MAX_CONFIG_SOURCE_BYTES: usize = 1_000_000;

/// Most bytes of the users' files of a web gateway: they share a ConfigMap (1 MiB) with the generated routes.
const MAX_GATEWAY_BYTES: usize = 400_000;

/// Most keys without effect that a warning names: a ConfigMap can hold thousands, a message is read by people.
const MAX_NAMED_KEYS: usize = 5;

/// Checks a cluster and fills in every default. The error holds all faults, not only the first.
pub fn validate(cluster: &IrisCluster, found: &Dereferenced) -> Result<ValidatedCluster, Vec<Invalid>> {
    let mut report = Report::default();
    let spec = &cluster.spec;

    let key = identity::validate_identity(cluster, &mut report);
    let library = volumes::Library::read(spec, &mut report);
    let strategy = spec.update_strategy.map(|strategy| strategy.type_);
    let defaults =
        Defaults { library: &library, strategy, storage_class: spec.storage_class_name.as_deref() };

    let topology = &spec.topology;
    let data = validate_data(&topology.data, &defaults, &mut report);
    let compute = topology.compute.as_ref().map(|compute| validate_compute(compute, &defaults, &mut report));
    let arbiter = topology.arbiter.as_ref().map(|arbiter| {
        validate_plain(arbiter, Component::Arbiter, storage::Predefined::None, &defaults, &mut report)
    });
    let webgateway = topology
        .webgateway
        .as_ref()
        .map(|gateway| webgateway::validate_webgateway(gateway, &defaults, &mut report));
    let sam = topology.sam.as_ref().map(|node| beside::validate_sam(node, &defaults, &mut report));
    let iam = topology.iam.as_ref().map(|node| beside::validate_iam(node, &defaults, &mut report));
    let tls = tls::validate_tls(spec.tls.as_ref(), tls::Connections::of(topology), &mut report);
    let with_tls = tls.has(Connection::Webgateway);
    let service = service::validate_service(spec.service_template.as_ref(), with_tls, &mut report);
    if webgateway.is_some() {
        service::warn_of_addresses(&service.spec, &mut report);
    }
    let groups =
        [arbiter.as_ref(), webgateway.as_ref().map(|gateway| &gateway.node), sam.as_ref(), iam.as_ref()];
    let nodes = [Some(&data.node), compute.as_ref().map(|compute| &compute.node)].into_iter().chain(groups);
    library.warn_of_unused(nodes.flatten(), &mut report);
    if let Some(hash) = &spec.password_hash {
        text::require_one_line("spec.passwordHash", hash, &mut report);
    }
    validate_config_source(spec.config_source.as_ref(), found, with_tls, &mut report);
    let license_secret = reference("spec.licenseKeySecret", spec.license_key_secret.as_ref(), &mut report);
    let config_source_name = reference("spec.configSource", spec.config_source.as_ref(), &mut report);
    let image_pull_secrets = references("spec.imagePullSecrets", &spec.image_pull_secrets, &mut report);
    identity::refuse_changed_form(&key, data.mirror.is_some(), found, &mut report);
    identity::refuse_lost_shards(&key, &data, cluster.status.as_ref(), found, &mut report);

    if !report.invalid.is_empty() {
        return Err(report.invalid);
    }
    let mut cluster = ValidatedCluster {
        key,
        uid: cluster.metadata.uid.clone().unwrap_or_default(),
        generation: cluster.metadata.generation,
        previous: cluster.status.clone(),
        data,
        compute,
        arbiter,
        webgateway,
        sam,
        iam,
        tls,
        service,
        config_source_name: config_source_name.unwrap_or_default(),
        license_secret,
        password_hash: spec.password_hash.clone(),
        image_pull_secrets,
        warnings: std::mem::take(&mut report.warnings),
        found: found.clone(),
    };
    cluster.warnings.extend(cluster.too_many_pods());
    identity::refuse_lost_primary(&cluster, &mut report);
    if let Some(gateway) = &cluster.webgateway {
        let servers = backends(&cluster).len();
        let with_tls = cluster.tls.has(Connection::Superserver);
        webgateway::limit_routes(gateway, servers, with_tls, &cluster.key.name, &mut report);
    }
    if report.invalid.is_empty() { Ok(cluster) } else { Err(report.invalid) }
}

/// What node groups take from the cluster.
struct Defaults<'a> {
    library: &'a volumes::Library,
    strategy: Option<UpdateStrategyType>,
    storage_class: Option<&'a str>,
}

fn validate_data(data: &Data, defaults: &Defaults<'_>, report: &mut Report) -> validated::Data {
    let path = "spec.topology.data";
    let mirror = match (&data.mirror_map, data.mirrored) {
        (None, false) => None,
        (Some(_), false) => {
            report.warn(format_args!("{path}.mirrorMap"), "has no effect: the cluster is not mirrored");
            None
        }
        (map, true) => {
            let map = map.as_deref().unwrap_or(DEFAULT_MIRROR_MAP);
            MirrorMap::parse(map)
                .inspect_err(|error| report.invalid(format!("{path}.mirrorMap"), error.to_string()))
                .ok()
        }
    };
    let mut node = validate_node(
        &data.node,
        Component::Data,
        storage::Predefined::Claims(&data.storage),
        defaults,
        report,
    );
    node.sidecar = webgateway::validate_sidecar(path, data.webgateway.as_ref(), false, defaults, report);
    if data.shards.is_some_and(|shards| !(1..=MAX_SHARDS).contains(&shards)) {
        report.invalid(format!("{path}.shards"), format!("must be 1 to {MAX_SHARDS}"));
    }
    if let (Some(map), Some(_)) = (&mirror, data.shards)
        && map.roles().iter().any(|role| matches!(role, MirrorRole::RorAsync | MirrorRole::RwrAsync))
    {
        let message = "IRIS documents primary, backup and drasync for the mirrors of a sharded cluster: it may refuse others";
        report.warn(format_args!("{path}.mirrorMap"), message);
    }
    validated::Data {
        dialect: dialect(&data.node, path, report),
        mirror,
        // What is out of bounds was refused.
        shards: data.shards.map(|shards| usize::try_from(shards).unwrap_or(1)),
        // Not each once: two members may belong in one zone.
        member_zones: if data.mirrored { data.node.preferred_zones.clone() } else { Vec::new() },
        databases: iris::validate_databases(data, &node.volumes, report),
        namespaces: iris::validate_namespaces(data, report),
        node,
    }
}

fn validate_compute(compute: &Compute, defaults: &Defaults<'_>, report: &mut Report) -> validated::Compute {
    let path = "spec.topology.compute";
    if compute.replicas.is_some_and(|replicas| !(0..=MAX_REPLICAS).contains(&replicas)) {
        report.invalid(format!("{path}.replicas"), format!("must be 0 to {MAX_REPLICAS}"));
    }
    // Compute CPF is the same in every dialect; the version is checked all the same.
    dialect(&compute.node, path, report);
    let predefined = if compute.ephemeral {
        storage::Predefined::Ephemeral(&compute.storage)
    } else {
        storage::Predefined::Claims(&compute.storage)
    };
    let mut node = validate_node(&compute.node, Component::Compute, predefined, defaults, report);
    let sidecar = compute.webgateway.as_ref();
    node.sidecar = webgateway::validate_sidecar(path, sidecar, compute.ephemeral, defaults, report);
    validated::Compute { node, replicas: compute.replicas }
}

/// A group that has nothing to which a version of IRIS matters.
fn validate_plain(
    plain: &PlainNode,
    component: Component,
    predefined: storage::Predefined<'_>,
    defaults: &Defaults<'_>,
    report: &mut Report,
) -> validated::Node {
    let path = format!("spec.topology.{component}");
    report.unknown(&path, &plain.unknown);
    warn_of_version(&plain.node, &path, report);
    validate_node(&plain.node, component, predefined, defaults, report)
}

fn warn_of_version(node: &NodeSpec, path: &str, report: &mut Report) {
    if node.compatibility_version.is_some() {
        report.warn(format_args!("{path}.compatibilityVersion"), "has no effect: there is no CPF here");
    }
}

fn validate_node(
    node: &NodeSpec,
    component: Component,
    predefined: storage::Predefined<'_>,
    defaults: &Defaults<'_>,
    report: &mut Report,
) -> validated::Node {
    let path = format!("spec.topology.{component}");
    text::require_image(&format!("{path}.image"), &node.image, report);
    let template = pod::validate_template(node.pod_template.as_ref(), &format!("{path}.podTemplate"), report);
    let volumes = volumes::validate_volumes(
        &path,
        &node.volume_mounts,
        &template.pod,
        predefined,
        defaults.library,
        defaults.storage_class,
        report,
    );
    let strategy = node.update_strategy.map(|strategy| strategy.type_).or(defaults.strategy);
    validated::Node {
        image: node.image.clone(),
        update_strategy: strategy.unwrap_or_default(),
        template,
        volumes,
        zones: validate_zones(&format!("{path}.preferredZones"), &node.preferred_zones, report),
        sidecar: None,
    }
}

/// The zones in their order, each once.
fn validate_zones(path: &str, zones: &[String], report: &mut Report) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for (index, zone) in zones.iter().enumerate() {
        if zone.trim().is_empty() {
            report.invalid(format!("{path}[{index}]"), "must not be empty: name a zone or remove the item");
        }
        if !found.contains(zone) {
            found.push(zone.clone());
        }
    }
    found
}

fn dialect(node: &NodeSpec, path: &str, report: &mut Report) -> Dialect {
    let by_tag = Dialect::of_tag(&node.image);
    let Some(version) = &node.compatibility_version else { return by_tag.unwrap_or_default() };
    let field = format!("{path}.compatibilityVersion");
    let Some(dialect) = Dialect::of_version(version) else {
        report.invalid(field, "not a version of IRIS: write the year first, such as \"2024.1\"");
        return Dialect::default();
    };
    if by_tag.is_some_and(|by_tag| by_tag != dialect) {
        report.warn(
            field,
            "the tag of the image is of the other side of IRIS 2023, where the CPF of a mirror's arbiter changed: remove \
             the field, unless the tag is wrong",
        );
    }
    dialect
}

fn validate_config_source(
    reference: Option<&LocalReference>,
    found: &Dereferenced,
    gateway_with_tls: bool,
    report: &mut Report,
) {
    let (Some(_), ConfigSource::Found(data)) = (reference, &found.config_source) else { return };
    for key in data.not_text() {
        report.refuse(
            InvalidKind::Invalid,
            "spec.configSource",
            format!("the key {key} of its ConfigMap is not UTF-8 text: save the file as UTF-8 and update the ConfigMap"),
        );
    }
    let mut others = data.without_effect();
    for key in others.by_ref().take(MAX_NAMED_KEYS) {
        report.warn("spec.configSource", format_args!("the key {key} of its ConfigMap has no effect"));
    }
    match others.count() {
        0 => (),
        more => report.warn("spec.configSource", format_args!("nor have {more} more of its keys")),
    }
    for key in [CSP_INI, "CSP-merge.ini"] {
        if data.text(key).is_some_and(csp::has_stray_lines) {
            report.warn(
                "spec.configSource",
                format_args!("lines of {key} before its first section have no effect"),
            );
        }
    }
    if gateway_with_tls && data.text(CSP_CONF).is_some() {
        let message =
            format!("its {CSP_CONF} replaces ours, so it has to serve spec.tls.webgateway by itself");
        report.warn("spec.configSource", message);
    }
    let gateway = ["CSP-merge.ini", CSP_INI, CSP_CONF];
    for (keys, limit) in [
        (["common.cpf", "data.cpf"].as_slice(), MAX_CONFIG_SOURCE_BYTES),
        (&["common.cpf", "compute.cpf"], MAX_CONFIG_SOURCE_BYTES),
        (&gateway, MAX_GATEWAY_BYTES),
    ] {
        let bytes: usize = keys.iter().filter_map(|key| data.text(key)).map(str::len).sum();
        if bytes > limit {
            let keys = keys.join(" and ");
            report.refuse(
                InvalidKind::Invalid,
                "spec.configSource",
                format!("{keys} together have {bytes} bytes: shorten them to {limit}"),
            );
        }
    }
}

fn reference(path: &str, reference: Option<&LocalReference>, report: &mut Report) -> Option<String> {
    let name = &reference?.name;
    if name.is_empty() {
        report.invalid(format!("{path}.name"), "must not be empty: name the object or remove the field");
    }
    Some(name.clone())
}

fn references(path: &str, list: &[LocalReference], report: &mut Report) -> Vec<String> {
    list.iter()
        .enumerate()
        .filter_map(|(index, item)| reference(&format!("{path}[{index}]"), Some(item), report))
        .collect()
}
