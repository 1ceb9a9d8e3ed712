//! Compares an object that is there with what an apply would make of it: by a dry run of the very request that the hub
//! would send, or where that is not possible field by field.

use anyhow::{Context as _, bail};
use homebase_api::annotations;
use homebase_iris::cluster::{self, without_marks};
use homebase_kube::apply::is_immutable;
use homebase_kube::{Category, categorize};
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::{Api, Client};
use serde::Serialize;
use serde_json::{Map, Value};

use super::desired::Desired;
use crate::commands::attest::words;

/// Who asks when no hub has written the object yet.
const MANAGER: &str = "homebase-plan";
/// How the field managers of hubs begin.
const HUB_MANAGERS: &str = "homebase-";
/// What an apiserver writes about an object, and nobody asks for.
const BOOKKEEPING: [&str; 6] =
    ["managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink"];

/// One field.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct FieldChange {
    /// Its path; members of lists by their name where they have one.
    pub(super) path: String,
    /// What it is.
    pub(super) before: Value,
    /// What it would be.
    pub(super) after: Value,
}

/// An object as it is and as it would be, without what only the apiserver writes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Change {
    /// Null: there is none.
    pub(super) before: Value,
    pub(super) after: Value,
    /// Whether the apiserver refuses the change of a field that cannot change.
    pub(super) recreate: bool,
    /// Whether the apiserver itself said what it would make of it.
    pub(super) exact: bool,
    /// Whether what is there belongs to another resource, or to none.
    pub(super) foreign: bool,
}

/// What an apply would change; none when nothing.
pub(super) async fn change_of(client: &Client, desired: &Desired) -> anyhow::Result<Option<Change>> {
    let (kind, namespace, name) = desired.key();
    let group = if matches!(kind.as_str(), "StatefulSet" | "Deployment") { "apps" } else { "" };
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1", &kind));
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &namespace, &resource);
    let place = || format!("{kind} {namespace}/{name}");
    let there = match api.get_opt(&name).await {
        Ok(there) => there,
        Err(error) => bail!("read {}: {}", place(), words(&error)),
    };
    let Some(there) = there else {
        let after = bare(desired.0.clone());
        return Ok(Some(Change { before: Value::Null, after, recreate: false, exact: true, foreign: false }));
    };
    let dry = DryRun { manager: manager_of(&there), api, is_set: kind == "StatefulSet", place: place() };
    let there = serde_json::to_value(there).with_context(place)?;
    let wanted = marked(&desired.0, &there);
    let foreign = is_foreign(&desired.0, &there);
    // An owner that is not on the cluster yet has no UID, and an apiserver takes no such owner.
    let is_askable = !foreign || has_owners(&desired.0);
    let mut change = None;
    if let Some(unmarked) = unmarked(&kind, &wanted, &there) {
        let taken_over = dry.ask(&there, &unmarked, is_askable).await?;
        change = keeps_pods(&taken_over).then_some(taken_over);
    }
    let change = match change {
        Some(change) => change,
        None => dry.ask(&there, &wanted, is_askable).await?,
    };
    let change = Change { foreign, ..change };
    Ok((change.before != change.after).then_some(change))
}

/// Asks what would become of an object.
struct DryRun {
    api: Api<DynamicObject>,
    manager: String,
    /// Whether it is a StatefulSet: of nothing else does the hub make another one.
    is_set: bool,
    place: String,
}

impl DryRun {
    async fn ask(&self, there: &Value, wanted: &Value, is_askable: bool) -> anyhow::Result<Change> {
        if !is_askable {
            return Ok(overlay(there, wanted, false));
        }
        let params = PatchParams::apply(&self.manager).force().dry_run();
        let name = wanted.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
        match self.api.patch(name, &params, &Patch::Apply(wanted)).await {
            Ok(after) => {
                let after = bare(serde_json::to_value(after).with_context(|| self.place.clone())?);
                let before = bare(there.clone());
                Ok(Change { before, after, recreate: false, exact: true, foreign: false })
            }
            Err(error) if categorize(&error) == Category::Forbidden => Ok(overlay(there, wanted, false)),
            Err(error) if self.is_set && is_immutable(&error) => Ok(overlay(there, wanted, true)),
            Err(error) => bail!("ask what would become of {}: {}", self.place, words(&error)),
        }
    }
}

/// What the hub tries first of a StatefulSet that another operator made: as planned, but for the marks that only pods of
/// the hub have.
fn unmarked(kind: &str, wanted: &Value, there: &Value) -> Option<Value> {
    let of_hub =
        there.pointer("/metadata/annotations").and_then(|all| all.get(annotations::HUB_ID)).is_some();
    if kind != "StatefulSet" || of_hub {
        return None;
    }
    let set: StatefulSet = serde_json::from_value(wanted.clone()).ok()?;
    serde_json::to_value(without_marks(&set)).ok()
}

/// Whether a StatefulSet would be taken over with its pods as they are.
fn keeps_pods(change: &Change) -> bool {
    let set = |value: &Value| serde_json::from_value::<StatefulSet>(value.clone()).ok();
    set(&change.before)
        .zip(set(&change.after))
        .is_some_and(|(found, becomes)| cluster::keeps_pods(&found, &becomes))
}

/// Whether all owners that are wanted are known.
fn has_owners(desired: &Value) -> bool {
    let all = desired.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    all.into_iter().flatten().all(|owner| owner["uid"].as_str().is_some_and(|uid| !uid.is_empty()))
}

