//! Cases of rules that compare an object with what it was. It must not check them: `rules` does.

use serde_json::{Value, json};

use super::fixture::{VOLUMES, at, merged, minimal, with_group};
use super::rules::{Case, Offer};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = vec![cluster_storage_class(None), cluster_storage_class(Some("fast"))];
    cases.extend([mirrored(false), mirrored(true), shards(), shards_appear()]);
    cases.extend([mirror_map_appears(), mirror_map_disappears(), mirror_map_changes()]);
    for (group, volumes) in VOLUMES {
        for volume in volumes.iter().filter(|volume| **volume != LEGACY) {
            let legacy = (*volume == "storageDB" && volumes.contains(&LEGACY)).then_some(LEGACY);
            cases.push(size(group, volume, volume));
            cases.push(default_size(group, volume));
            cases.push(storage_class(group, volume, volume));
            cases.push(storage_class_appears(group, volume));
            if let Some(legacy) = legacy {
                cases.push(size(group, volume, legacy));
                cases.push(storage_class(group, volume, legacy));
            }
        }
    }
    cases
}

/// The old name of `storageDB`.
const LEGACY: &str = "storage";

fn case(path: &str, text: &str, old: Value, refused: Vec<Value>, accepted: Vec<Value>) -> Case {
    Case {
        kind: "IrisCluster",
        path: path.to_owned(),
        text: text.to_owned(),
        offer: Offer::Changes { old, refused, accepted },
    }
}

fn data(fields: Value) -> Value {
    merged(&minimal("IrisCluster"), &at("topology.data", fields))
}

fn cluster_storage_class(old: Option<&str>) -> Case {
    let class = |class: Option<&str>| merged(&minimal("IrisCluster"), &json!({"storageClassName": class}));
    let refused = [None, Some("fast"), Some("slow"), Some("")].into_iter().filter(|new| *new != old);
    let text = "storageClassName cannot change";
    case("spec", text, class(old), refused.map(class).collect(), vec![class(old)])
}

fn mirrored(old: bool) -> Case {
    let mirrored = |mirrored: Value| data(json!({"mirrored": mirrored}));
    let absent = [mirrored(Value::Null), minimal("IrisCluster")];
    let (mut refused, mut accepted) = (vec![mirrored(json!(!old))], vec![mirrored(json!(old))]);
    if old { &mut refused } else { &mut accepted }.extend(absent);
    case("spec.topology.data", "mirrored cannot change", mirrored(json!(old)), refused, accepted)
}

fn shards() -> Case {
    let shards = |shards: Value| data(json!({"shards": shards}));
    let refused = vec![shards(json!(1)), shards(Value::Null), minimal("IrisCluster")];
    let accepted = vec![shards(json!(2)), shards(json!(3))];
    case("spec.topology.data", "shards cannot shrink", shards(json!(2)), refused, accepted)
}

fn shards_appear() -> Case {
    let shards = |shards: Value| data(json!({"shards": shards}));
    let refused = vec![shards(json!(1)), shards(json!(2))];
    let message = "shards can neither be set nor removed later";
    case("spec.topology.data", message, shards(Value::Null), refused, vec![minimal("IrisCluster")])
}

fn mirror(map: &str) -> Value {
    data(json!({"mirrored": true, "mirrorMap": map}))
}

fn mirror_map_appears() -> Case {
    let refused = vec![mirror("primary,drasync"), mirror("primary, drasync,backup")];
    let accepted = vec![mirror("primary"), mirror("primary, backup"), mirror("primary,backup,drasync")];
    let text = "without mirrorMap the roles are primary,backup";
    case("spec.topology.data", text, data(json!({"mirrored": true})), refused, accepted)
}

fn mirror_map_disappears() -> Case {
    let mirror_without_map = data(json!({"mirrored": true}));
    let text = "without mirrorMap the roles are primary,backup";
    case("spec.topology.data", text, mirror("primary,drasync"), vec![mirror_without_map], vec![])
}

fn mirror_map_changes() -> Case {
    let refused =
        vec![mirror("primary, drasync,backup"), mirror("primary,drasync"), mirror("primary,backup,rorasync")];
    let accepted = vec![
        mirror("primary,backup"),
        mirror("primary, backup,drasync,rwrasync"),
        data(json!({"mirrored": true})),
    ];
    let text = "add or remove roles at its end only";
    case("spec.topology.data.mirrorMap", text, mirror("primary,backup,drasync"), refused, accepted)
}

fn volume(group: &str, fields: Value) -> Value {
    merged(&with_group(group), &at(group, fields))
}

fn sized(size: &Value) -> Value {
    json!({"resources": {"requests": {"storage": size}}})
}

/// `old` is the name under which the object has the volume, `name` the one that the rule speaks of.
fn size(group: &str, name: &str, old: &str) -> Case {
    let spec = |name: &str, size: Value| volume(group, json!({ name: sized(&size) }));
    let mut refused = vec![
        spec(name, json!("9Gi")),
        spec(name, json!("10G")),
        spec(name, json!(10_737_418_239_u64)),
        // Without a size it is 2Gi.
        with_group(group),
        volume(group, json!({ name: {} })),
        volume(group, json!({ name: {"resources": null} })),
    ];
    let mut accepted = vec![
        spec(name, json!("10Gi")),
        spec(name, json!("10240Mi")),
        spec(name, json!(10_737_418_240_u64)),
        spec(name, json!("1Ti")),
    ];
    if old == LEGACY {
        refused.push(spec(old, json!("9Gi")));
        accepted.push(spec(old, json!("11Gi")));
    }
    if group != "topology.data" {
        // The claims stay, but nothing uses them any more.
        accepted.push(volume(group, json!({"ephemeral": true})));
    }
    let text = format!("the size of {name} cannot shrink");
    case(&format!("spec.{group}"), &text, spec(old, json!("10Gi")), refused, accepted)
}

fn default_size(group: &str, name: &str) -> Case {
    let spec = |size: Value| volume(group, json!({ name: sized(&size) }));
    let refused = vec![spec(json!("1Gi")), spec(json!("2G")), spec(json!(1))];
    let accepted = vec![spec(json!("2Gi")), spec(json!("3Gi")), volume(group, json!({ name: {} }))];
    let text = format!("the size of {name} cannot shrink");
    case(&format!("spec.{group}"), &text, with_group(group), refused, accepted)
}

fn storage_class(group: &str, name: &str, old: &str) -> Case {
    let spec = |name: &str, class: Value| volume(group, json!({ name: {"storageClassName": class} }));
    let mut refused =
        vec![spec(name, json!("slow")), spec(name, Value::Null), spec(name, json!("")), with_group(group)];
    let mut accepted = vec![spec(name, json!("fast"))];
    if old == LEGACY {
        refused.push(spec(old, json!("slow")));
        accepted.push(spec(old, json!("fast")));
    }
    if group != "topology.data" {
        accepted.push(volume(group, json!({"ephemeral": true})));
    }
    let text = format!("storageClassName of {name} cannot change");
    case(&format!("spec.{group}"), &text, spec(old, json!("fast")), refused, accepted)
}

fn storage_class_appears(group: &str, name: &str) -> Case {
    let spec = |class: Value| volume(group, json!({ name: {"storageClassName": class} }));
    let text = format!("storageClassName of {name} cannot change");
    let refused = vec![spec(json!("fast")), spec(json!(""))];
    case(&format!("spec.{group}"), &text, with_group(group), refused, vec![spec(Value::Null)])
}
