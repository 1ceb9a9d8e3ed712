//! The hub's own pages: health, and metrics as promtool likes them. It must not know every metric.

use std::io::Write;
use std::process::{Command, Stdio};

use homebase_testkit::promtool;

use super::pool::{apply_iris, fleet, lease, wait_deployment};
use crate::support::{Metrics, kubeconfig};

#[tokio::test]
async fn the_health_pages_answer() {
    let fleet = fleet().await;
    for path in ["/livez", "/readyz", "/healthz"] {
        let answer = fleet.hub().get(path).await.unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (200, "ok\n"), "{path}");
    }
    assert_eq!(fleet.hub().get("/nowhere").await.unwrap().status, 404);
    fleet.assert_invariants().await;
}

#[tokio::test]
async fn promtool_finds_no_fault_with_the_metrics_of_a_cluster_at_work() {
    let (fleet, [plane]) = (fleet().await, lease().await);
    fleet.register_as("measured", kubeconfig(&plane).await).await;
    fleet.wait_cluster_ready("measured").await;
    apply_iris(&plane, "measured", "app", 1).await;
    wait_deployment(&plane, ("measured", "app"), 1).await;
    let metrics = Metrics::of(fleet.hub()).await;

    let mut child = Command::new(promtool().unwrap())
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Dropped at once, so that promtool sees the end.
    child.stdin.take().unwrap().write_all(metrics.0.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success() && said.is_empty(), "{}", String::from_utf8_lossy(&said));

    let one = |name: &str, labels: &[&str]| metrics.sum(name, labels);
    let cluster = "member_cluster=\"measured\"";
    assert_eq!(one("homebase_member_cluster_up", &[cluster]), Some(1.0));
    assert_eq!(one("homebase_member_cluster_state", &[cluster, "state=\"Running\""]), Some(1.0));
    // Earlier tests have left theirs.
    assert!(one("homebase_member_cluster_objects", &[cluster, "kind=\"Iris\""]) >= Some(1.0));
    assert!(one("homebase_member_cluster_requests_total", &[cluster, "2xx"]) > Some(0.0));
    assert!(one("homebase_writes_total", &["kind=\"deployments\""]) > Some(0.0));
    assert!(one("controller_runtime_reconcile_total", &["result=\"success\""]) > Some(0.0));
    assert_eq!(one("controller_runtime_reconcile_panics_total", &[]), Some(0.0));
    fleet.assert_invariants().await;
}
