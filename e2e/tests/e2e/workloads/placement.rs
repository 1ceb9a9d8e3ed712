//! Mirror members each in a zone of its own, placed by the work cluster itself: also while no hub runs, and whatever
//! somebody does to the policy. It must not test other node groups than those of a whole topology.

use std::time::{Duration, Instant};

use homebase_testkit::{AuditMark, ControlPlane, workspace_root};
use k8s_openapi::api::rbac::v1::PolicyRule;
use serde_json::{Value, json};

use super::fixture::{CLUSTER, Case, IMAGE, condition, mirrored, text, uid};
use crate::support::{Fleet, Metrics, SOON, hub_requests, kubeconfig_with, set_role, shipped};

const POLICY: &str = "homebase-mirror-zones";
const KINDS: [&str; 2] = ["mutatingadmissionpolicy", "mutatingadmissionpolicybinding"];
const ZONE: &str = "topology.kubernetes.io/zone";
const MEMBERS: [(&str, &str); 3] =
    [("iris-data-0-0", "boston"), ("iris-data-0-1", "chicago"), ("iris-data-0-2", "seattle")];
/// Between two tries of what only a person can mend, at most; and some for the try.
const MENDED: Duration = Duration::from_secs(90);

fn plane(name: &str) -> homebase_testkit::Builder {
    ControlPlane::builder(name).zones(["boston", "chicago", "seattle", "london"])
}

/// The published topology: data in three zones, compute in a fourth.
fn topology(compute: u32) -> Value {
    let mut cluster = mirrored();
    let topology = &mut cluster["spec"]["topology"];
    topology["data"]["mirrorMap"] = json!("primary,backup,drasync");
    topology["data"]["preferredZones"] = json!(["boston", "chicago", "seattle"]);
    topology["arbiter"]["preferredZones"] = json!(["london"]);
    topology["compute"] =
        json!({"image": IMAGE, "replicas": compute, "ephemeral": true, "preferredZones": ["london"]});
    cluster
}

/// The zone of a pod once it runs: the testkit names nodes by them.
async fn zone_of(case: &Case, pod: &str) -> String {
    let found = case.until("Pod", pod, |pod| {
        let node = text(pod, "/spec/nodeName");
        node.rsplit_once('-').map(|(zone, _)| zone.to_owned()).ok_or_else(|| pod["status"].to_string())
    });
    found.await
}

async fn assert_placed(case: &Case) {
    for (pod, zone) in MEMBERS {
        assert_eq!(zone_of(case, pod).await, zone, "{pod}");
    }
}

/// Deletes all members, and waits for the next ones.
async fn replace_all(case: &Case) {
    let mut old = Vec::new();
    for (pod, _) in MEMBERS {
        old.push(uid(&case.get("Pod", pod).await.unwrap()));
        case.delete("Pod", pod).await;
    }
    for ((pod, _), old) in MEMBERS.into_iter().zip(old) {
        case.until_replaced("Pod", pod, &old).await;
        let ready = |pod: &Value| condition(pod, "Ready")["status"] == "True";
        case.until("Pod", pod, |pod| if ready(pod) { Ok(()) } else { Err(pod["status"].to_string()) }).await;
    }
}

/// Waits until the cluster says this of its topology; returns the words.
async fn until_topology(case: &Case, bound: Duration, reason: &str, words: &str) -> String {
    case.eventually(&format!("TopologySatisfied says {reason}: {words}"), bound, || async {
        let found = case.get(CLUSTER, "iris").await.ok_or("there is no cluster")?;
        let told = condition(&found, "TopologySatisfied");
        let message = text(&told, "/message");
        if told["reason"] == reason && message.contains(words) { Ok(message) } else { Err(told.to_string()) }
    })
    .await
}

/// The policy or its binding as it is now.
async fn policy(case: &Case, kind: &str) -> Result<Value, String> {
    let text = case.plane().kubectl_ok(&["get", kind, POLICY, "-o", "json"]).await;
    Ok(serde_json::from_str(&text.map_err(|error| error.to_string())?).unwrap())
}

