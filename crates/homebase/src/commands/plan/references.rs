//! What a resource refers to and the manifests do not hold. It decides only what to say of it.

use homebase_api::IrisCluster;
use homebase_api::iriscluster::LocalReference;

use super::super::manifests::Manifests;
use super::super::validate::judge::find;

/// A sentence for each object that is referred to and was not given.
pub(super) fn unresolved(resource: &IrisCluster, of: &str, all: &Manifests) -> Vec<String> {
    let spec = &resource.spec;
    let namespace = resource.metadata.namespace.as_deref().unwrap_or_default();
    let missing =
        |kind: &str, reference: &LocalReference| find(all, kind, namespace, &reference.name).is_none();
    let mut notes = Vec::new();
    if let Some(reference) = spec.config_source.as_ref().filter(|reference| missing("ConfigMap", reference)) {
        notes.push(format!(
            "{of}: the text of ConfigMap {} (spec.configSource) is not in the CPF that is shown, nor in the annotation \
             {}: give the ConfigMap with -f; on a cluster without it, data and compute nodes wait for it",
            reference.name,
            homebase_iris::CONFIG_HASH
        ));
    }
    let license = spec.license_key_secret.iter().map(|reference| ("spec.licenseKeySecret", reference));
    let pull = spec.image_pull_secrets.iter().map(|reference| ("spec.imagePullSecrets", reference));
    for (field, reference) in license.chain(pull).filter(|(_, reference)| missing("Secret", reference)) {
        notes
            .push(format!("{of}: pods need the Secret {} ({field}), which is not looked up", reference.name));
    }
    notes
}
