//! Builds what is particular to a web gateway: its servers, its files, and the container that reads them. Must not
//! read a Secret: the pod fills in its login by itself.
//!
//! Facts, from the manual of the gateway's container: `ISC_CSP_INI_FILE` and `ISC_CSP_CONF_FILE` name files that are
//! copied into the gateway when it starts, `ISC_DATA_DIRECTORY` is where it then keeps its configuration and log, and
//! the locked-down image listens on 52773. Manifests in the wild keep in the login Secret what `CSP.ini` is to hold,
//! which may be an encoded password. Choices of this project: where the files are mounted, and that an init container
//! from the gateway's own image writes the login into a copy of `CSP.ini` that is kept in memory.

use homebase_api::iriscluster::{AlternativeServers, MirrorRole, WebgatewayType};
use homebase_api::labels::Component;
use k8s_openapi::api::core::v1::{
    ConfigMap, Container, EmptyDirVolumeSource, EnvVar, KeyToPath, PodSpec, SecretVolumeSource, Volume,
    VolumeMount,
};

use super::pod::{build_config_volume, build_empty_dirs, build_mount, build_port};
use super::tls::sidecar_tls_mounts;
use crate::cluster::csp::{CspIni, LOGIN, Server, csp_conf, csp_ini, tls_port};
use crate::cluster::names::{
    CSP_CONF, CSP_DIRECTORY, CSP_INI, CSP_TEMPLATE_DIRECTORY, CSP_TEMPLATE_VOLUME, CSP_VOLUME, Connection,
    GATEWAY_PORT, LOGIN_CONTAINER, LOGIN_DIRECTORY, LOGIN_VOLUME, NodeSet, SIDECAR, WEB_SERVER,
    WEB_SERVER_PORT, WEB_SERVER_TLS,
};
use crate::cluster::validated::{Gateway, Sidecar, ValidatedCluster, Volumes};

/// The IRIS instances that web gateways of their own use: compute pods if there are any, else the data pods that can
/// be primary. An async member of a mirror serves no application.
pub(crate) fn backends(cluster: &ValidatedCluster) -> Vec<Server> {
    let pods_of = |set: NodeSet, count: usize| (0..count).map(move |ordinal| cluster.key.pod(set, ordinal));
    let pods: Vec<String> = match (cluster.compute_pods(), cluster.mirror_map()) {
        (0, None) => pods_of(NodeSet::whole(Component::Data), cluster.shards()).collect(),
        (0, Some(map)) => {
            let can_serve = |role: MirrorRole| matches!(role, MirrorRole::Primary | MirrorRole::Backup);
            let serves = |ordinal: &usize| map.role(*ordinal).is_some_and(can_serve);
            let members: Vec<_> = (0..map.roles().len()).filter(serves).collect();
            let of_shard = |set| members.iter().map(move |ordinal| cluster.key.pod(set, *ordinal));
            cluster.data_sets().into_iter().flat_map(of_shard).collect()
        }
        (pods, _) => pods_of(NodeSet::whole(Component::Compute), pods).collect(),
    };
    let server = |name: String| Server { host: cluster.key.pod_host(&name), name };
    pods.into_iter().map(server).collect()
}

/// The IRIS instance that a sidecar uses: that of its own pod, so that what it says of a mirror member is true of it.
/// The name is that of the profile in a gateway as it is installed.
pub(crate) fn own_backend() -> [Server; 1] {
    [Server { name: "LOCAL".to_owned(), host: OWN_HOST.to_owned() }]
}

/// The address of the IRIS in the same pod.
const OWN_HOST: &str = "127.0.0.1";

fn is_beside_iris(servers: &[Server]) -> bool {
    servers.iter().all(|server| server.host == OWN_HOST)
}

/// How web gateways of their own use their servers, where the spec does not say it.
fn default_use(cluster: &ValidatedCluster) -> AlternativeServers {
    if cluster.compute_pods() == 0 && cluster.mirror_map().is_some() && cluster.shards() == 1 {
        AlternativeServers::FailOver
    } else {
        AlternativeServers::LoadBalancing
    }
}

/// `CSP.ini` and `CSP.conf`, by file name.
pub(crate) fn build_files(
    cluster: &ValidatedCluster,
    gateway: &Gateway,
    servers: &[Server],
) -> [(String, String); 2] {
    let found = |key: &str| cluster.found.config_source.text(key);
    let additions: Vec<&str> = [CSP_INI, "CSP-merge.ini"].into_iter().filter_map(found).collect();
    let ini = csp_ini(&CspIni {
        servers,
        alternative: gateway.alternative.unwrap_or_else(|| default_use(cluster)),
        paths: &gateway.paths,
        login: gateway.login_secret.is_some(),
        // Beside IRIS it has no way to go.
        tls: !is_beside_iris(servers) && cluster.tls.has(Connection::Superserver),
        additions: &additions,
    });
    let tls = cluster.tls.has(Connection::Webgateway);
    let conf =
        found(CSP_CONF).map_or_else(|| csp_conf(gateway.type_, &gateway.paths, tls), ToOwned::to_owned);
    [(CSP_INI.to_owned(), ini), (CSP_CONF.to_owned(), conf)]
}

