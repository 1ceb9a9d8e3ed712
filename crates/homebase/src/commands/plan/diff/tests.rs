//! What a difference comes to, in words. What an apiserver makes of it is tested end to end.

use serde_json::{Value, json};

use super::compare::Change;
use super::desired::Desired;
use super::{Action, Difference, Differences, Surplus};

fn set(image: &str, strategy: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "iris-data", "namespace": "n"},
        "spec": {"replicas": 3, "updateStrategy": {"type": strategy},
            "template": {"spec": {"containers": [{"name": "iriscluster", "image": image}]}}}})
}

fn difference(before: Value, after: Value, recreate: bool) -> Difference {
    let change = Change { before, after: after.clone(), recreate, exact: true, foreign: false };
    Difference::new(&Desired(after), change, &mut Vec::new())
}

#[test]
fn a_changed_template_restarts_pods_and_scaling_does_not() {
    let found = difference(set("1", "RollingUpdate"), set("2", "RollingUpdate"), false);
    assert_eq!(found.action, Action::Change);
    assert_eq!(
        found.effect(),
        "spec.template.spec.containers[iriscluster].image; iris-data-{0..2} would restart"
    );
    let by_hand = difference(set("1", "OnDelete"), set("2", "OnDelete"), false);
    assert!(by_hand.effect().contains("when somebody deletes them"), "{}", by_hand.effect());
    let mut driven = set("2", "OnDelete");
    driven["metadata"]["annotations"] = json!({"homebase.dev/update-order": "PrimaryLast"});
    let by_hub = difference(set("1", "RollingUpdate"), driven, false);
    assert!(by_hub.effect().contains("the hub restarts them, the primary last"), "{}", by_hub.effect());
    assert!(!by_hub.effect().contains("somebody"), "{}", by_hub.effect());
    let mut scaled = set("1", "RollingUpdate");
    scaled["spec"]["replicas"] = json!(5);
    assert_eq!(difference(set("1", "RollingUpdate"), scaled, false).effect(), "spec.replicas");
}

#[test]
fn what_is_new_what_goes_and_what_must_be_made_anew_is_told() {
    let created = difference(Value::Null, set("1", "RollingUpdate"), false);
    assert_eq!((created.action, created.effect().as_str()), (Action::Create, ""));
    let anew = difference(set("1", "RollingUpdate"), set("2", "RollingUpdate"), true);
    assert!(anew.effect().contains("cannot be changed in place"), "{}", anew.effect());
    let surplus = Surplus {
        kind: "Service".to_owned(),
        namespace: "n".to_owned(),
        name: "s".to_owned(),
        before: json!({"kind": "Service", "metadata": {"uid": "u"}}),
    };
    let removed = Difference::of_surplus(surplus);
    assert_eq!(removed.action, Action::Remove);
    assert!(removed.text.contains("-kind: Service") && !removed.text.contains("uid"), "{}", removed.text);
    let all = Differences { differences: vec![created, anew, removed], notes: Vec::new() };
    let table = all.table().render(false);
    let actions: Vec<_> = table.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(actions, ["ACTION", "create", "recreate", "remove"]);
}
