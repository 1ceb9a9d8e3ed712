//! Tests of the finished CRDs: structure, descriptions, bounds, columns. What an apiserver makes of them is for e2e.

use std::collections::BTreeSet;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};

use super::*;
use crate::rules;

/// Every node of the schema of a CRD with its path; items of lists are `[]`, values of maps `{}`.
fn nodes(crd: &CustomResourceDefinition) -> Vec<(String, JSONSchemaProps)> {
    fn walk(node: &JSONSchemaProps, path: &str, found: &mut Vec<(String, JSONSchemaProps)>) {
        found.push((path.to_owned(), node.clone()));
        for (name, property) in node.properties.iter().flatten() {
            walk(property, &format!("{path}.{name}"), found);
        }
        match &node.items {
            Some(JSONSchemaPropsOrArray::Schema(items)) => walk(items, &format!("{path}[]"), found),
            Some(JSONSchemaPropsOrArray::Schemas(_)) => panic!("{path}: a tuple is not structural"),
            None => {}
        }
        match &node.additional_properties {
            Some(JSONSchemaPropsOrBool::Schema(values)) => walk(values, &format!("{path}{{}}"), found),
            Some(JSONSchemaPropsOrBool::Bool(_)) => panic!("{path}: additionalProperties without a schema"),
            None => {}
        }
    }
    let root = crd.spec.versions[0].schema.as_ref().unwrap().open_api_v3_schema.as_ref().unwrap();
    let mut found = Vec::new();
    walk(root, "", &mut found);
    found
}

fn name(crd: &CustomResourceDefinition) -> &str {
    crd.metadata.name.as_deref().unwrap()
}

#[test]
fn schemas_are_structural() {
    for crd in crds() {
        for (path, node) in nodes(&crd) {
            let path = format!("{}{path}", name(&crd));
            let int_or_string = node.x_kubernetes_int_or_string == Some(true);
            assert!(node.type_.is_some() || int_or_string, "{path} has no type");
            assert!(node.ref_path.is_none() && node.schema.is_none(), "{path} refers to another schema");
            assert!(
                node.any_of.is_none() && node.one_of.is_none() && node.all_of.is_none() && node.not.is_none(),
                "{path} has alternatives"
            );
            assert!(node.default.is_none(), "{path} has a default: an absent field must stay absent");
        }
    }
}

/// Where a user's core values are kept as they are, relative to a node group or to `spec`.
const EMBEDDED: [&str; 46] = [
    ".podTemplate",
    ".podTemplate.controller",
    ".podTemplate.metadata",
    ".podTemplate.spec",
    ".irisDatabases[]",
    ".irisNamespaces[]",
    ".podTemplate.spec.affinity",
    ".podTemplate.spec.containerSecurityContext",
    ".podTemplate.spec.dnsConfig",
    ".podTemplate.spec.env[]",
    ".podTemplate.spec.envFrom[]",
    ".podTemplate.spec.hostAliases[]",
    ".podTemplate.spec.initContainers[]",
    ".podTemplate.spec.lifecycle",
    ".podTemplate.spec.livenessProbe",
    ".podTemplate.spec.readinessProbe",
    ".podTemplate.spec.resources",
    ".podTemplate.spec.securityContext",
    ".podTemplate.spec.startupProbe",
    ".podTemplate.spec.tolerations[]",
    ".podTemplate.spec.topologySpreadConstraints[]",
    ".serviceTemplate",
    ".serviceTemplate.metadata",
    ".serviceTemplate.spec",
    ".storage.dataSource",
    ".storage.dataSourceRef",
    ".storage.selector",
    ".storageDB.dataSource",
    ".storageDB.dataSourceRef",
    ".storageDB.selector",
    ".storageJournal1.dataSource",
    ".storageJournal1.dataSourceRef",
    ".storageJournal1.selector",
    ".storageJournal2.dataSource",
    ".storageJournal2.dataSourceRef",
    ".storageJournal2.selector",
    ".storageWIJ.dataSource",
    ".storageWIJ.dataSourceRef",
    ".storageWIJ.selector",
    ".tls.{common,ecp,mirror,superserver,webgateway}",
    ".volumeClaimTemplates[]",
    ".volumeMounts[]",
    ".volumes[]",
    ".spec.topology.arbiter",
    ".spec.topology.iam",
    ".spec.topology.sam",
];

#[test]
fn unknown_fields_are_kept_only_in_embedded_values() {
    let groups = [
        ".spec.topology.compute.webgateway",
        ".spec.topology.data.webgateway",
        ".spec.topology.arbiter",
        ".spec.topology.compute",
        ".spec.topology.data",
        ".spec.topology.iam",
        ".spec.topology.sam",
        ".spec.topology.webgateway",
        ".spec",
    ];
    let mut found = BTreeSet::new();
    for (path, node) in crds().iter().flat_map(nodes) {
        if node.x_kubernetes_preserve_unknown_fields != Some(true) {
            continue;
        }
        assert_eq!(node.type_.as_deref(), Some("object"), "{path}");
        let below = groups.iter().find_map(|group| path.strip_prefix(group));
        let place = below.filter(|below| !below.is_empty()).unwrap_or(&path).to_owned();
        let tls = [".tls.common", ".tls.ecp", ".tls.mirror", ".tls.superserver", ".tls.webgateway"];
        found.insert(if tls.contains(&place.as_str()) {
            ".tls.{common,ecp,mirror,superserver,webgateway}".to_owned()
        } else {
            place
        });
    }
    let expected: BTreeSet<_> = EMBEDDED.iter().map(ToString::to_string).collect();
    assert_eq!(found, expected);
}

