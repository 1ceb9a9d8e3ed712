//! Which fields differ between two objects, by their paths. It knows no kind.

use serde_json::Value;

use super::compare::FieldChange;

/// The differences in the order of the paths.
pub(super) fn changes(before: &Value, after: &Value) -> Vec<FieldChange> {
    let mut all = Vec::new();
    compare("", before, after, &mut all);
    all
}

fn compare(path: &str, before: &Value, after: &Value, all: &mut Vec<FieldChange>) {
    match (before, after) {
        (Value::Object(one), Value::Object(other)) => {
            let added = other.keys().filter(|key| !one.contains_key(*key));
            for key in one.keys().chain(added) {
                let below = join(path, key);
                let (one, other) =
                    (one.get(key).unwrap_or(&Value::Null), other.get(key).unwrap_or(&Value::Null));
                compare(&below, one, other, all);
            }
        }
        (Value::Array(one), Value::Array(other)) if is_named(one) && is_named(other) => {
            let added = other.iter().filter(|item| find(one, name(item)).is_none());
            for item in one.iter().chain(added) {
                let below = format!("{path}[{}]", name(item));
                let (one, other) = (find(one, name(item)), find(other, name(item)));
                compare(&below, one.unwrap_or(&Value::Null), other.unwrap_or(&Value::Null), all);
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (index, (one, other)) in one.iter().zip(other).enumerate() {
                compare(&format!("{path}[{index}]"), one, other, all);
            }
        }
        (before, after) if before == after => {}
        (before, after) => {
            all.push(FieldChange { path: path.to_owned(), before: before.clone(), after: after.clone() });
        }
    }
}

/// Keys with dots, such as annotations, in brackets.
fn join(path: &str, key: &str) -> String {
    if key.contains(['.', '/']) {
        format!("{path}[{key}]")
    } else if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

fn name(item: &Value) -> &str {
    let of_claim = item.pointer("/metadata/name");
    item.get("name").or(of_claim).and_then(Value::as_str).unwrap_or_default()
}

/// Whether each member of a list has a name of its own.
fn is_named(list: &[Value]) -> bool {
    let is_first = |(index, item): (usize, &Value)| {
        !name(item).is_empty() && list[..index].iter().all(|before| name(before) != name(item))
    };
    !list.is_empty() && list.iter().enumerate().all(is_first)
}

fn find<'a>(list: &'a [Value], wanted: &str) -> Option<&'a Value> {
    list.iter().find(|item| name(item) == wanted)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::changes;

    fn paths(before: &Value, after: &Value) -> Vec<String> {
        changes(before, after).into_iter().map(|change| change.path).collect()
    }

    #[test]
    fn members_of_lists_are_known_by_name() {
        let before =
            json!({"spec": {"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]}});
        let after =
            json!({"spec": {"containers": [{"name": "b", "image": "2"}, {"name": "a", "image": "1"}]}});
        assert_eq!(paths(&before, &after), ["spec.containers[b].image"]);
    }

    #[test]
    fn what_is_added_and_removed_is_told_once() {
        let before = json!({"metadata": {"annotations": {"a.b/c": "1"}}, "args": ["x"], "gone": 1});
        let after = json!({"metadata": {"annotations": {"a.b/c": "2"}}, "args": ["x", "y"], "new": {"a": 1}});
        let found = paths(&before, &after);
        assert_eq!(found, ["args", "gone", "metadata.annotations[a.b/c]", "new"]);
        assert!(paths(&before, &before).is_empty());
        assert_eq!(paths(&Value::Null, &json!({"kind": "Service"})), [""]);
    }
}
