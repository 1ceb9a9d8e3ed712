//! The time from a user's apply to the hub's first write, by the clock of the apiserver's audit log. It must not
//! judge by absolute figures that depend on the machine: the bound is far above them.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use serde::Deserialize;
use serde_json::json;

use super::fixture::{CLUSTER, Case, IRIS, single};

/// Enough that the second largest is a percentile.
const OBJECTS: usize = 24;
/// The hub needs milliseconds; a machine that also compiles makes some hundreds of them. A hub that polls, or waits
/// for a resync, needs many seconds.
const MEDIAN_BOUND: Duration = Duration::from_secs(1);

/// What the testkit's `AuditEvent` leaves out: the times.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    #[serde(default)]
    user_agent: String,
    #[serde(default)]
    object_ref: Object,
    request_received_timestamp: MicroTime,
    stage_timestamp: MicroTime,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Object {
    namespace: String,
    resource: String,
    name: String,
}

/// The waits from the answer to a user's write to the arrival of the hub's first one that concerns it, sorted. The
/// hub's may arrive before the user's is answered: that is no wait at all.
fn waits(case: &Case, resource: &str) -> Vec<Duration> {
    let log = fs::read_to_string(case.plane().dir().join("audit.jsonl")).unwrap();
    let mut applied = BTreeMap::new();
    let mut waits = BTreeMap::new();
    let complete = log.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    let mut entries: Vec<Entry> = complete.map(|line| serde_json::from_str(line).unwrap()).collect();
    entries.retain(|entry| {
        entry.object_ref.namespace == case.namespace && entry.object_ref.resource != "events"
    });
    // A line is written with the answer; a hub that is quick may be answered first.
    entries.sort_by_key(|entry| entry.request_received_timestamp.0);
    for Entry { user_agent, object_ref, request_received_timestamp, stage_timestamp } in entries {
        if !user_agent.starts_with("homebase/") {
            if object_ref.resource == resource {
                applied.insert(object_ref.name, stage_timestamp.0);
            }
        } else if let Some(applied) = applied.get(&object_ref.name) {
            let micros = request_received_timestamp.0.as_microsecond() - applied.as_microsecond();
            let wait = Duration::from_micros(u64::try_from(micros).unwrap_or_default());
            waits.entry(object_ref.name).or_insert(wait);
        }
    }
    let mut waits: Vec<_> = waits.into_values().collect();
    waits.sort();
    waits
}

fn judge(kind: &str, waits: &[Duration]) {
    assert_eq!(waits.len(), OBJECTS);
    let (median, highest) = (waits[OBJECTS / 2], waits[OBJECTS - 1]);
    println!(
        "MEASURED apply to the hub's first write, {OBJECTS} {kind}: p50 {median:.1?}, p99 {highest:.1?}"
    );
    assert!(median < MEDIAN_BOUND, "{waits:?}");
}

#[tokio::test]
async fn the_hub_begins_at_once() {
    let case = Case::begin("latency").await;
    // One after the other: what is measured is a single change, not a queue.
    for index in 0..OBJECTS {
        let name = format!("iris-{index}");
        case.apply(IRIS, &name, &json!({"spec": {"deploymentName": name, "replicas": 0}})).await;
        case.until("Deployment", &name, |_| Ok(())).await;
    }
    judge(IRIS, &waits(&case, "iris"));

    // Its ConfigMap does not exist, so no pods blur the figures.
    let mut cluster = single();
    cluster["spec"]["configSource"] = json!({"name": "none"});
    for index in 0..OBJECTS {
        let name = format!("cluster-{index}");
        case.apply(CLUSTER, &name, &cluster).await;
        case.until_condition(CLUSTER, &name, ("Ready", "False")).await;
    }
    judge(CLUSTER, &waits(&case, "irisclusters"));
    case.end().await;
}
