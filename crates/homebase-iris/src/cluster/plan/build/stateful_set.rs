//! Builds the StatefulSet of a node group. Must not set a field whose value somebody else decides.

use std::collections::BTreeMap;

use homebase_api::annotations;
use homebase_api::iriscluster::UpdateStrategyType;
use homebase_api::labels::Component;
use k8s_openapi::api::apps::v1::{
    RollingUpdateStatefulSetStrategy, StatefulSet, StatefulSetPersistentVolumeClaimRetentionPolicy,
    StatefulSetSpec, StatefulSetUpdateStrategy,
};
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};

use super::meta::{build_meta, build_selector};
use super::pod::build_pod_template;
use crate::cluster::fixed::fixed_hash;
use crate::cluster::names::{HEADLESS_SERVICE, NodeSet};
use crate::cluster::plan::restart::is_driven;
use crate::cluster::plan::stuck::needs_present_template;
use crate::cluster::validated::{Node, ValidatedCluster};
use crate::hash::{FIXED_HASH, PLAN_HASH, fingerprint};

/// A StatefulSet; `config_map` holds its CPF.
pub(crate) fn build_stateful_set(
    cluster: &ValidatedCluster,
    set: NodeSet,
    node: &Node,
    config_map: Option<&ConfigMap>,
) -> StatefulSet {
    let mut metadata = build_meta(cluster, set, cluster.key.stateful_set(set));
    let mut of_user = node.template.controller_annotations.clone();
    of_user.remove(annotations::UPDATE_ORDER);
    metadata.annotations = Some(of_user);
    let strategy = match node.update_strategy {
        UpdateStrategyType::RollingUpdate => "RollingUpdate",
        UpdateStrategyType::OnDelete => "OnDelete",
    };
    // Data pods come one by one; elsewhere one stuck pod must not hold the rest.
    let management = if set.component == Component::Data { "OrderedReady" } else { "Parallel" };
    let mut stateful_set = StatefulSet {
        metadata,
        spec: Some(StatefulSetSpec {
            replicas: None,
            service_name: Some(HEADLESS_SERVICE.to_owned()),
            pod_management_policy: Some(management.to_owned()),
            persistent_volume_claim_retention_policy: Some(StatefulSetPersistentVolumeClaimRetentionPolicy {
                when_deleted: Some("Retain".to_owned()),
                when_scaled: Some("Retain".to_owned()),
            }),
            selector: LabelSelector {
                match_labels: Some(build_selector(cluster, set)),
                match_expressions: None,
            },
            template: build_pod_template(cluster, set, node, config_map),
            update_strategy: Some(StatefulSetUpdateStrategy {
                type_: Some(strategy.to_owned()),
                rolling_update: None,
            }),
            volume_claim_templates: build_claims(node),
            ..StatefulSetSpec::default()
        }),
        ..StatefulSet::default()
    };
    // Taken without the replicas: scaling is no update.
    let hash = fingerprint(&stateful_set);
    let annotations = stateful_set.metadata.annotations.get_or_insert_default();
    annotations.insert(PLAN_HASH.to_owned(), hash);
    if let Some(spec) = &mut stateful_set.spec {
        annotations.insert(FIXED_HASH.to_owned(), fixed_hash(spec));
        // Without a number the apiserver would make it one, and end all other pods of a set that is made anew.
        spec.replicas = cluster.replicas(set.component).or_else(|| cluster.left_replicas(set));
    }
    set_strategy_of_the_moment(&mut stateful_set, cluster, set, node);
    stateful_set
}

/// The strategy for what is there now. Applied after the hash as well: who restarts the pods, and of what they are made anew,
/// is no update of them.
fn set_strategy_of_the_moment(
    stateful_set: &mut StatefulSet,
    cluster: &ValidatedCluster,
    set: NodeSet,
    node: &Node,
) {
    let Some(strategy) = stateful_set.spec.as_mut().and_then(|spec| spec.update_strategy.as_mut()) else {
        return;
    };
    if is_driven(cluster, set, node) {
        strategy.type_ = Some("OnDelete".to_owned());
        let order = (annotations::UPDATE_ORDER.to_owned(), annotations::PRIMARY_LAST.to_owned());
        stateful_set.metadata.annotations.get_or_insert_default().extend([order]);
    } else if node.update_strategy == UpdateStrategyType::RollingUpdate
        && needs_present_template(cluster, set)
    {
        let from_the_first = RollingUpdateStatefulSetStrategy { partition: Some(0), max_unavailable: None };
        strategy.rolling_update = Some(from_the_first);
    }
}

/// The claim templates of a node group, its sidecar's among them.
pub(crate) fn build_claims(node: &Node) -> Option<Vec<PersistentVolumeClaim>> {
    let of_sidecar = node.sidecar.as_ref().map(|sidecar| &sidecar.volumes);
    let all = || [Some(&node.volumes), of_sidecar].into_iter().flatten();
    let predefined = all().flat_map(|volumes| &volumes.predefined).filter_map(|volume| {
        let spec = volume.claim.clone()?;
        let metadata = ObjectMeta { name: Some(volume.name.to_owned()), ..ObjectMeta::default() };
        Some(PersistentVolumeClaim { metadata, spec: Some(spec), status: None })
    });
    let mut claims: Vec<_> = predefined.collect();
    for claim in all().flat_map(|volumes| &volumes.claims) {
        // Both containers may mount it.
        if claims.iter().all(|known| known.metadata.name != claim.metadata.name) {
            claims.push(claim.clone());
        }
    }
    (!claims.is_empty()).then_some(claims)
}

/// A map, or `None` for an empty one, which is how Kubernetes writes it.
pub(crate) fn non_empty(map: BTreeMap<String, String>) -> Option<BTreeMap<String, String>> {
    (!map.is_empty()).then_some(map)
}
