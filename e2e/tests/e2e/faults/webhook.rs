//! An admission webhook that hangs on every write of the hub, while the apiserver answers every probe: the circuit opens
//! with a reason of its own, and closes when the webhook is gone. It must not need any other fault.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use serde_json::json;

use crate::fleet::pool::{apply_iris, fleet, lease, wait_deployment};
use crate::support::{FIELD_MANAGER, Metrics, condition, is};

/// More than the workers of a cluster, so that each of them hangs.
const OBJECTS: usize = 6;
/// Twelve writes that each hang for ten seconds, four at a time, after a first round in which statuses are written.
const OPENED: Duration = Duration::from_secs(120);
/// The published bound for a healed cluster is 30 s; a write that hung when the webhook went has to run out before.
const HEALED: Duration = Duration::from_secs(45);
const NAME: &str = "hanging-webhook";

#[tokio::test]
async fn a_webhook_that_hangs_opens_the_circuit_and_its_end_closes_it() {
    let (fleet, [plane]) = (fleet().await, lease().await);
    fleet.register_as(NAME, crate::support::kubeconfig(&plane).await).await;
    fleet.wait_cluster_ready(NAME).await;
    let names: Vec<String> = (0..OBJECTS).map(|number| format!("app-{number}")).collect();
    for name in &names {
        apply_iris(&plane, NAME, name, 1).await;
    }
    for name in &names {
        wait_deployment(&plane, (NAME, name), 1).await;
    }

    // The kernel accepts its connections, and nobody ever serves them.
    let webhook = TcpListener::bind("127.0.0.1:0").unwrap();
    let configurations: Api<ValidatingWebhookConfiguration> = Api::all(plane.client().await.unwrap());
    let object = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": NAME},
        "webhooks": [{
            "name": "hangs.example.com", "admissionReviewVersions": ["v1"], "sideEffects": "None",
            "timeoutSeconds": 30, "failurePolicy": "Fail",
            "clientConfig": {"url": format!("https://{}/", webhook.local_addr().unwrap())},
            "rules": [{"apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["deployments"],
                       "operations": ["CREATE", "UPDATE"]}],
        }],
    });
    let params = PatchParams::apply(FIELD_MANAGER).force();
    configurations.patch(NAME, &params, &Patch::Apply(object)).await.unwrap();
    for name in &names {
        apply_iris(&plane, NAME, name, 2).await;
    }
    let open = ("Reachable", "False", "CircuitOpen");
    let (message, opened) = fleet.wait_condition(NAME, open, OPENED).await;
    assert!(message.contains("answers probes"), "{message}");
    let found = fleet.work_cluster(NAME).await.unwrap();
    is(&condition(&found, "Ready").unwrap(), "False", "NotReachable").unwrap();

    configurations.delete(NAME, &DeleteParams::default()).await.unwrap();
    let start = Instant::now();
    fleet.wait_condition(NAME, ("Ready", "True", "AllChecksPassed"), HEALED).await;
    for name in &names {
        wait_deployment(&plane, (NAME, name), 2).await;
    }
    eprintln!("figure: hanging webhook to CircuitOpen: {opened:?}, healed in {:?}", start.elapsed());
    let closed = [&*format!("member_cluster=\"{NAME}\""), "state=\"closed\""];
    let metrics = Metrics::of(fleet.hub()).await;
    assert_eq!(metrics.sum("homebase_member_cluster_breaker_state", &closed), Some(1.0));
    fleet.assert_invariants().await;
}
