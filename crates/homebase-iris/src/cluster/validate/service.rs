//! Decides what `serviceTemplate` changes about the Service of a cluster. Must not let it change whom the Service
//! selects.

use homebase_api::iriscluster::ServiceTemplate;
use k8s_openapi::api::core::v1::{ServicePort, ServiceSpec};

use crate::cluster::names::{SUPERSERVER, WEB_SERVER, WEB_SERVER_TLS};
use crate::cluster::validated::ServiceOverride;
use crate::report::Report;

/// Two Services cannot have one address.
pub(super) fn warn_of_addresses(spec: &ServiceSpec, report: &mut Report) {
    let is_given = [
        ("clusterIP", spec.cluster_ip.as_ref().is_some_and(|ip| ip != "None")),
        ("clusterIPs", spec.cluster_ips.as_ref().is_some_and(|ips| ips.iter().any(|ip| ip != "None"))),
        ("externalIPs", spec.external_ips.is_some()),
        ("healthCheckNodePort", spec.health_check_node_port.is_some()),
        ("loadBalancerIP", spec.load_balancer_ip.is_some()),
    ];
    for (field, _) in is_given.into_iter().filter(|(_, given)| *given) {
        report.warn(
            format_args!("spec.serviceTemplate.spec.{field}"),
            "has an effect on one Service only: the one of the cluster, not that of its web gateways",
        );
    }
}

/// An apiserver refuses the policy for a Service that nothing outside of the cluster reaches.
fn check_traffic_policy(spec: &ServiceSpec, report: &mut Report) {
    let is_external = matches!(spec.type_.as_deref(), Some("NodePort" | "LoadBalancer"))
        || spec.external_ips.as_ref().is_some_and(|addresses| !addresses.is_empty());
    if spec.external_traffic_policy.is_some() && !is_external {
        report.invalid(
            "spec.serviceTemplate.spec.externalTrafficPolicy",
            "only a Service of type NodePort or LoadBalancer, or with externalIPs, can have it: remove it, or set the type",
        );
    }
}

/// What the template comes down to: its ports are those that have the name of a port of ours.
pub(super) fn validate_service(
    template: Option<&ServiceTemplate>,
    with_tls: bool,
    report: &mut Report,
) -> ServiceOverride {
    let Some(template) = template else { return ServiceOverride::default() };
    let path = "spec.serviceTemplate";
    report.unknown(path, &template.unknown);
    let mut annotations = std::collections::BTreeMap::new();
    if let Some(metadata) = &template.metadata {
        report.unknown(&format!("{path}.metadata"), &metadata.unknown);
        annotations.clone_from(&metadata.annotations);
    }
    let mut spec: ServiceSpec =
        report.parse_option(&format!("{path}.spec"), template.spec.as_ref()).unwrap_or_default();
    check_traffic_policy(&spec, report);
    if spec.selector.take().is_some() {
        report.warn(format_args!("{path}.spec.selector"), "has no effect: the Service selects data pods");
    }
    let mut ports: Vec<ServicePort> = Vec::new();
    for (index, port) in spec.ports.take().unwrap_or_default().into_iter().enumerate() {
        let ours: &[&str] =
            if with_tls { &[SUPERSERVER, WEB_SERVER, WEB_SERVER_TLS] } else { &[SUPERSERVER, WEB_SERVER] };
        if !ours.iter().any(|name| port.name.as_deref() == Some(name)) {
            report.warn(
                format_args!("{path}.spec.ports[{index}]"),
                format_args!("has no effect: only the ports {} can be changed", ours.join(" and ")),
            );
            continue;
        }
        // Within one list the last word counts, as everywhere in Kubernetes.
        ports.retain(|earlier| earlier.name != port.name);
        ports.push(port);
    }
    spec.ports = (!ports.is_empty()).then_some(ports);
    ServiceOverride { annotations, spec }
}
