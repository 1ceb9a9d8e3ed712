//! Specs that cannot be built: said by field, with nothing made of them and nothing taken away.

use serde_json::{Value, json};

use super::fixture::{CLUSTER, Case, condition, single, text, with_compute};

/// What an apiserver lets pass and the hub does not: the field that is told, the word about it, and a change of the
/// spec.
fn refused() -> Vec<(&'static str, &'static str, Value)> {
    let data = |fields: Value| json!({"topology": {"data": fields}});
    let there = json!([{"name": "A", "directory": "/a"}, {"name": "B", "directory": "/a/"}]);
    let sources = json!({"secret": {"secretName": "a"}, "configMap": {"name": "b"}});
    vec![
        (
            "spec.tls.common",
            "names several sources of a volume: keep one",
            json!({"tls": {"common": sources}}),
        ),
        (
            "spec.topology.data.irisDatabases[1].directory",
            "another database is there: give each a directory of its own",
            data(json!({"irisDatabases": there})),
        ),
        (
            "spec.topology.data.volumeMounts[0].name",
            "no such volume: add it to spec.volumes or spec.volumeClaimTemplates",
            data(json!({"volumeMounts": [{"name": "a", "mountPath": "/a"}]})),
        ),
        (
            "spec.topology.data.podTemplate.spec.tolerations[0].key",
            "the value does not fit the type Toleration",
            data(json!({"podTemplate": {"spec": {"tolerations": [{"key": 1}]}}})),
        ),
    ]
}

/// `cluster` with fields of this spec.
fn with(mut cluster: Value, spec: &Value) -> Value {
    fn merge(into: &mut Value, from: &Value) {
        match from {
            Value::Object(fields) => fields.iter().for_each(|(key, value)| merge(&mut into[key], value)),
            other => into.clone_from(other),
        }
    }
    merge(&mut cluster["spec"], spec);
    cluster
}

#[tokio::test]
async fn each_part_that_cannot_be_built_is_refused_by_name() {
    let case = Case::begin("unbuildable").await;
    let cases: Vec<_> = refused()
        .into_iter()
        .enumerate()
        .map(|(index, (field, word, spec))| {
            (format!("case-{index}"), format!("{field}: {word}"), with(single(), &spec))
        })
        .collect();
    for (name, _, cluster) in &cases {
        case.apply(CLUSTER, name, cluster).await;
    }
    for (name, wanted, _) in &cases {
        let told = case.until_condition(CLUSTER, name, ("SpecAccepted", "False")).await;
        assert_eq!(text(&condition(&told, "SpecAccepted"), "/message"), *wanted);
        assert_eq!(condition(&told, "SpecAccepted")["reason"], "Refused");
        assert_eq!(condition(&told, "Stalled")["reason"], "SpecRefused");
        assert_eq!(condition(&told, "Ready")["status"], "False");
        assert_eq!(told["status"]["phase"], "Stalled");
        assert_eq!(told["status"]["observedGeneration"], told["metadata"]["generation"]);
        case.until_event(name, &format!("Warning Refused {wanted}")).await;
    }
    let writes = case.hub_writes();
    let is_status = |write: &homebase_testkit::AuditEvent| {
        write.resource == "irisclusters" && write.subresource.as_deref() == Some("status")
    };
    assert!(writes.iter().all(is_status), "{writes:?}");
    for kind in ["StatefulSet", "Service", "Pod"] {
        assert!(case.names(kind, "").await.is_empty());
    }
    case.assert_quiet().await;

    // A spec without the field is built.
    case.apply(CLUSTER, "case-0", &single()).await;
    let ready = case.until_ready(CLUSTER, "case-0").await;
    assert_eq!(condition(&ready, "SpecAccepted")["status"], "True");
    assert_eq!(condition(&ready, "Stalled")["status"], "False");
    case.end().await;
}

#[tokio::test]
async fn what_runs_keeps_running_while_a_new_spec_is_refused() {
    let case = Case::begin("refused-change").await;
    case.apply(CLUSTER, "iris", &with_compute(single(), 2)).await;
    case.until_ready(CLUSTER, "iris").await;
    let versions = async || {
        let mut found = Vec::new();
        for kind in ["StatefulSet", "Service", "ConfigMap", "Pod"] {
            let objects = case.list(kind, "").await;
            found.extend(objects.iter().map(|one| one["metadata"]["resourceVersion"].to_string()));
        }
        found
    };
    let before = versions().await;

    // Two faults at once, and a change that could be made: none of it is.
    let faults = refused();
    let wrong = with(with(with_compute(single(), 5), &faults[0].2), &faults[1].2);
    case.apply(CLUSTER, "iris", &wrong).await;
    let told = case.until_condition(CLUSTER, "iris", ("SpecAccepted", "False")).await;
    let message = text(&condition(&told, "SpecAccepted"), "/message");
    assert!(faults[..2].iter().all(|(field, ..)| message.contains(&format!("{field}: "))), "{message}");
    assert_eq!(text(&told, "/status/nodes/compute/pods"), "2/2", "what is known stays");
    case.assert_quiet().await;
    assert_eq!(versions().await, before);

    // What ran is still looked after by its controllers, and a spec that can be built is built.
    case.apply(CLUSTER, "iris", &with_compute(single(), 3)).await;
    let ready = case.until_ready(CLUSTER, "iris").await;
    assert_eq!(text(&ready, "/status/nodes/compute/pods"), "3/3");
    let refusals = case.events("iris").await;
    let refusals = refusals.iter().filter(|event| event.starts_with("Warning Refused")).count();
    assert_eq!(refusals, 1);
    case.end().await;
}

#[tokio::test]
async fn a_quota_is_named_as_such_and_tried_again() {
    let case = Case::begin("quota").await;
    case.apply("ResourceQuota", "sets", &json!({"spec": {"hard": {"count/statefulsets.apps": "0"}}})).await;
    case.until("ResourceQuota", "sets", |quota| {
        if quota["status"]["used"].is_null() { Err(quota["status"].to_string()) } else { Ok(()) }
    })
    .await;
    case.apply(CLUSTER, "iris", &single()).await;
    let found = case
        .until(CLUSTER, "iris", |object| {
            let reconciling = condition(object, "Reconciling");
            let is_told = text(&reconciling, "/message").contains("exceeded quota: sets");
            if is_told { Ok(object.clone()) } else { Err(object["status"].to_string()) }
        })
        .await;
    assert_eq!(condition(&found, "Reconciling")["status"], "True");
    assert_eq!(condition(&found, "Stalled")["status"], "False");
    case.apply("ResourceQuota", "sets", &json!({"spec": {"hard": {"count/statefulsets.apps": "5"}}})).await;
    case.until_ready(CLUSTER, "iris").await;
    case.end().await;
}
