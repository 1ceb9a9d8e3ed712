//! Reads `observed.yaml` of a golden folder. Must not fill in what the file does not say.

use std::collections::{BTreeMap, BTreeSet};

use homebase_iris::cluster::fixed::FixedFields;
use homebase_iris::cluster::primary::{Answer, Asked, Finding};
use homebase_iris::cluster::{
    ChildKind, Claims, ConfigSource, Dereferenced, GrowthRefusal, NoPlacement, NodeZones, ObservedChild,
    ObservedClaim, ObservedPod, ObservedStatefulSet, Placement, PodState, Unread,
};
use homebase_iris::iris::ObservedDeployment;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use serde::Deserialize;
use serde_json::{Value, json};

/// The word for "the plan hash that the input gives", which a person cannot write down.
const CURRENT: &str = "current";

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Found {
    config_source: Option<ConfigSourceFound>,
    stateful_sets: BTreeMap<String, Controller>,
    deployments: BTreeMap<String, Controller>,
    #[serde(alias = "dataPods")]
    pods: BTreeMap<String, Pod>,
    /// The zones of nodes by name, or why they are not known.
    zones: ZonesFound,
    /// `inPlace`, or why the policy is missing; nobody asked when absent.
    placement: Option<String>,
    mirrors: BTreeMap<usize, Answers>,
    existing: Vec<Child>,
    terminating: BTreeSet<String>,
    claims: Option<BTreeMap<String, Claim>>,
}

