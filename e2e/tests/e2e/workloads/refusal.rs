//! Specs that this version does not build: said by field, with nothing made of them and nothing taken away.

use serde_json::{Value, json};

use super::fixture::{CLUSTER, Case, IMAGE, condition, single, text, with_compute};

/// Each part that is not built yet: its field, and a value for it.
fn unsupported() -> Vec<(&'static str, Value)> {
    let agent = json!({"image": IMAGE});
    vec![
        ("spec.tls", json!({"common": {"secret": {"secretName": "certificate"}}})),
        ("spec.topology.sam", agent.clone()),
        ("spec.topology.iam", agent),
        ("spec.topology.data.shards", json!(2)),
        ("spec.topology.data.irisDatabases", json!([{"name": "app"}])),
        ("spec.topology.data.irisNamespaces", json!([{"name": "APP", "globals": "app"}])),
    ]
}

/// A cluster with one of them. The value of a group that a cluster need not have is the whole group.
fn cluster(field: &str, value: Value) -> Value {
    let optional = ["spec.topology.compute", "spec.topology.arbiter"];
    let group = optional.into_iter().find(|group| field.starts_with(group)).unwrap_or(field);
    let mut cluster = single();
    let (parent, last) = group.rsplit_once('.').unwrap();
    let parent = format!("/{}", parent.replace('.', "/"));
    cluster.pointer_mut(&parent).unwrap()[last] = value;
    cluster
}

#[tokio::test]
async fn each_part_that_is_not_built_is_refused_by_name() {
    let case = Case::begin("unsupported").await;
    let cases: Vec<_> = unsupported()
        .into_iter()
        .enumerate()
        .map(|(index, (field, value))| (format!("case-{index}"), field, cluster(field, value)))
        .collect();
    for (name, _, cluster) in &cases {
        case.apply(CLUSTER, name, cluster).await;
    }
    for (name, field, _) in &cases {
        let told = case.until_condition(CLUSTER, name, ("SpecAccepted", "False")).await;
        let wanted = format!("{field}: not supported by this version yet: remove the field");
        assert_eq!(text(&condition(&told, "SpecAccepted"), "/message"), wanted);
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
    let mut wrong = with_compute(single(), 5);
    wrong["spec"]["topology"]["sam"] = json!({"image": IMAGE});
    wrong["spec"]["topology"]["iam"] = json!({"image": IMAGE});
    case.apply(CLUSTER, "iris", &wrong).await;
    let told = case.until_condition(CLUSTER, "iris", ("SpecAccepted", "False")).await;
    let message = text(&condition(&told, "SpecAccepted"), "/message");
    assert!(message.contains("spec.topology.sam: ") && message.contains("spec.topology.iam: "), "{message}");
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
