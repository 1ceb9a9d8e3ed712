//! When the credentials of a cluster expire, on its `WorkCluster` and on the metrics page. It must not wait for it.

use homebase_testkit::ControlPlane;

use super::secrets::{Form, field, wait_taken, with_certificate};
use crate::fleet::pool::{fleet, lease};
use crate::support::{Fleet, Metrics, kubeconfig};

/// The end of the year 4095, at which the certificates of the test kit end.
const CERTIFICATE_ENDS: i64 = 67_090_118_400;
/// What a token of the suite lasts, and how far the clocks of its making and of this test may be apart.
const TOKEN_LASTS: i64 = 3600;
const APART: i64 = 120;

async fn shown(fleet: &Fleet, plane: &ControlPlane, kubeconfig: &str) -> i64 {
    let version = Form::native("ends", kubeconfig).put(fleet).await;
    wait_taken(fleet, "ends", &version).await;
    let status = fleet.work_cluster("ends").await.unwrap().status.unwrap();
    let end = status.credentials_expire.unwrap_or_else(|| panic!("no end on {}", plane.name())).0.as_second();
    let name = "homebase_member_cluster_credential_expiry_timestamp_seconds";
    let metric = Metrics::of(fleet.hub()).await.sum(name, &["member_cluster=\"ends\""]);
    assert_eq!(metric.map(|seconds| format!("{seconds}")), Some(end.to_string()));
    end
}

#[tokio::test]
async fn the_end_of_credentials_is_shown() {
    let (fleet, [plane]) = (fleet().await, lease().await);
    let before = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let expected = i64::try_from(before.as_secs()).unwrap() + TOKEN_LASTS;
    let end = shown(fleet, &plane, &kubeconfig(&plane).await).await;
    assert!((end - expected).abs() < APART, "{end} for {expected}");

    let text = with_certificate(&plane);
    fleet.keep_secret(field(&text, "client-key-data"));
    assert_eq!(shown(fleet, &plane, &text).await, CERTIFICATE_ENDS);
    fleet.assert_invariants().await;
}
