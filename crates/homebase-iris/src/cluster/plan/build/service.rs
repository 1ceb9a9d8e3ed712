//! Builds the Services of a cluster. Must not select more than the pods that serve.

use std::collections::BTreeMap;

use homebase_api::iriscluster::MirrorRole;
use homebase_api::labels::{self, Component};
use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::iam;
use super::meta::{FIRST_SHARD, build_meta, map};
use crate::cluster::names::{
    ClusterName, Connection, GATEWAY_PORT, GATEWAY_TLS_PORT, HEADLESS_SERVICE, NodeSet, SAM_PORT,
    SUPERSERVER, SUPERSERVER_PORT, WEB_SERVER, WEB_SERVER_PORT, WEB_SERVER_TLS,
};
use crate::cluster::validated::ValidatedCluster;

/// `iris-svc`: it gives every pod its DNS name.
///
/// All clusters of the namespace apply it, so nothing in it may depend on one of them, and none of them owns it.
/// Addresses are published before pods are ready: mirror members and the arbiter find each other while they start.
pub(crate) fn build_headless_service(key: &ClusterName) -> Service {
    Service {
        metadata: ObjectMeta {
            name: Some(HEADLESS_SERVICE.to_owned()),
            namespace: Some(key.namespace.clone()),
            labels: Some(map([
                (labels::KIND, labels::KIND_IRIS_CLUSTER),
                (labels::ROLE, labels::ROLE_IRIS),
                (labels::MANAGED_BY, labels::MANAGED_BY_HOMEBASE),
            ])),
            ..ObjectMeta::default()
        },
        spec: Some(ServiceSpec {
            cluster_ip: Some("None".to_owned()),
            publish_not_ready_addresses: Some(true),
            selector: Some(map([
                (labels::KIND, labels::KIND_IRIS_CLUSTER),
                (labels::ROLE, labels::ROLE_IRIS),
            ])),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}

/// The Service `NAME`: it leads to the data pod that serves.
pub(crate) fn build_service(cluster: &ValidatedCluster) -> Service {
    let mut metadata = build_meta(cluster, NodeSet::whole(Component::Data), cluster.key.name.clone());
    let annotations = &cluster.service.annotations;
    metadata.annotations = (!annotations.is_empty()).then(|| annotations.clone());

    let mut selector = map([
        (labels::KIND, labels::KIND_IRIS_CLUSTER),
        (labels::NAME, &cluster.key.name),
        (labels::COMPONENT, Component::Data.as_str()),
        (labels::SHARD, FIRST_SHARD),
    ]);
    if cluster.mirror_map().is_some() {
        selector.insert(labels::MIRROR_ROLE.to_owned(), MirrorRole::Primary.as_str().to_owned());
    }
    let mut spec = cluster.service.spec.clone();
    spec.type_ = spec.type_.or_else(|| Some("ClusterIP".to_owned()));
    spec.selector = Some(selector);
    spec.ports = Some(build_ports(cluster));
    Service { metadata, spec: Some(spec), ..Service::default() }
}

/// The ports of the Service of a cluster.
fn build_ports(cluster: &ValidatedCluster) -> Vec<ServicePort> {
    let changes = cluster.service.spec.ports.as_deref().unwrap_or_default();
    let mut ports = vec![(SUPERSERVER, SUPERSERVER_PORT)];
    if cluster.data.node.sidecar.is_some() {
        ports.extend(gateway_ports(cluster));
    } else {
        ports.push((WEB_SERVER, WEB_SERVER_PORT));
    }
    ports.into_iter().map(|(name, port)| build_port(name, port, changes)).collect()
}

/// The port of the Service that leads to the web server, whichever that is.
pub(crate) fn web_port(cluster: &ValidatedCluster) -> i32 {
    let web = build_ports(cluster).into_iter().find(|port| port.name.as_deref() == Some(WEB_SERVER));
    web.map_or(i32::from(WEB_SERVER_PORT), |port| port.port)
}

/// The ports of a web gateway.
fn gateway_ports(cluster: &ValidatedCluster) -> Vec<(&'static str, u16)> {
    let mut ports = vec![(WEB_SERVER, GATEWAY_PORT)];
    if cluster.tls.has(Connection::Webgateway) {
        ports.push((WEB_SERVER_TLS, GATEWAY_TLS_PORT));
    }
    ports
}

/// The Services of node groups that have one of their own.
pub(crate) fn build_group_services(cluster: &ValidatedCluster) -> Vec<Service> {
    let gateway = cluster.webgateway.as_ref().map(|_| build_gateway_service(cluster));
    let sam =
        cluster.sam.as_ref().map(|_| build_group_service(cluster, Component::Sam, &[(WEB_SERVER, SAM_PORT)]));
    let iam = cluster.iam.as_ref().map(|_| build_group_service(cluster, Component::Iam, &iam::PORTS));
    gateway.into_iter().chain(sam).chain(iam).collect()
}

/// A Service of which `serviceTemplate` says nothing: that is for those that serve applications.
fn build_group_service(cluster: &ValidatedCluster, component: Component, ports: &[(&str, u16)]) -> Service {
    let name = cluster.key.group_service(component);
    Service {
        metadata: build_meta(cluster, NodeSet::whole(component), name),
        spec: Some(ServiceSpec {
            type_: Some("ClusterIP".to_owned()),
            selector: Some(build_group_selector(cluster, component)),
            ports: Some(ports.iter().map(|(name, port)| build_port(name, *port, &[])).collect()),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}

fn build_group_selector(cluster: &ValidatedCluster, component: Component) -> BTreeMap<String, String> {
    map([
        (labels::KIND, labels::KIND_IRIS_CLUSTER),
        (labels::NAME, &cluster.key.name),
        (labels::COMPONENT, component.as_str()),
    ])
}

/// The Service `NAME-webgateway`.
///
/// `serviceTemplate` is for both Services, but for what only one of them can have: addresses and node ports go to
/// the Service `NAME`.
fn build_gateway_service(cluster: &ValidatedCluster) -> Service {
    let component = Component::Webgateway;
    let mut metadata = build_meta(cluster, NodeSet::whole(component), cluster.key.group_service(component));
    let annotations = &cluster.service.annotations;
    metadata.annotations = (!annotations.is_empty()).then(|| annotations.clone());
    let users = cluster.service.spec.clone();
    let mut changes = users.ports.clone().unwrap_or_default();
    for change in &mut changes {
        change.node_port = None;
        // It names a port of IRIS.
        change.target_port = None;
    }
    let is_headless = users.cluster_ip.as_deref() == Some("None");
    let spec = ServiceSpec {
        type_: users.type_.clone().or_else(|| Some("ClusterIP".to_owned())),
        selector: Some(build_group_selector(cluster, component)),
        ports: Some(
            gateway_ports(cluster).into_iter().map(|(name, port)| build_port(name, port, &changes)).collect(),
        ),
        cluster_ip: users.cluster_ip.clone().filter(|_| is_headless),
        cluster_ips: None,
        load_balancer_ip: None,
        external_ips: None,
        health_check_node_port: None,
        ..users
    };
    Service { metadata, spec: Some(spec), ..Service::default() }
}

/// One port with what the user changed about the port of that name. The target stays ours unless it is changed too.
fn build_port(name: &str, port: u16, changes: &[ServicePort]) -> ServicePort {
    let change = changes.iter().find(|change| change.name.as_deref() == Some(name));
    let mut result = change.cloned().unwrap_or_default();
    result.name = Some(name.to_owned());
    // A change without a port number has 0 here.
    if result.port == 0 {
        result.port = i32::from(port);
    }
    result.target_port = result.target_port.or_else(|| Some(IntOrString::String(name.to_owned())));
    result.protocol = result.protocol.or_else(|| Some("TCP".to_owned()));
    result
}
