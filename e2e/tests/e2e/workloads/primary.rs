//! Who is primary: pods that answer, or do not, at their addresses, and where the labels go. The answers come over HTTP
//! through the apiserver's pod proxy, as IRIS would give them. It must not test the first labels: `mirror.rs` does.

use std::time::{Duration, Instant};

use homebase_testkit::{AuditEvent, PodBehaviour};
use serde_json::{Value, json};

use super::fixture::{CLUSTER, Case, condition, mirrored, pod_network, text, uid};
use crate::support::SOON;

mod answers;
mod rights;
mod update;

const ROLE: &str = "intersystems.com/mirrorRole";
const PODS: [&str; 3] = ["iris-data-0-0", "iris-data-0-1", "iris-data-0-2"];

/// What IRIS answers on the primary.
fn primary() -> PodBehaviour {
    PodBehaviour::Answer(200, "SUCCESS".to_owned())
}

/// What IRIS answers on every other member.
fn other() -> PodBehaviour {
    PodBehaviour::Answer(503, "FAILED".to_owned())
}

/// Has a pod answer like this from now on.
fn answer(case: &Case, pod: &str, behaviour: PodBehaviour) {
    pod_network().set(format!("{}/{pod}", case.namespace), behaviour);
}

/// Has one member be the primary, and the others not; the old one steps down first.
fn fail_over(case: &Case, to: usize) {
    for pod in PODS.into_iter().filter(|pod| *pod != PODS[to]) {
        answer(case, pod, other());
    }
    answer(case, PODS[to], primary());
}

/// A mirror of two failover members and an async that is Ready; nobody answers yet.
async fn ready_mirror(case: &Case) -> Value {
    let mut cluster = mirrored();
    cluster["spec"]["topology"]["data"]["mirrorMap"] = "primary,backup,drasync".into();
    case.apply(CLUSTER, "iris", &cluster).await;
    case.until_ready(CLUSTER, "iris").await;
    until_roles(case, ["primary", "backup", "drasync"]).await;
    cluster
}

/// Waits until the members have these labels, and looks meanwhile that no two are primary.
async fn until_roles(case: &Case, wanted: [&str; 3]) {
    let what = format!("the roles are {wanted:?}");
    case.eventually(&what, SOON, || async {
        let pods = case.list("Pod", "intersystems.com/component=data").await;
        let role = |pod: &Value| text(pod, "/metadata/labels/intersystems.com~1mirrorRole");
        let primaries = pods.iter().filter(|pod| role(pod) == "primary").count();
        assert!(primaries < 2, "two pods are primary at once");
        let of = |name: &str| pods.iter().find(|pod| text(pod, "/metadata/name") == name).map(role);
        let roles = PODS.map(|pod| of(pod).unwrap_or_default());
        if roles == wanted { Ok(()) } else { Err(format!("{roles:?}")) }
    })
    .await;
}

/// What the status says of the mirror.
async fn mirror_status(case: &Case) -> Value {
    case.get(CLUSTER, "iris").await.unwrap()["status"]["mirrors"][0].clone()
}

/// Waits until the status says so of the mirror; returns what it says.
async fn until_mirror(case: &Case, field: &str, wanted: &Value) -> Value {
    case.until(CLUSTER, "iris", |cluster| {
        let mirror = cluster["status"]["mirrors"][0].clone();
        if mirror[field] == *wanted { Ok(mirror) } else { Err(cluster["status"].to_string()) }
    })
    .await
}

/// Waits until `Ready` is false for this reason.
async fn until_trouble(case: &Case, reason: &str) {
    case.until(CLUSTER, "iris", |cluster| {
        let ready = condition(cluster, "Ready");
        let is_so = ready["status"] == "False" && ready["reason"] == reason;
        if is_so { Ok(()) } else { Err(ready.to_string()) }
    })
    .await;
}