/// Makes a container the gateway's: ports, environment, files. `container` has the user's part already, `tls` are its
/// certificates.
pub(crate) fn build_gateway(
    cluster: &ValidatedCluster,
    mut container: Container,
    gateway: &Gateway,
    volumes: &Volumes,
    tls: Vec<VolumeMount>,
) -> Container {
    let port = match gateway.type_ {
        WebgatewayType::Apache | WebgatewayType::Nginx => GATEWAY_PORT,
        WebgatewayType::ApacheLockeddown => WEB_SERVER_PORT,
    };
    let mut ports = vec![build_port(WEB_SERVER, port)];
    if cluster.tls.has(Connection::Webgateway) {
        ports.push(build_port(WEB_SERVER_TLS, tls_port(gateway.type_)));
    }
    container.ports = Some(ports);

    let users = container.env.take().unwrap_or_default();
    let ours = [
        ("ISC_CSP_INI_FILE", format!("{CSP_DIRECTORY}/{CSP_INI}")),
        ("ISC_CSP_CONF_FILE", format!("{CSP_DIRECTORY}/{CSP_CONF}")),
        ("ISC_DATA_DIRECTORY", volumes.directories.data.clone()),
    ];
    let free = ours.into_iter().filter(|(name, _)| users.iter().all(|variable| variable.name != *name));
    let ours =
        free.map(|(name, value)| EnvVar { name: name.to_owned(), value: Some(value), value_from: None });
    container.env = Some(ours.chain(users.iter().cloned()).collect());

    let mut mounts: Vec<VolumeMount> =
        volumes.predefined.iter().map(|volume| build_mount(volume.name, &volume.mount_path)).collect();
    mounts.push(build_mount(CSP_VOLUME, CSP_DIRECTORY));
    mounts.extend(tls);
    mounts.extend(volumes.mounts.iter().cloned());
    container.volume_mounts = Some(mounts);
    container
}

/// Adds a gateway beside IRIS to a pod.
pub(crate) fn add_sidecar(
    cluster: &ValidatedCluster,
    pod: &mut PodSpec,
    sidecar: &Sidecar,
    config_map: &ConfigMap,
) {
    let Sidecar { image, container, gateway, volumes } = sidecar;
    let all = pod.volumes.get_or_insert_default();
    all.extend(build_empty_dirs(volumes));
    for volume in &volumes.referenced {
        // IRIS may mount it as well.
        if all.iter().all(|known| known.name != volume.name) {
            all.push(volume.clone());
        }
    }
    add_files(pod, image, container, gateway, config_map);
    let container = Container { name: SIDECAR.to_owned(), image: Some(image.clone()), ..container.clone() };
    let tls = sidecar_tls_mounts(cluster);
    pod.containers.push(build_gateway(cluster, container, gateway, volumes, tls));
}

/// Adds the files of a gateway to its pod, and what fills in the login.
pub(crate) fn add_files(
    pod: &mut PodSpec,
    image: &str,
    users: &Container,
    gateway: &Gateway,
    config_map: &ConfigMap,
) {
    let volumes = pod.volumes.get_or_insert_default();
    let Some(secret) = &gateway.login_secret else {
        volumes.push(build_file_volume(CSP_VOLUME, config_map));
        return;
    };
    volumes.push(Volume {
        name: CSP_VOLUME.to_owned(),
        empty_dir: Some(EmptyDirVolumeSource {
            medium: Some("Memory".to_owned()),
            ..EmptyDirVolumeSource::default()
        }),
        ..Volume::default()
    });
    volumes.push(build_file_volume(CSP_TEMPLATE_VOLUME, config_map));
    volumes.push(Volume {
        name: LOGIN_VOLUME.to_owned(),
        secret: Some(SecretVolumeSource {
            secret_name: Some(secret.clone()),
            ..SecretVolumeSource::default()
        }),
        ..Volume::default()
    });
    let login = Container {
        name: LOGIN_CONTAINER.to_owned(),
        image: Some(image.to_owned()),
        command: Some(vec!["sh".to_owned(), "-c".to_owned(), login_script()]),
        volume_mounts: Some(vec![
            build_mount(CSP_VOLUME, CSP_DIRECTORY),
            build_mount(CSP_TEMPLATE_VOLUME, CSP_TEMPLATE_DIRECTORY),
            build_mount(LOGIN_VOLUME, LOGIN_DIRECTORY),
        ]),
        // As the gateway has them: it must be able to read the file, and a namespace with a policy or a quota
        // refuses a pod with a container that says nothing.
        security_context: users.security_context.clone(),
        resources: users.resources.clone(),
        ..Container::default()
    };
    // The user's init containers come first: they may prepare what ours needs, and none needs ours.
    pod.init_containers.get_or_insert_default().push(login);
}

/// The files of a gateway and no more: beside them may be a CPF with the hash of a password.
fn build_file_volume(name: &str, config_map: &ConfigMap) -> Volume {
    let mut volume = build_config_volume(name, config_map);
    if let Some(source) = &mut volume.config_map {
        let item = |key: &str| KeyToPath { key: key.to_owned(), path: key.to_owned(), mode: None };
        source.items = Some([CSP_INI, CSP_CONF].map(item).into());
    }
    volume
}

/// Copies the files and fills in the login. Values go through no expansion and no pattern: a password may hold
/// anything but a line break.
fn login_script() -> String {
    format!(
        "set -eu\numask 027\n\
         username=$(cat {LOGIN_DIRECTORY}/username)\npassword=$(cat {LOGIN_DIRECTORY}/password)\n\
         cat {CSP_TEMPLATE_DIRECTORY}/{CSP_CONF} > {CSP_DIRECTORY}/{CSP_CONF}\n\
         while IFS= read -r line; do\n\
         case \"$line\" in\n\
         Username={LOGIN}) printf 'Username=%s\\n' \"$username\" ;;\n\
         Password={LOGIN}) printf 'Password=%s\\n' \"$password\" ;;\n\
         *) printf '%s\\n' \"$line\" ;;\n\
         esac\n\
         done < {CSP_TEMPLATE_DIRECTORY}/{CSP_INI} > {CSP_DIRECTORY}/{CSP_INI}\n"
    )
}
