//! Which pods a change would restart. It must not promise that none is: others may do so.

use homebase_api::annotations;
use serde_json::Value;

use super::compare::FieldChange;

/// The pods, in words; none when the template of the pods stays.
pub(super) fn of(before: &Value, after: &Value, fields: &[FieldChange]) -> Option<String> {
    let is_of_template = |field: &FieldChange| field.path.starts_with("spec.template");
    if before.is_null() || !fields.iter().any(is_of_template) {
        return None;
    }
    let text = |pointer: &str| after.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let count = before.pointer("/spec/replicas").and_then(Value::as_u64).unwrap_or(1);
    let name = text("/metadata/name");
    if text("/kind") == "Deployment" {
        return Some(format!("{count} pods would be replaced"));
    }
    let pods = match count {
        0 => return Some("there are no pods to restart".to_owned()),
        1 => format!("{name}-0"),
        count => format!("{name}-{{0..{}}}", count - 1),
    };
    let order = after.pointer("/metadata/annotations").and_then(|all| all.get(annotations::UPDATE_ORDER));
    if order.and_then(Value::as_str) == Some(annotations::PRIMARY_LAST) {
        return Some(format!("{pods} would restart: the hub restarts them, the primary last"));
    }
    Some(if text("/spec/updateStrategy/type") == "OnDelete" {
        format!("{pods} would restart when somebody deletes them (OnDelete)")
    } else {
        format!("{pods} would restart")
    })
}
