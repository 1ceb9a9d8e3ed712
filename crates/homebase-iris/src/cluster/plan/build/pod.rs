//! Builds the pod template of a node group: ours and the user's part, joined. Must not let the user's part undo what
//! selectors and volumes need.

use homebase_api::annotations::ZONES_BY_ORDINAL;
use homebase_api::labels::Component;
use k8s_openapi::api::core::v1::{
    ConfigMap, ConfigMapVolumeSource, Container, ContainerPort, EmptyDirVolumeSource, EnvVar,
    LocalObjectReference, PodSpec, PodTemplateSpec, SecretVolumeSource, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::config_map::cpf_key;
use super::iam::{self, build_iam_env};
use super::meta::build_labels;
use super::stateful_set::non_empty;
use super::tls::{tls_mounts, tls_volumes};
use super::webgateway::{add_files, add_sidecar, build_gateway};
use super::zones::{add_zones, member_zones};
use crate::cluster::names::{
    ARBITER_AGENT, ARBITER_PORT, CONTAINER, CPF_DIRECTORY, CPF_VOLUME, IRIS_GROUP, KEY_DIRECTORY, KEY_FILE,
    KEY_VOLUME, NodeSet, SUPERSERVER, SUPERSERVER_PORT, WEB_SERVER, WEB_SERVER_PORT,
};
use crate::cluster::validated::{Gateway, Node, ValidatedCluster, Volumes};
use crate::hash::{CONFIG_HASH, fingerprint};

/// The pod template of a StatefulSet; `config_map` holds its CPF.
pub(crate) fn build_pod_template(
    cluster: &ValidatedCluster,
    set: NodeSet,
    node: &Node,
    config_map: Option<&ConfigMap>,
) -> PodTemplateSpec {
    let mut all_labels = node.template.labels.clone();
    all_labels.extend(build_labels(cluster, set));
    let mut annotations = node.template.annotations.clone();
    if let Some(config_map) = config_map {
        annotations.insert(CONFIG_HASH.to_owned(), fingerprint(&config_map.data));
    }
    let zones = member_zones(cluster, set, node);
    if !zones.is_empty() {
        annotations.insert(ZONES_BY_ORDINAL.to_owned(), zones.join(","));
    }
    PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(all_labels),
            annotations: non_empty(annotations),
            ..ObjectMeta::default()
        }),
        spec: Some(build_pod(cluster, set, node, config_map)),
    }
}

fn build_pod(
    cluster: &ValidatedCluster,
    set: NodeSet,
    node: &Node,
    config_map: Option<&ConfigMap>,
) -> PodSpec {
    let component = set.component;
    let mut pod = node.template.pod.clone();
    let mut secrets: Vec<LocalObjectReference> = Vec::new();
    let ours = cluster.image_pull_secrets.iter().map(|name| LocalObjectReference { name: name.clone() });
    for secret in ours.chain(pod.image_pull_secrets.take().unwrap_or_default()) {
        // Server-side apply refuses a name that is there twice.
        if !secrets.contains(&secret) {
            secrets.push(secret);
        }
    }
    pod.image_pull_secrets = (!secrets.is_empty()).then_some(secrets);

    let mut volumes: Vec<Volume> = Vec::new();
    volumes.extend(build_empty_dirs(&node.volumes));
    let gateway = gateway_of(cluster, component);
    if gateway.is_none() {
        volumes.extend(config_map.map(|config_map| build_config_volume(CPF_VOLUME, config_map)));
    }
    volumes.extend(license(cluster, component).map(build_key_volume));
    volumes.extend(tls_volumes(cluster, component, node.sidecar.is_some()).cloned());
    volumes.extend(node.volumes.referenced.iter().cloned());
    pod.volumes = (!volumes.is_empty()).then_some(volumes);
    if !matches!(component, Component::Arbiter | Component::Iam) {
        let security = pod.security_context.get_or_insert_default();
        security.fs_group = security.fs_group.or(Some(IRIS_GROUP));
    }
    add_zones(cluster, set, node, &mut pod);
    if let (Some(gateway), Some(config_map)) = (gateway, config_map) {
        add_files(&mut pod, &node.image, &node.template.container, gateway, config_map);
    }
    pod.containers = vec![build_container(cluster, component, node, config_map)];
    if let (Some(sidecar), Some(config_map)) = (&node.sidecar, config_map) {
        add_sidecar(cluster, &mut pod, sidecar, config_map);
    }
    pod
}

/// The settings of a component that is a web gateway.
fn gateway_of(cluster: &ValidatedCluster, component: Component) -> Option<&Gateway> {
    cluster.webgateway.as_ref().filter(|_| component == Component::Webgateway).map(|own| &own.gateway)
}

/// The Secret with the license: only IRIS needs one.
fn license(cluster: &ValidatedCluster, component: Component) -> Option<&str> {
    let is_iris = matches!(component, Component::Data | Component::Compute);
    is_iris.then_some(cluster.license_secret.as_deref()).flatten()
}

