//! New credentials for a session that runs, of every sort: good ones take over, bad ones say why and change nothing,
//! and no object is made anew or missed. It must not repeat what `fleet::rotation` says of another token.

use std::time::{Duration, Instant};

use homebase_testkit::{AuditMark, ControlPlane, eventually};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{Api, DeleteParams};

use super::secrets::{Form, field, wait_taken, with_certificate, works};
use crate::fleet::pool::{apply_iris, fleet, lease, settled, wait_deployment};
use crate::support::{Fleet, Metrics, NAMESPACE, SOON, account, condition, hub_requests, is, kubeconfig};

/// Tokens that no cluster has made: one that says it is from the past, and one that says nothing.
const EXPIRED: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpYXQiOjEwMDAsImV4cCI6MjAwMH0.bm90LWEtc2lnbmF0dXJl";
const OPAQUE: &str = "0paque-t0ken-that-n0b0dy-kn0ws-and-that-must-n0t-be-sh0wn";

/// How often the hub has created each Deployment of a namespace.
fn creations(plane: &ControlPlane, namespace: &str) -> Vec<(String, usize)> {
    let mut counts = std::collections::BTreeMap::new();
    for request in hub_requests(plane, AuditMark::default()) {
        if request.code == 201 && request.namespace == namespace && request.resource == "deployments" {
            *counts.entry(request.name).or_insert(0) += 1;
        }
    }
    counts.into_iter().collect()
}

/// Waits until new credentials are refused with these words while the cluster is Ready.
async fn wait_rejected(fleet: &Fleet, cluster: &str, version: &str, says: &[&str]) -> Duration {
    let rejected = fleet.wait_work_cluster(cluster, SOON, |found| {
        let seen = found.status.as_ref().and_then(|status| status.observed_secret.as_ref());
        let credentials = condition(found, "CredentialsValid")?;
        is(&credentials, "False", "RotationRejected")?;
        is(&condition(found, "Ready")?, "True", "AllChecksPassed")?;
        let is_said = says.iter().any(|words| credentials.message.contains(words));
        let is_seen = seen.is_some_and(|secret| secret.resource_version == version);
        if is_seen && is_said { Ok(()) } else { Err(format!("{seen:?} {credentials:?}")) }
    });
    rejected.await.1
}

#[tokio::test]
async fn bad_credentials_of_every_sort_say_why_and_the_old_ones_go_on() {
    let (fleet, [plane, other]) = (fleet().await, lease().await);
    let (good, foreign) = (kubeconfig(&plane).await, kubeconfig(&other).await);
    fleet.keep_tokens_of(&foreign);
    let with = |name: &str, value: &str| good.replace(field(&good, name), value);
    let authority = "certificate-authority-data";
    let nowhere = "https://127.0.0.1:1";
    let refused: &[&str] = &["401", "Unauthorized"];
    let cases: [(&str, String, &[&str]); 6] = [
        ("expired token", with("token", EXPIRED), refused),
        ("unknown token", with("token", OPAQUE), refused),
        ("token of another cluster", with("token", field(&foreign, "token")), refused),
        ("another authority", with(authority, field(&foreign, authority)), &["certificate", "TLS"]),
        ("nobody there", with("server", nowhere), &["refused"]),
        ("another cluster", foreign.clone(), &["another cluster"]),
    ];
    let mark = other.audit_mark().unwrap();
    let version = Form::native("spoilt-anew", &good).put(fleet).await;
    wait_taken(fleet, "spoilt-anew", &version).await;
    let before = works(&plane, "spoilt-anew", 1).await;
    for (replicas, (what, text, says)) in (2..).zip(cases) {
        let quiet = settled(&plane).await;
        let version = Form::native("spoilt-anew", &text).put(fleet).await;
        let took = wait_rejected(fleet, "spoilt-anew", &version, says).await;
        eprintln!("figure: {what} rotated in to condition: {took:?}");
        assert_eq!(hub_requests(&plane, quiet), Vec::new(), "{what}");
        assert_eq!(works(&plane, "spoilt-anew", replicas).await.0, before.0, "{what}");
    }
    let version = Form::native("spoilt-anew", &kubeconfig(&plane).await).put(fleet).await;
    wait_taken(fleet, "spoilt-anew", &version).await;
    assert_eq!(works(&plane, "spoilt-anew", 9).await.0, before.0);
    assert_eq!(creations(&plane, "spoilt-anew"), [("app".to_owned(), 1)]);
    assert_eq!(hub_requests(&other, mark), Vec::new());
    fleet.assert_invariants().await;
}