/// The hub's writes of policies.
fn policy_writes(case: &Case) -> usize {
    let requests = hub_requests(case.plane(), AuditMark::default());
    requests.iter().filter(|request| request.resource.starts_with("mutatingadmission")).count()
}

#[tokio::test]
async fn each_member_runs_in_its_zone_and_comes_back_there_while_no_hub_runs() {
    let fleet = Fleet::builder("placement").work(plane("placement")).start().await;
    fleet.register(&fleet.work[0]).await;
    fleet.wait_cluster_ready("placement").await;
    let mut case = Case::on(fleet, "placed").await;
    // Nobody has asked for it yet.
    assert!(policy(&case, KINDS[0]).await.is_err());
    let start = Instant::now();
    case.apply(CLUSTER, "iris", &topology(128)).await;
    case.until_ready(CLUSTER, "iris").await;
    println!(
        "MEASURED apply to Ready, 3 members in 3 zones, 128 compute in a fourth: {:.1} s",
        start.elapsed().as_secs_f64()
    );
    assert_placed(&case).await;
    until_topology(&case, SOON, "AsPlanned", "every pod with zones runs where it belongs").await;
    let told = case.get(CLUSTER, "iris").await.unwrap();
    let zones = |group: &str| told.pointer(&format!("/status/nodes/{group}/zones")).unwrap().clone();
    assert_eq!(zones("data"), json!(["boston", "chicago", "seattle"]));
    assert_eq!([zones("compute"), zones("arbiter")], [json!(["london"]), json!(["london"])]);
    case.assert_quiet().await;
    let told = case.hub_writes().iter().filter(|write| write.subresource.is_some()).count();
    println!("MEASURED writes of the status until then: {told}");
    assert_eq!(policy_writes(&case), KINDS.len());

    // The cluster itself places members, so it does when the hub is gone: all of them at once, for one alone would find
    // the only zone that is free.
    case.hub_mut().kill9();
    replace_all(&case).await;
    assert_placed(&case).await;
    case.start_hub().await;
    case.until_ready(CLUSTER, "iris").await;
    case.assert_quiet().await;
    assert_eq!(policy_writes(&case), KINDS.len());

    comes_back(&case).await;
    foreign_pods(&case).await;
    unlabelled(&case).await;
    case.end().await;
}

/// The policy and its binding are as before after whatever somebody does to them.
async fn comes_back(case: &Case) {
    for (index, kind) in KINDS.into_iter().enumerate() {
        let before = policy(case, kind).await.unwrap();
        let never = json!([{"name": "never", "expression": "false"}]);
        let edit = [
            json!({"spec": {"failurePolicy": "Ignore", "matchConditions": never}}),
            json!({"spec": {"matchResources": {
                "namespaceSelector": {"matchLabels": {"no": "such"}},
            }}}),
        ];
        let edit = edit[index].to_string();
        case.plane().kubectl_ok(&["patch", kind, POLICY, "--type=merge", "-p", &edit]).await.unwrap();
        let same = async || {
            let now = policy(case, kind).await?;
            if now["spec"] == before["spec"] { Ok(now) } else { Err(now["spec"].to_string()) }
        };
        let edited = case.eventually(&format!("{kind} as it was"), SOON, &same).await;
        assert_eq!(uid(&edited), uid(&before));
        case.plane().kubectl_ok(&["delete", kind, POLICY]).await.unwrap();
        let anew = case.eventually(&format!("{kind} again"), SOON, &same).await;
        assert_ne!(uid(&anew), uid(&before));
    }
    case.assert_quiet().await;
}

