//! Decides what `podTemplate` comes down to: the user's part of the pod and of its container. Must not add anything
//! of ours.

use homebase_api::embedded::Embedded;
use homebase_api::iriscluster::{LocalReference, PodSpecTemplate, PodTemplate};
use k8s_openapi::api::core::v1::{
    Container, EnvVar, LocalObjectReference, PodSecurityContext, PodSpec, SecurityContext,
};
use serde_json::{Map, Value};

use crate::cluster::validated::Template;
use crate::report::{Report, join};

/// Keys that only a container's security context has and that manifests in the wild put into the pod's.
const CONTAINER_ONLY: [&str; 5] =
    ["allowPrivilegeEscalation", "capabilities", "privileged", "procMount", "readOnlyRootFilesystem"];

/// Prefixes of the labels that selectors and users' tools rely on: a template cannot set them.
const RESERVED_LABELS: [&str; 2] = ["intersystems.com/", "app.kubernetes.io/managed-by"];

/// What the template comes down to.
pub(super) fn validate_template(template: Option<&PodTemplate>, path: &str, report: &mut Report) -> Template {
    let Some(template) = template else { return Template::default() };
    let mut result = Template::default();
    report.unknown(path, &template.unknown);
    if let Some(metadata) = &template.metadata {
        let path = join(path, "metadata");
        report.unknown(&path, &metadata.unknown);
        result.annotations.clone_from(&metadata.annotations);
        for (key, value) in &metadata.labels {
            if RESERVED_LABELS.iter().any(|reserved| key.starts_with(reserved)) {
                report.warn(
                    format_args!("{path}.labels"),
                    format_args!("{key} has no effect: it is set by the hub"),
                );
            } else {
                result.labels.insert(key.clone(), value.clone());
            }
        }
    }
    if let Some(controller) = &template.controller {
        report.unknown(&join(path, "controller"), &controller.unknown);
        result.controller_annotations.clone_from(&controller.annotations);
    }
    if let Some(spec) = &template.spec {
        let path = join(path, "spec");
        report.unknown(&path, &spec.unknown);
        result.pod = validate_pod(spec, &path, report);
        result.container = validate_container(spec, &path, report);
    }
    result
}

fn validate_pod(spec: &PodSpecTemplate, path: &str, report: &mut Report) -> PodSpec {
    let at = |field: &str| join(path, field);
    let security = spec.security_context.as_ref();
    PodSpec {
        affinity: report.parse_option(&at("affinity"), spec.affinity.as_ref()),
        automount_service_account_token: spec.automount_service_account_token,
        dns_config: report.parse_option(&at("dnsConfig"), spec.dns_config.as_ref()),
        dns_policy: spec.dns_policy.clone(),
        enable_service_links: spec.enable_service_links,
        host_aliases: report.parse_list(&at("hostAliases"), &spec.host_aliases),
        host_network: spec.host_network,
        image_pull_secrets: pull_secrets(&spec.image_pull_secrets),
        init_containers: report.parse_list(&at("initContainers"), &spec.init_containers),
        node_selector: (!spec.node_selector.is_empty()).then(|| spec.node_selector.clone()),
        priority_class_name: spec.priority_class_name.clone(),
        runtime_class_name: spec.runtime_class_name.clone(),
        scheduler_name: spec.scheduler_name.clone(),
        security_context: security
            .and_then(|value| report.parse_except(&at("securityContext"), value, &CONTAINER_ONLY)),
        service_account_name: spec.service_account_name.clone(),
        share_process_namespace: spec.share_process_namespace,
        termination_grace_period_seconds: spec.termination_grace_period_seconds,
        tolerations: report.parse_list(&at("tolerations"), &spec.tolerations),
        topology_spread_constraints: report
            .parse_list(&at("topologySpreadConstraints"), &spec.topology_spread_constraints),
        ..PodSpec::default()
    }
}

fn validate_container(spec: &PodSpecTemplate, path: &str, report: &mut Report) -> Container {
    let at = |field: &str| join(path, field);
    let own = report.parse_option(&at("containerSecurityContext"), spec.container_security_context.as_ref());
    let misplaced = spec
        .security_context
        .as_ref()
        .and_then(|value| misplaced_keys(value, &at("securityContext"), report));
    Container {
        args: (!spec.args.is_empty()).then(|| spec.args.clone()),
        env: validate_env(spec, &at("env"), report),
        env_from: report.parse_list(&at("envFrom"), &spec.env_from),
        lifecycle: report.parse_option(&at("lifecycle"), spec.lifecycle.as_ref()),
        liveness_probe: report.parse_option(&at("livenessProbe"), spec.liveness_probe.as_ref()),
        readiness_probe: report.parse_option(&at("readinessProbe"), spec.readiness_probe.as_ref()),
        startup_probe: report.parse_option(&at("startupProbe"), spec.startup_probe.as_ref()),
        resources: report.parse_option(&at("resources"), spec.resources.as_ref()),
        security_context: merge_security(own, misplaced),
        ..Container::default()
    }
}

/// Server-side apply refuses a name that is there twice; in a pod the last one counts.
fn validate_env(spec: &PodSpecTemplate, path: &str, report: &mut Report) -> Option<Vec<EnvVar>> {
    let mut env: Vec<EnvVar> = Vec::new();
    for (index, item) in spec.env.iter().enumerate() {
        let path = format!("{path}[{index}]");
        let Some(variable) = report.parse(&path, item) else { continue };
        if variable.name.is_empty() {
            report.invalid(join(&path, "name"), "must not be empty: name the variable");
        }
        env.retain(|earlier| earlier.name != variable.name);
        env.push(variable);
    }
    (!env.is_empty()).then_some(env)
}

/// The keys of a pod's security context that only a container has, as a container's.
fn misplaced_keys(
    value: &Embedded<PodSecurityContext>,
    path: &str,
    report: &mut Report,
) -> Option<SecurityContext> {
    let written = value.as_value().as_object()?;
    let misplaced: Map<String, Value> = written
        .iter()
        .filter(|(key, value)| CONTAINER_ONLY.contains(&key.as_str()) && !value.is_null())
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    if misplaced.is_empty() {
        return None;
    }
    for key in misplaced.keys() {
        report.warn(join(path, key), "belongs into containerSecurityContext: used for the container");
    }
    report.parse(path, &Embedded::<SecurityContext>::from_value(Value::Object(misplaced)))
}

/// What is in its right place wins.
fn merge_security(
    own: Option<SecurityContext>,
    misplaced: Option<SecurityContext>,
) -> Option<SecurityContext> {
    let (Some(mut own), Some(misplaced)) = (own.clone(), misplaced.clone()) else { return own.or(misplaced) };
    own.allow_privilege_escalation = own.allow_privilege_escalation.or(misplaced.allow_privilege_escalation);
    own.capabilities = own.capabilities.or(misplaced.capabilities);
    own.privileged = own.privileged.or(misplaced.privileged);
    own.proc_mount = own.proc_mount.or(misplaced.proc_mount);
    own.read_only_root_filesystem = own.read_only_root_filesystem.or(misplaced.read_only_root_filesystem);
    Some(own)
}

fn pull_secrets(list: &[LocalReference]) -> Option<Vec<LocalObjectReference>> {
    let secrets: Vec<_> =
        list.iter().map(|secret| LocalObjectReference { name: secret.name.clone() }).collect();
    (!secrets.is_empty()).then_some(secrets)
}