#[tokio::test]
async fn what_is_written_around_a_rotation_is_done_exactly_once() {
    const EACH: usize = 5;
    let (fleet, [plane]) = (fleet().await, lease().await);
    let version = Form::native("gap", &kubeconfig(&plane).await).put(fleet).await;
    wait_taken(fleet, "gap", &version).await;
    let pinned = fleet.work_cluster("gap").await.unwrap().status.unwrap().identity.unwrap();
    let mut names = Vec::new();
    // A token, a certificate in its place, and a token again.
    let rotations = [kubeconfig(&plane).await, with_certificate(&plane), kubeconfig(&plane).await];
    for (number, text) in rotations.into_iter().enumerate() {
        if text.contains("client-key-data") {
            fleet.keep_secret(field(&text, "client-key-data"));
        }
        let form = Form::native("gap", &text);
        let batch: Vec<String> = (0..2 * EACH).map(|index| format!("app-{number}-{index}")).collect();
        let before = async {
            for name in &batch[..EACH] {
                apply_iris(&plane, "gap", name, 1).await;
            }
        };
        // Objects come before the hub knows of the new Secret, while it tries it, and after it has taken it.
        let (version, ()) = futures::join!(form.put(fleet), before);
        let after = async {
            for name in &batch[EACH..] {
                apply_iris(&plane, "gap", name, 1).await;
            }
        };
        futures::join!(wait_taken(fleet, "gap", &version), after);
        names.extend(batch);
    }
    for name in &names {
        wait_deployment(&plane, ("gap", name), 1).await;
    }
    settled(&plane).await;
    let expected: Vec<_> = names.into_iter().map(|name| (name, 1)).collect();
    assert_eq!(creations(&plane, "gap"), expected);
    let identity = fleet.work_cluster("gap").await.unwrap().status.unwrap().identity.unwrap();
    assert_eq!(identity.uid, pinned.uid);
    fleet.assert_invariants().await;
}

/// An apiserver remembers for ten seconds that a token was good; a probe comes every ten seconds.
const REVOKED: Duration = Duration::from_secs(40);
/// The published bound for a healed cluster.
const HEALED: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_token_that_is_revoked_has_the_secret_read_again_once_and_new_ones_are_taken_at_once() {
    let (fleet, [plane]) = (fleet().await, lease().await);
    let version = Form::native("revoked", &kubeconfig(&plane).await).put(fleet).await;
    wait_taken(fleet, "revoked", &version).await;
    let before = works(&plane, "revoked", 1).await;

    let accounts: Api<ServiceAccount> = Api::namespaced(plane.client().await.unwrap(), NAMESPACE);
    accounts.delete(&account(&plane), &DeleteParams::default()).await.unwrap();
    let refused = ("CredentialsValid", "False", "Unauthorized");
    let (_, took) = fleet.wait_condition("revoked", refused, REVOKED).await;
    fleet.wait_condition("revoked", ("Ready", "False", "CredentialsInvalid"), SOON).await;
    // It is refused again and again, and a Secret that has not changed is not read each time.
    apply_iris(&plane, "revoked", "app", 2).await;
    let probes = || async {
        let label = ["member_cluster=\"revoked\"", "result=\"failure\""];
        Metrics::of(fleet.hub()).await.sum("homebase_member_cluster_probe_total", &label).unwrap()
    };
    eventually("it is refused three times", REVOKED * 2, || async {
        let failed = probes().await;
        if failed >= 3.0 { Ok(()) } else { Err(format!("{failed}")) }
    })
    .await
    .unwrap();
    let log = fleet.hub().log_text();
    let of_session = |line: &&str| line.contains("is read again") && line.contains("\"revoked\"");
    assert_eq!(log.lines().filter(of_session).count(), 1);

    let start = Instant::now();
    Form::native("revoked", &kubeconfig(&plane).await).put(fleet).await;
    fleet.wait_condition("revoked", ("Ready", "True", "AllChecksPassed"), HEALED).await;
    eprintln!("figure: revoked token told after {took:?}, healed {:?} after a new one", start.elapsed());
    assert_eq!(wait_deployment(&plane, ("revoked", "app"), 2).await.0, before.0);
    fleet.assert_invariants().await;
}