/// The predefined volumes that go with the pod.
pub(super) fn build_empty_dirs(volumes: &Volumes) -> impl Iterator<Item = Volume> {
    volumes.predefined.iter().filter(|volume| volume.claim.is_none()).map(|volume| Volume {
        name: volume.name.to_owned(),
        empty_dir: Some(EmptyDirVolumeSource::default()),
        ..Volume::default()
    })
}

fn build_container(
    cluster: &ValidatedCluster,
    component: Component,
    node: &Node,
    config_map: Option<&ConfigMap>,
) -> Container {
    let mut container = node.template.container.clone();
    CONTAINER.clone_into(&mut container.name);
    container.image = Some(node.image.clone());
    if let Some(gateway) = gateway_of(cluster, component) {
        let tls = tls_mounts(cluster, component);
        return build_gateway(cluster, container, gateway, &node.volumes, tls);
    }
    let licensed = license(cluster, component).is_some();
    let mut args = Vec::new();
    if licensed {
        args.extend(["--key".to_owned(), format!("{KEY_DIRECTORY}/{KEY_FILE}")]);
    }
    args.extend(container.args.take().unwrap_or_default());
    container.args = (!args.is_empty()).then_some(args);
    container.env = build_env(cluster, component, node, container.env.take());

    let ports = match component {
        Component::Arbiter => vec![(ARBITER_AGENT, ARBITER_PORT)],
        Component::Sam => vec![(WEB_SERVER, WEB_SERVER_PORT)],
        Component::Iam => iam::PORTS.to_vec(),
        // The web server is that of the gateway then.
        _ if node.sidecar.is_some() => vec![(SUPERSERVER, SUPERSERVER_PORT)],
        _ => vec![(SUPERSERVER, SUPERSERVER_PORT), (WEB_SERVER, WEB_SERVER_PORT)],
    };
    container.ports = Some(ports.into_iter().map(|(name, port)| build_port(name, port)).collect());

    let mut mounts: Vec<VolumeMount> =
        node.volumes.predefined.iter().map(|volume| build_mount(volume.name, &volume.mount_path)).collect();
    if config_map.is_some() {
        mounts.push(build_mount(CPF_VOLUME, CPF_DIRECTORY));
    }
    if licensed {
        mounts.push(build_mount(KEY_VOLUME, KEY_DIRECTORY));
    }
    mounts.extend(tls_mounts(cluster, component));
    mounts.extend(node.volumes.mounts.iter().cloned());
    container.volume_mounts = (!mounts.is_empty()).then_some(mounts);
    container
}

/// Ours first; a variable of the user's with the same name replaces ours, as the last one does in a pod.
fn build_env(
    cluster: &ValidatedCluster,
    component: Component,
    node: &Node,
    users: Option<Vec<EnvVar>>,
) -> Option<Vec<EnvVar>> {
    let users = users.unwrap_or_default();
    let data = || ("ISC_DATA_DIRECTORY", node.volumes.directories.isc_data_directory());
    let ours = match component {
        Component::Arbiter => Vec::new(),
        Component::Iam => return Some(build_iam_env(cluster, users)),
        // Its manager is an IRIS, which knows by itself how it is configured.
        Component::Sam => vec![data()],
        _ => vec![("ISC_CPF_MERGE_FILE", format!("{CPF_DIRECTORY}/{}", cpf_key(component))), data()],
    };
    let mut env = Vec::new();
    for (name, value) in ours {
        if users.iter().all(|variable| variable.name != name) {
            env.push(EnvVar { name: name.to_owned(), value: Some(value), value_from: None });
        }
    }
    env.extend(users);
    (!env.is_empty()).then_some(env)
}

pub(super) fn build_port(name: &str, port: u16) -> ContainerPort {
    ContainerPort {
        name: Some(name.to_owned()),
        container_port: i32::from(port),
        protocol: Some("TCP".to_owned()),
        ..ContainerPort::default()
    }
}

pub(super) fn build_mount(name: &str, path: &str) -> VolumeMount {
    VolumeMount { name: name.to_owned(), mount_path: path.to_owned(), ..VolumeMount::default() }
}

pub(super) fn build_config_volume(name: &str, config_map: &ConfigMap) -> Volume {
    Volume {
        name: name.to_owned(),
        config_map: Some(ConfigMapVolumeSource {
            name: config_map.metadata.name.clone().unwrap_or_default(),
            ..ConfigMapVolumeSource::default()
        }),
        ..Volume::default()
    }
}

fn build_key_volume(secret: &str) -> Volume {
    Volume {
        name: KEY_VOLUME.to_owned(),
        secret: Some(SecretVolumeSource {
            secret_name: Some(secret.to_owned()),
            ..SecretVolumeSource::default()
        }),
        ..Volume::default()
    }
}