/// A claim in short: its phase and the sizes, and how its growth stands.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Claim {
    phase: String,
    requested: String,
    capacity: Option<String>,
    #[serde(default)]
    condition: Option<String>,
    #[serde(default)]
    deleting: bool,
    #[serde(default)]
    refusal: Option<Refusal>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Refusal {
    to: String,
    words: String,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum ConfigSourceFound {
    Word(String),
    Data(BTreeMap<String, String>),
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum ZonesFound {
    Why(String),
    Known(BTreeMap<String, Option<String>>),
}

impl Default for ZonesFound {
    fn default() -> Self {
        Self::Known(BTreeMap::new())
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Controller {
    uid: String,
    generation: i64,
    observed_generation: i64,
    replicas: i32,
    current_replicas: i32,
    ready_replicas: i32,
    updated_replicas: i32,
    current_revision: Option<String>,
    update_revision: Option<String>,
    partition: Option<i32>,
    plan_hash: Option<String>,
    /// A StatefulSet of which only what cannot change matters.
    fixed: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Pod {
    node: Option<String>,
    ready: bool,
    phase: Option<String>,
    uid: String,
    resource_version: String,
    mirror_role: Option<String>,
    revision: Option<String>,
    orphaned: bool,
    unmarked: bool,
    controller: Option<String>,
}

/// What the members of a mirror answer, in a word and the pods that say so.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Answers {
    primary: Vec<String>,
    not_primary: Vec<String>,
    silent: Vec<String>,
    forbidden: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Child {
    kind: String,
    name: String,
    uid: String,
}

impl Found {
    /// `current` gives the plan hash of a name.
    pub(crate) fn dereferenced(&self, current: &BTreeMap<String, String>) -> Dereferenced {
        Dereferenced {
            config_source: match &self.config_source {
                None => ConfigSource::NotReferenced,
                Some(ConfigSourceFound::Word(word)) if word == "missing" => ConfigSource::Missing,
                Some(ConfigSourceFound::Word(word)) => panic!("configSource: {word}"),
                Some(ConfigSourceFound::Data(data)) => ConfigSource::Found(data.clone().into()),
            },
            stateful_sets: self
                .stateful_sets
                .iter()
                .map(|(name, set)| (name.clone(), stateful_set(set, current.get(name))))
                .collect(),
            pods: self.pods.iter().map(|(name, found)| (name.clone(), pod(found))).collect(),
            zones: zones(&self.zones),
            placement: self.placement.as_deref().map_or(Placement::NotAsked, placement),
            mirrors: self.mirrors.iter().map(|(shard, answers)| (*shard, self.finding(answers))).collect(),
            existing: self.existing.iter().map(child).collect(),
            terminating: self.terminating.clone(),
            claims: self.claims.as_ref().map_or(Claims::Unknown, |claims| {
                Claims::Known(
                    claims.iter().map(|(name, claim)| (name.clone(), observed(name, claim))).collect(),
                )
            }),
        }
    }

    fn finding(&self, answers: &Answers) -> Finding {
        let uid = |pod: &String| self.pods.get(pod).map(|pod| pod.uid.clone()).unwrap_or_default();
        let Answers { primary, not_primary, silent, forbidden } = answers;
        let said = [
            (primary, Answer::Primary),
            (not_primary, Answer::NotPrimary),
            (silent, Answer::Silent),
            (forbidden, Answer::Forbidden),
        ];
        let asked = said.into_iter().flat_map(|(pods, answer)| {
            pods.iter().map(move |pod| (pod.clone(), Asked { uid: uid(pod), answer }))
        });
        Finding::of(&asked.collect())
    }

    pub(crate) fn deployments(&self, current: &str) -> BTreeMap<String, ObservedDeployment> {
        self.deployments
            .iter()
            .map(|(name, found)| {
                let deployment = ObservedDeployment {
                    uid: found.uid.clone(),
                    generation: found.generation,
                    observed_generation: found.observed_generation,
                    replicas: found.replicas,
                    current_replicas: found.current_replicas,
                    ready_replicas: found.ready_replicas,
                    updated_replicas: found.updated_replicas,
                    plan_hash: plan_hash(found, Some(&current.to_owned())),
                };
                (name.clone(), deployment)
            })
            .collect()
    }
}

fn stateful_set(found: &Controller, current: Option<&String>) -> ObservedStatefulSet {
    ObservedStatefulSet {
        uid: found.uid.clone(),
        generation: found.generation,
        observed_generation: found.observed_generation,
        replicas: found.replicas,
        current_replicas: found.current_replicas,
        ready_replicas: found.ready_replicas,
        updated_replicas: found.updated_replicas,
        current_revision: found.current_revision.clone(),
        update_revision: found.update_revision.clone(),
        partition: found.partition,
        plan_hash: plan_hash(found, current),
        adopted_template: None,
        fixed: found.fixed.as_ref().map(fixed).unwrap_or_default(),
        deletes_volumes: false,
    }
}

fn observed(name: &str, claim: &Claim) -> ObservedClaim {
    let Claim { phase, requested, capacity, condition, deleting, refusal } = claim;
    let condition =
        condition.as_ref().map(|kind| json!([{"type": kind, "status": "True", "message": "no room"}]));
    let object: PersistentVolumeClaim = serde_json::from_value(json!({
        "metadata": {
            "uid": format!("uid-of-{name}"),
            "resourceVersion": "1",
            "deletionTimestamp": deleting.then_some("2026-11-20T09:00:00Z"),
        },
        "spec": { "resources": { "requests": { "storage": requested } } },
        "status": { "phase": phase, "capacity": capacity.as_ref().map(|size| json!({ "storage": size })), "conditions": condition },
    }))
    .unwrap();
    let refusal = refusal
        .as_ref()
        .map(|refusal| GrowthRefusal { to: Quantity(refusal.to.clone()), words: refusal.words.clone() });
    ObservedClaim { refusal, ..ObservedClaim::from(&object) }
}

fn fixed(set: &Value) -> FixedFields {
    FixedFields::of(&serde_json::from_value::<StatefulSet>(set.clone()).unwrap())
}

fn plan_hash(found: &Controller, current: Option<&String>) -> Option<String> {
    match found.plan_hash.as_deref() {
        Some(CURRENT) => current.cloned(),
        other => other.map(ToOwned::to_owned),
    }
}

fn pod(found: &Pod) -> ObservedPod {
    let Pod {
        node,
        ready,
        phase,
        uid,
        resource_version,
        mirror_role,
        revision,
        orphaned,
        unmarked,
        controller,
    } = found;
    ObservedPod {
        node: node.clone(),
        state: match phase.as_deref() {
            _ if *ready => PodState::Ready,
            Some("Pending") => PodState::Pending,
            _ => PodState::Unready,
        },
        uid: uid.clone(),
        resource_version: resource_version.clone(),
        mirror_role: mirror_role.clone(),
        revision: revision.clone(),
        orphaned: *orphaned,
        controller: controller.clone(),
        marked: !unmarked,
    }
}

fn zones(found: &ZonesFound) -> NodeZones {
    match found {
        ZonesFound::Known(zones) => NodeZones::Known(zones.clone()),
        ZonesFound::Why(why) => NodeZones::Unread(match why.as_str() {
            "forbidden" => Unread::Forbidden,
            "restricted" => Unread::Restricted,
            "failed" => Unread::Failed("ServerError"),
            other => panic!("zones: {other}"),
        }),
    }
}

fn placement(found: &str) -> Placement {
    Placement::Missing(match found {
        "inPlace" => return Placement::InPlace,
        "unserved" => NoPlacement::Unserved,
        "forbidden" => NoPlacement::Forbidden,
        "restricted" => NoPlacement::Restricted,
        "foreign" => NoPlacement::Foreign,
        "otherHub" => NoPlacement::OtherHub("another".to_owned()),
        "failed" => NoPlacement::Failed("ServerError"),
        other => panic!("placement: {other}"),
    })
}

fn child(child: &Child) -> ObservedChild {
    let kind = [ChildKind::StatefulSet, ChildKind::Service, ChildKind::ConfigMap]
        .into_iter()
        .find(|kind| kind.as_str() == child.kind)
        .unwrap_or_else(|| panic!("kind {}", child.kind));
    ObservedChild { kind, name: child.name.clone(), uid: child.uid.clone() }
}
