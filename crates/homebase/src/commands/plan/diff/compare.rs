//! Compares an object that is there with what an apply would make of it: by a dry run of the very request that the hub
//! would send, or where that is not possible field by field.

use anyhow::{Context as _, bail};
use homebase_api::annotations;
use homebase_kube::{Category, categorize};
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
    let manager = manager_of(&there);
    let there = serde_json::to_value(there).with_context(place)?;
    let wanted = marked(&desired.0, &there);
    let foreign = is_foreign(&desired.0, &there);
    let params = PatchParams::apply(&manager).force().dry_run();
    let change = match api.patch(&name, &params, &Patch::Apply(&wanted)).await {
        Ok(after) => {
            let after = bare(serde_json::to_value(after).with_context(place)?);
            Change { before: bare(there), after, recreate: false, exact: true, foreign }
        }
        Err(error) => match categorize(&error) {
            Category::Forbidden => Change { foreign, ..overlay(there, &wanted, false) },
            // The fields that are refused are all that an apiserver refuses to change of what the hub makes.
            Category::Invalid if kind == "StatefulSet" => Change { foreign, ..overlay(there, &wanted, true) },
            _ => bail!("ask what would become of {}: {}", place(), words(&error)),
        },
    };
    Ok((change.before != change.after).then_some(change))
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

fn overlay(there: Value, wanted: &Value, recreate: bool) -> Change {
    let mut after = there.clone();
    lay_over(&mut after, wanted);
    Change { before: bare(there), after: bare(after), recreate, exact: false, foreign: false }
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

    use super::{bare, lay_over};

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
