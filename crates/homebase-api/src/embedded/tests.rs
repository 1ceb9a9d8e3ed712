//! Tests of what survives in an embedded core value.

use k8s_openapi::api::core::v1::{EnvVar, PodSecurityContext, ResourceRequirements, ServiceSpec};
use serde_json::json;

use super::*;

#[test]
fn a_misspelt_field_is_kept_and_named() {
    let written = json!({"limit": {"cpu": 2}, "requests": {"cpu": 1, "hugepages-2Mi": "4Gi"}});
    let embedded: Embedded<ResourceRequirements> = serde_json::from_value(written.clone()).unwrap();
    assert_eq!(embedded.unknown_fields(), ["limit"]);
    let core = embedded.parse().unwrap();
    assert_eq!(core.requests.unwrap()["cpu"].0, "1");
    assert_eq!(core.limits, None);
    assert_eq!(serde_json::to_value(&embedded).unwrap(), written);
}

#[test]
fn unknown_fields_are_found_in_lists_and_below_known_fields() {
    let written = json!({
        "type": "LoadBalancer",
        "ports": [{"name": "superserver", "port": 1972}, {"name": "MgmtPortal", "port": 52773, "prot": "TCP"}],
        "sessionAffinityConfig": {"clientIP": {"timeout": 5, "timeoutSeconds": 5}},
        "clusterIP": null,
    });
    let embedded = Embedded::<ServiceSpec>::from_value(written);
    assert_eq!(embedded.unknown_fields(), ["ports[1].prot", "sessionAffinityConfig.clientIP.timeout"]);
}

#[test]
fn container_only_keys_are_unknown_to_a_pod_and_nothing_else_happens() {
    let written =
        json!({"fsGroup": 51773, "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}});
    let embedded = Embedded::<PodSecurityContext>::from_value(written);
    assert_eq!(embedded.unknown_fields(), ["allowPrivilegeEscalation", "capabilities"]);
    assert_eq!(embedded.parse().unwrap().fs_group, Some(51773));
}

#[test]
fn a_misfit_names_its_path_and_never_the_value() {
    let embedded = Embedded::<EnvVar>::from_value(json!({"name": "PASSWORD", "value": ["s3cret"]}));
    let error = embedded.parse().unwrap_err();
    assert_eq!(error.path, "value");
    assert_eq!(error.to_string(), "value: the value does not fit the type EnvVar");
    assert!(embedded.unknown_fields().is_empty());
    let embedded = Embedded::<EnvVar>::from_value(json!({"name": "PASSWORD", "value": "s3cret"}));
    assert!(!format!("{embedded:?}").contains("s3cret"));
}

#[test]
fn a_core_value_goes_in_and_comes_out() {
    let core = EnvVar { name: "A".to_owned(), value: Some("1".to_owned()), ..EnvVar::default() };
    let embedded = Embedded::new(&core);
    assert_eq!(embedded.parse().unwrap(), core);
    assert!(embedded.unknown_fields().is_empty());
}
