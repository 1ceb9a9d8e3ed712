//! The CRDs as they are installed. It must not decide whether one may be installed.
//!
//! `K::crd()` of a kind is what the derive makes, and not fit to be installed: rules and marks are added here.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube_core::CustomResourceExt;

use crate::{Iris, IrisCluster, WorkCluster, annotations, labels, rules};

/// Version of the CRDs, in the annotation `homebase.dev/crd-version`. It grows by one with every change of a
/// schema, so that an older hub does not take a newer CRD back.
pub const CRD_VERSION: u32 = 2;

/// Every CRD.
pub fn crds() -> Vec<CustomResourceDefinition> {
    let mut crds = home_crds();
    crds.extend(remote_crds());
    crds
}

/// The CRDs of the home cluster: `WorkCluster`.
pub fn home_crds() -> Vec<CustomResourceDefinition> {
    vec![finished(WorkCluster::crd())]
}

/// The CRDs of work clusters: `IrisCluster` and `Iris`.
pub fn remote_crds() -> Vec<CustomResourceDefinition> {
    let mut iris_cluster = finished(IrisCluster::crd());
    for root in roots(&mut iris_cluster) {
        // The derive makes the root of the schema itself and has no place for rules about it.
        root.x_kubernetes_validations = Some(rules::iris_cluster());
    }
    vec![iris_cluster, finished(Iris::crd())]
}

fn finished(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    let scale = scale_paths(&crd);
    roots(&mut crd).for_each(|root| accept_null(root, "", &scale));
    let meta = &mut crd.metadata;
    meta.annotations
        .get_or_insert_default()
        .insert(annotations::CRD_VERSION.to_owned(), CRD_VERSION.to_string());
    meta.labels
        .get_or_insert_default()
        .insert(labels::MANAGED_BY.to_owned(), labels::MANAGED_BY_HOMEBASE.to_owned());
    crd
}

fn roots(crd: &mut CustomResourceDefinition) -> impl Iterator<Item = &mut JSONSchemaProps> {
    crd.spec.versions.iter_mut().filter_map(|version| version.schema.as_mut()?.open_api_v3_schema.as_mut())
}

/// The fields that the scale subresource reads.
fn scale_paths(crd: &CustomResourceDefinition) -> Vec<String> {
    let scales = crd.spec.versions.iter().filter_map(|version| version.subresources.as_ref()?.scale.clone());
    scales
        .flat_map(|scale| {
            [Some(scale.spec_replicas_path), Some(scale.status_replicas_path), scale.label_selector_path]
        })
        .flatten()
        .collect()
}

/// Makes every optional field take `null`, which manifests in the wild write for "absent".
///
/// Not the fields of the scale subresource, whose reader takes a `null` that is kept for a fault, and not those with
/// an `enum`, in which an apiserver knows no `null`, not even one that is listed. There it drops the `null` when an object is created or replaced,
/// and refuses it in a server-side apply.
fn accept_null(node: &mut JSONSchemaProps, path: &str, except: &[String]) {
    let required = node.required.clone().unwrap_or_default();
    for (name, property) in node.properties.iter_mut().flatten() {
        let path = format!("{path}.{name}");
        accept_null(property, &path, except);
        let nullable = !required.contains(name) && !except.contains(&path) && property.enum_.is_none();
        property.nullable = nullable.then_some(true);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut node.items {
        accept_null(items, &format!("{path}[]"), except);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut node.additional_properties {
        accept_null(values, &format!("{path}{{}}"), except);
    }
}

#[cfg(test)]
mod tests;