/// No pod of anybody is refused, whatever of our marks it bears, and what its user says stays.
async fn foreign_pods(case: &Case) {
    let labels = |index: Value| {
        json!({
            "app.kubernetes.io/managed-by": "homebase", "intersystems.com/kind": "IrisCluster",
            "intersystems.com/component": "data", "intersystems.com/name": "another",
            "apps.kubernetes.io/pod-index": index,
        })
    };
    let zones = |zones: &str| json!({"homebase.dev/zones-by-ordinal": zones});
    let other = json!({"disk": "ssd"});
    let long = "boston,".repeat(3000);
    let cases = [
        (labels(json!("0")), zones("boston,chicago"), Value::Null, json!({ZONE: "boston"})),
        (labels(json!("1")), zones("boston,chicago"), other.clone(), json!({"disk": "ssd", ZONE: "chicago"})),
        (labels(json!("1")), zones("boston"), other.clone(), other.clone()),
        (labels(json!("0")), zones("boston"), json!({ZONE: "london"}), json!({ZONE: "london"})),
        (labels(json!("0")), zones("no label/at all,b"), Value::Null, Value::Null),
        (labels(json!("0")), zones(""), Value::Null, Value::Null),
        (labels(json!("2")), zones(",,,"), Value::Null, Value::Null),
        (labels(json!("0")), zones(&long), Value::Null, Value::Null),
        (labels(json!("0")), zones(&"x".repeat(200_000)), Value::Null, Value::Null),
        (labels(json!("999")), zones("boston"), Value::Null, Value::Null),
        (labels(json!("99999999999999")), zones("boston"), Value::Null, Value::Null),
        (labels(json!("x")), zones("boston"), Value::Null, Value::Null),
        (labels(json!("")), zones("boston"), Value::Null, Value::Null),
        (labels(Value::Null), zones("boston"), Value::Null, Value::Null),
        (labels(json!("0")), Value::Null, Value::Null, Value::Null),
    ];
    for (index, (labels, annotations, selector, expected)) in cases.into_iter().enumerate() {
        let pod = json!({
            "metadata": {"labels": without_nulls(labels), "annotations": annotations},
            "spec": {"containers": [{"name": "c", "image": IMAGE}], "nodeSelector": selector},
        });
        let name = format!("foreign-{index}");
        let made = case.apply("Pod", &name, &pod).await;
        assert_eq!(made["spec"]["nodeSelector"], expected, "{name}");
    }
    // A pod that has its node already.
    let pod = json!({
        "metadata": {"labels": labels(json!("0")), "annotations": zones("boston")},
        "spec": {"containers": [{"name": "c", "image": IMAGE}], "nodeName": "london-0"},
    });
    assert_eq!(case.apply("Pod", "foreign-placed", &pod).await["spec"]["nodeSelector"], Value::Null);
}

fn without_nulls(mut object: Value) -> Value {
    object.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    object
}

/// A node that loses its zone is named, and nothing else changes.
async fn unlabelled(case: &Case) {
    let node = "chicago-0";
    case.plane().kubectl_ok(&["label", "node", node, &format!("{ZONE}-")]).await.unwrap();
    until_topology(case, SOON, "ZonesUnknown", &format!("no label {ZONE} on node {node}")).await;
    case.plane().kubectl_ok(&["label", "node", node, &format!("{ZONE}=seattle")]).await.unwrap();
    let words = "iris-data-0-1 runs in seattle and belongs in chicago";
    until_topology(case, SOON, "Misplaced", words).await;
    let metrics = Metrics::of(case.hub()).await;
    let figure =
        |metrics: &Metrics| metrics.sum("homebase_iriscluster_topology_mismatch", &["name=\"iris\""]);
    assert_eq!(figure(&metrics).map(|count| format!("{count}")), Some("1".to_owned()));
    case.plane()
        .kubectl_ok(&["label", "node", node, "--overwrite", &format!("{ZONE}=chicago")])
        .await
        .unwrap();
    until_topology(case, SOON, "AsPlanned", "").await;
    let metrics = Metrics::of(case.hub()).await;
    assert_eq!(figure(&metrics).map(|count| format!("{count}")), Some("0".to_owned()));
    case.assert_quiet().await;
}

/// The shipped rights, but for writing the policy.
fn reading_policies() -> Vec<PolicyRule> {
    let mut rules = shipped();
    let is_policy = |rule: &&mut PolicyRule| rule.resource_names.iter().flatten().any(|name| name == POLICY);
    for rule in rules.iter_mut().filter(is_policy) {
        rule.verbs.retain(|verb| ["list", "watch"].contains(&verb.as_str()));
    }
    rules
}