#[test]
fn every_field_is_described() {
    for crd in crds() {
        for (path, node) in nodes(&crd) {
            if path.ends_with("[]") || path.ends_with("{}") {
                continue;
            }
            let description = node.description.unwrap_or_default();
            assert!(!description.is_empty(), "{}{path} has no description", name(&crd));
            assert!(!description.contains("Auto-generated"), "{}{path}: {description}", name(&crd));
        }
    }
}

#[test]
fn everything_that_can_grow_has_a_bound() {
    for (path, node) in crds().iter().flat_map(nodes) {
        match node.type_.as_deref() {
            Some("string") => {
                let bounded = node.max_length.is_some()
                    || node.enum_.is_some()
                    || node.format.as_deref() == Some("date-time");
                assert!(bounded, "{path}: a string without a bound");
            }
            Some("array") => assert!(node.max_items.is_some(), "{path}: a list without a bound"),
            Some("object") if node.additional_properties.is_some() => {
                assert!(node.max_properties.is_some(), "{path}: a map without a bound");
            }
            _ => {}
        }
    }
}

#[test]
fn optional_fields_accept_null_but_for_enums_and_the_scale_subresource() {
    for crd in crds() {
        let scale = scale_paths(&crd);
        for (path, node) in nodes(&crd) {
            let required = node.required.clone().unwrap_or_default();
            for (name, property) in node.properties.iter().flatten() {
                let path = format!("{path}.{name}");
                let expected = !required.contains(name) && !scale.contains(&path) && property.enum_.is_none();
                assert_eq!(property.nullable == Some(true), expected, "{path}");
            }
        }
    }
}

fn columns(crd: &CustomResourceDefinition, wide: bool) -> String {
    let columns = crd.spec.versions[0].additional_printer_columns.as_ref().unwrap();
    let chosen = columns.iter().filter(|column| (column.priority.unwrap_or(0) > 0) == wide);
    chosen.map(|column| column.name.to_uppercase()).collect::<Vec<_>>().join(" ")
}

#[test]
fn columns_are_those_that_users_know() {
    let work_cluster = &home_crds()[0];
    // `NAME` is the apiserver's own first column.
    assert_eq!(
        columns(work_cluster, false),
        "READY REASON VERSION IRISCLUSTERS READY-IRISCLUSTERS LAST-SEEN CREDENTIALS-EXPIRE AGE"
    );
    assert_eq!(columns(work_cluster, true), "SERVER LATENCY OWNER");
    let [iris_cluster, iris] = &remote_crds()[..] else { panic!("two remote CRDs") };
    assert_eq!(columns(iris_cluster, false), "DATA COMPUTE MIRRORED STATUS READY AGE");
    assert_eq!(columns(iris_cluster, true), "ZONES GATEWAY");
    assert_eq!(columns(iris, false), "DEPLOYMENT DESIRED READY AGE");
}

#[test]
fn columns_point_to_fields_that_exist() {
    for crd in crds() {
        let fields: BTreeSet<_> = nodes(&crd).into_iter().map(|(path, _)| path).collect();
        for column in crd.spec.versions[0].additional_printer_columns.iter().flatten() {
            let path = column.json_path.replace("[?(@.type==\"Ready\")]", "[]");
            assert!(
                fields.contains(&path) || path == ".metadata.creationTimestamp",
                "{}: {path} does not exist",
                name(&crd)
            );
        }
    }
}

#[test]
fn subresources_point_to_fields_that_exist() {
    for crd in crds() {
        let subresources = crd.spec.versions[0].subresources.clone().unwrap();
        assert!(subresources.status.is_some(), "{}", name(&crd));
        let fields: BTreeSet<_> = nodes(&crd).into_iter().map(|(path, _)| path).collect();
        let Some(scale) = subresources.scale else { continue };
        for path in [scale.spec_replicas_path, scale.status_replicas_path, scale.label_selector_path.unwrap()]
        {
            assert!(fields.contains(&path), "{}: {path} does not exist", name(&crd));
        }
    }
}

#[test]
fn crds_are_marked_and_go_where_they_belong() {
    let names =
        |crds: &[CustomResourceDefinition]| crds.iter().map(|crd| name(crd).to_owned()).collect::<Vec<_>>();
    assert_eq!(names(&home_crds()), ["workclusters.homebase.dev"]);
    assert_eq!(names(&remote_crds()), ["irisclusters.intersystems.com", "iris.test.myardyas.club"]);
    assert_eq!(names(&crds()), [names(&home_crds()), names(&remote_crds())].concat());
    for crd in crds() {
        assert_eq!(crd.metadata.annotations.unwrap()[annotations::CRD_VERSION], CRD_VERSION.to_string());
        assert_eq!(crd.metadata.labels.unwrap()[labels::MANAGED_BY], labels::MANAGED_BY_HOMEBASE);
        assert_eq!(crd.spec.scope, "Namespaced");
    }
}

#[test]
fn every_rule_has_one_place_and_tells_the_fix() {
    let mut seen = BTreeSet::new();
    for rule in crds().iter().flat_map(rules::rules) {
        assert!(rule.message.contains(": "), "no fix after a colon: {}", rule.message);
        assert!(!rule.message.ends_with('.') && !rule.message.contains('\n'), "{}", rule.message);
        assert!(seen.insert((rule.path.clone(), rule.message.clone())), "{rule:?} is there twice");
    }
    assert!(seen.iter().any(|(path, _)| path.is_empty()), "the rules of the object itself are missing");
}

#[test]
fn crds_fit_into_what_kubectl_apply_keeps() {
    // `kubectl apply` writes the whole object into an annotation, and annotations have 256 KiB.
    for crd in crds() {
        let size = serde_json::to_string(&crd).unwrap().len();
        assert!(size < 200 * 1024, "{} has {size} bytes", name(&crd));
    }
}
