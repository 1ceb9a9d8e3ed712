//! A mirrored cluster at the size of the published rehearsal, and the roles of its members.

use std::time::Instant;

use serde_json::json;

use super::fixture::{CLUSTER, Case, mirrored, text, uid, with_compute};

const ROLE: &str = "intersystems.com/mirrorRole";

/// The roles of the data pods by ordinal.
async fn roles(case: &Case, pods: &[&str]) -> Vec<String> {
    let mut roles = Vec::new();
    for pod in pods {
        let role = case.until("Pod", pod, |pod| {
            let role = pod["metadata"]["labels"][ROLE].as_str();
            role.map(str::to_owned).ok_or_else(|| pod["metadata"]["labels"].to_string())
        });
        roles.push(role.await);
    }
    roles
}

#[tokio::test]
async fn a_mirror_with_128_compute_nodes_becomes_ready() {
    let case = Case::begin("rehearsal").await;
    let mut cluster = with_compute(mirrored(), 128);
    cluster["spec"]["topology"]["data"]["mirrorMap"] = "primary,backup,drasync".into();
    let start = Instant::now();
    case.apply(CLUSTER, "iris", &cluster).await;
    let ready = case.until_ready(CLUSTER, "iris").await;
    println!(
        "MEASURED apply to Ready, 3 data, 1 arbiter, 128 compute: {:.1} s",
        start.elapsed().as_secs_f64()
    );

    let pods = |group: &str| text(&ready, &format!("/status/nodes/{group}/pods"));
    assert_eq!([pods("data"), pods("compute"), pods("arbiter")], ["3/3", "128/128", "1/1"]);
    assert_eq!(ready["status"]["phase"], "Running");
    assert_eq!(ready["status"]["computeReplicas"], 128);
    let selector = text(&ready, "/status/computeSelector");
    assert_eq!(case.names("Pod", &selector).await.len(), 128);

    let (header, line) = case.columns(&["irisclusters"]).await;
    assert_eq!(header, ["NAME", "DATA", "COMPUTE", "MIRRORED", "STATUS", "READY", "AGE"]);
    assert_eq!(line[..6], ["iris", "3/3", "128/128", "true", "Running", "True"]);
    let (header, _) = case.columns(&["ic", "-o", "wide"]).await;
    assert_eq!(header[6..], ["ZONES", "GATEWAY", "AGE"]);
    case.end().await;
}

#[tokio::test]
async fn members_have_their_roles_and_get_them_again() {
    let case = Case::begin("roles").await;
    let mut cluster = mirrored();
    cluster["spec"]["topology"]["data"]["mirrorMap"] = "primary,backup,drasync".into();
    case.apply(CLUSTER, "iris", &cluster).await;
    case.until_ready(CLUSTER, "iris").await;
    let pods = ["iris-data-0-0", "iris-data-0-1", "iris-data-0-2"];
    assert_eq!(roles(&case, &pods).await, ["primary", "backup", "drasync"]);
    let service = case.get("Service", "iris").await.unwrap();
    let selector = service["spec"]["selector"].as_object().unwrap().clone();
    let selector: Vec<_> =
        selector.iter().map(|(key, value)| format!("{key}={}", value.as_str().unwrap())).collect();
    assert_eq!(case.names("Pod", &selector.join(",")).await, ["iris-data-0-0"]);

    for pod in pods {
        let old = uid(&case.get("Pod", pod).await.unwrap());
        case.delete("Pod", pod).await;
        case.until_replaced("Pod", pod, &old).await;
    }
    assert_eq!(roles(&case, &pods).await, ["primary", "backup", "drasync"]);

    // After a failover somebody moves the labels: the member that comes back must not be a second primary.
    let role = |role: &str| json!({"metadata": {"labels": {ROLE: role}}});
    case.edit("Pod", pods[1], &role("primary")).await;
    case.edit("Pod", pods[0], &role("backup")).await;
    let old = uid(&case.get("Pod", pods[0]).await.unwrap());
    case.delete("Pod", pods[0]).await;
    case.until_replaced("Pod", pods[0], &old).await;
    assert_eq!(roles(&case, &pods).await, ["backup", "primary", "drasync"]);
    assert_eq!(case.names("Pod", &selector.join(",")).await, ["iris-data-0-1"]);
    case.until_ready(CLUSTER, "iris").await;
    case.assert_quiet().await;
    case.end().await;
}