#[tokio::test]
async fn without_the_rights_members_are_spread_and_with_them_a_wrong_place_is_named() {
    let fleet = Fleet::builder("unplaced").work(plane("unplaced")).start().await;
    let zoneless = ["nodes", "mutatingadmissionpolicies", "mutatingadmissionpolicybindings"];
    let mut rules = shipped();
    rules.retain(|rule| !rule.resources.iter().flatten().any(|one| zoneless.contains(&one.as_str())));
    assert_eq!(shipped().len() - rules.len(), zoneless.len());
    let kubeconfig = kubeconfig_with(&fleet.work[0], "zoneless", &rules).await;
    fleet.register_as("unplaced", kubeconfig).await;
    let missing = ("PermissionsVerified", "False", "Missing");
    let (message, _) = fleet.wait_condition("unplaced", missing, SOON).await;
    assert!(message.contains(POLICY) && message.contains("list,watch nodes"), "{message}");
    // Nothing of it stops the work.
    fleet.wait_cluster_ready("unplaced").await;

    let case = Case::on(fleet, "unplaced").await;
    // So that member 0 comes up elsewhere.
    case.plane().kubectl_ok(&["cordon", "boston-0"]).await.unwrap();
    case.apply(CLUSTER, "iris", &topology(2)).await;
    let taken = zone_of(&case, MEMBERS[0].0).await;
    assert!(["chicago", "seattle"].contains(&taken.as_str()), "{taken}");
    case.plane().kubectl_ok(&["uncordon", "boston-0"]).await.unwrap();
    case.until_ready(CLUSTER, "iris").await;
    let mut zones = Vec::new();
    for (pod, _) in MEMBERS {
        zones.push(zone_of(&case, pod).await);
    }
    zones.sort();
    assert_eq!(zones, ["boston", "chicago", "seattle"]);
    let told = until_topology(&case, SOON, "ZonesUnknown", "allow list and watch on nodes").await;
    assert!(told.contains(&format!("admissionregistration.k8s.io named {POLICY}")), "{told}");
    assert!(policy(&case, KINDS[0]).await.is_err());
    case.assert_quiet().await;
    let template = async || case.get("StatefulSet", "iris-data-0").await.unwrap()["spec"]["template"].clone();
    let before = template().await;

    // Somebody installs the policy by hand instead of letting the hub write it.
    let file = workspace_root().join("deploy/policies/mirror-zones.yaml");
    case.plane().kubectl_ok(&["apply", "-f", &file.to_string_lossy()]).await.unwrap();
    set_role(case.plane(), "zoneless", &reading_policies()).await;
    let words = format!("iris-data-0-0 runs in {taken} and belongs in boston");
    let told = until_topology(&case, MENDED, "Misplaced", &words).await;
    assert!(!told.contains("iris-compute"), "{told}");
    case.eventually("nothing is said of the policy", MENDED, async || {
        let found = case.get(CLUSTER, "iris").await.ok_or("there is no cluster")?;
        let told = text(&condition(&found, "TopologySatisfied"), "/message");
        if told.contains("spread") { Err(told) } else { Ok(()) }
    })
    .await;
    assert_eq!(policy_writes(&case), 0);
    // Its arrival restarts nothing.
    assert_eq!(template().await, before);
    assert_eq!(zone_of(&case, MEMBERS[0].0).await, taken);

    replace_all(&case).await;
    assert_placed(&case).await;
    until_topology(&case, SOON, "AsPlanned", "").await;
    // When it goes and the hub may write it by now, the hub does.
    set_role(case.plane(), "zoneless", &shipped()).await;
    for kind in KINDS {
        case.plane().kubectl_ok(&["delete", kind, POLICY]).await.unwrap();
        case.eventually(kind, MENDED, async || policy(&case, kind).await).await;
    }
    case.until_ready(CLUSTER, "iris").await;
    case.assert_quiet().await;
    case.end().await;
}