/// Whether what is there has none of the owners that are wanted; what is shared has none.
fn is_foreign(desired: &Value, there: &Value) -> bool {
    let owners = |object: &Value| {
        let all = object.pointer("/metadata/ownerReferences").and_then(Value::as_array);
        all.into_iter().flatten().map(|owner| owner["uid"].clone()).collect::<Vec<_>>()
    };
    let (wanted, found) = (owners(desired), owners(there));
    !wanted.is_empty() && !wanted.iter().any(|owner| found.contains(owner))
}

/// Whoever wrote the object as a whole: only in its name does a field that is left out go.
fn manager_of(there: &DynamicObject) -> String {
    let managers = there.metadata.managed_fields.iter().flatten();
    let of_hub =
        managers.filter(|entry| entry.operation.as_deref() == Some("Apply") && entry.subresource.is_none());
    let names = of_hub.filter_map(|entry| entry.manager.as_deref());
    names.into_iter().find(|name| name.starts_with(HUB_MANAGERS)).unwrap_or(MANAGER).to_owned()
}

/// With the mark of the hub that wrote it, which is set beside the plan.
fn marked(desired: &Value, there: &Value) -> Value {
    let mut wanted = desired.clone();
    let mark = there.pointer("/metadata/annotations").and_then(|all| all.get(annotations::HUB_ID));
    if let (Some(mark), Some(metadata)) =
        (mark, wanted.pointer_mut("/metadata").and_then(Value::as_object_mut))
    {
        let all = metadata.entry("annotations").or_insert_with(|| Value::Object(Map::new()));
        if let Some(all) = all.as_object_mut() {
            all.insert(annotations::HUB_ID.to_owned(), mark.clone());
        }
    }
    wanted
}

fn overlay(there: &Value, wanted: &Value, recreate: bool) -> Change {
    let mut after = there.clone();
    lay_over(&mut after, wanted);
    Change { before: bare(there.clone()), after: bare(after), recreate, exact: false, foreign: false }
}

/// Sets what is wanted and leaves the rest: defaults, and what others have set.
fn lay_over(there: &mut Value, wanted: &Value) {
    match (there, wanted) {
        (Value::Object(there), Value::Object(wanted)) => {
            for (key, value) in wanted {
                lay_over(there.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (Value::Array(there), Value::Array(wanted))
            if there.len() == wanted.len() && wanted.iter().all(Value::is_object) =>
        {
            there.iter_mut().zip(wanted).for_each(|(there, wanted)| lay_over(there, wanted));
        }
        (there, wanted) => *there = wanted.clone(),
    }
}

/// Without what only the apiserver writes.
pub(super) fn bare(mut object: Value) -> Value {
    if let Some(object) = object.as_object_mut() {
        object.remove("status");
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.retain(|key, _| !BOOKKEEPING.contains(&key.as_str()));
        }
    }
    object
}

#[cfg(test)]
mod tests {
    //! The comparison without an apiserver.

    use serde_json::json;

    use super::{bare, has_owners, keeps_pods, lay_over, overlay, unmarked};

    fn set(marked: bool, image: &str) -> serde_json::Value {
        let mut set = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "a", "namespace": "b"},
            "spec": {"selector": {}, "serviceName": "s", "template": {"metadata": {"labels": {"c": "d"}},
                "spec": {"containers": [{"name": "iriscluster", "image": image}]}}}});
        if marked {
            let labels = &mut set["spec"]["template"]["metadata"]["labels"];
            labels["app.kubernetes.io/managed-by"] = json!("homebase");
        }
        set
    }

    #[test]
    fn what_another_operator_made_is_compared_as_it_would_be_taken_over() {
        let there = set(false, "1");
        let same = unmarked("StatefulSet", &set(true, "1"), &there).unwrap();
        assert!(keeps_pods(&overlay(&there, &same, false)));
        assert!(!keeps_pods(&overlay(&there, &set(true, "1"), false)));
        let newer = unmarked("StatefulSet", &set(true, "2"), &there).unwrap();
        assert!(!keeps_pods(&overlay(&there, &newer, false)));
        // One that a hub made has the marks, or not, as it was made.
        let mut ours = there;
        ours["metadata"]["annotations"] = json!({"homebase.dev/hub-id": "hub"});
        assert_eq!(unmarked("StatefulSet", &set(true, "1"), &ours), None);
    }

    #[test]
    fn an_owner_without_uid_is_none_to_ask_for() {
        assert!(!has_owners(&json!({"metadata": {"ownerReferences": [{"uid": ""}]}})));
        assert!(has_owners(&json!({"metadata": {"ownerReferences": [{"uid": "u"}]}})));
        assert!(has_owners(&json!({"metadata": {}})));
    }

    #[test]
    fn what_is_wanted_is_set_and_the_rest_stays() {
        let mut there = json!({"spec": {"ports": [{"name": "a", "port": 1, "protocol": "TCP"}], "clusterIP": "10.0.0.1"}});
        lay_over(&mut there, &json!({"spec": {"ports": [{"name": "a", "port": 2}], "type": "ClusterIP"}}));
        let wanted = json!({"spec": {"ports": [{"name": "a", "port": 2, "protocol": "TCP"}], "clusterIP": "10.0.0.1",
            "type": "ClusterIP"}});
        assert_eq!(there, wanted);
        lay_over(&mut there, &json!({"spec": {"ports": [{"port": 3}, {"port": 4}]}}));
        assert_eq!(there["spec"]["ports"], json!([{"port": 3}, {"port": 4}]));
    }

    #[test]
    fn bookkeeping_is_no_difference() {
        let object = json!({"metadata": {"name": "a", "uid": "u", "resourceVersion": "7", "labels": {"b": "c"}},
            "status": {"replicas": 1}});
        assert_eq!(bare(object), json!({"metadata": {"name": "a", "labels": {"b": "c"}}}));
    }
}
