//! `doctor` on clusters that are well and on such that are not: the right line fails, and within its time. It must not
//! test what the hub itself says of them.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Duration;

use homebase_testkit::ControlPlane;
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{Api, DeleteParams};
use serde_json::Value;

use super::scene::{Ran, kubeconfig_of, scene, tail, token_of};
use crate::support::{Fleet, NAMESPACE, account};

/// Every check of a hung server has a bound of its own; this is above their sum.
const BOUND: Duration = Duration::from_secs(40);

/// The checks by name, with their results.
fn results(ran: &Ran) -> BTreeMap<String, String> {
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    let checks = report["checks"].as_array().unwrap().iter();
    checks.map(|one| (text(one, "check"), text(one, "result"))).collect()
}

fn text(of: &Value, key: &str) -> String {
    of[key].as_str().unwrap().to_owned()
}

/// The findings of those that fail, with their fixes.
fn failures(ran: &Ran) -> Vec<(String, String)> {
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    let failed = report["checks"].as_array().unwrap().iter().filter(|one| one["result"] == "FAIL");
    failed
        .map(|one| {
            assert!(one["fix"].as_str().is_some_and(|fix| !fix.is_empty()), "a failure without a fix: {one}");
            (text(one, "check"), text(one, "found"))
        })
        .collect()
}

async fn doctor(fleet: &Fleet, name: &str) -> Ran {
    let ran = fleet.homebase(&["doctor", name, "--allow-loopback-destinations", "-o", "json"]).await;
    assert!(ran.took < BOUND, "{:?}: {}", ran.took, ran.out);
    ran
}

/// The same on a kubeconfig that is registered nowhere; no home cluster is needed.
async fn doctor_of(fleet: &Fleet, file: &str, kubeconfig: &str) -> Ran {
    let path: PathBuf = fleet.home.dir().join(file);
    std::fs::write(&path, kubeconfig).unwrap();
    let words = [
        "doctor",
        "--kubeconfig-file",
        path.to_str().unwrap(),
        "--allow-loopback-destinations",
        "-o",
        "json",
    ];
    let ran = fleet.bare(&words).await;
    assert!(ran.took < BOUND, "{:?}: {}", ran.took, ran.out);
    ran
}

/// The line of a kubeconfig that holds the authority.
fn authority(kubeconfig: &str) -> &str {
    let line = kubeconfig.lines().find_map(|line| line.trim().strip_prefix("certificate-authority-data: "));
    line.unwrap().trim_matches('"')
}

#[tokio::test]
async fn the_line_that_is_wrong_fails() {
    let fleet = scene("doctor").await;
    let (plane, other) = (&fleet.work[0], &fleet.work[1]);
    fleet.register_by_command(plane).await.ended(0);
    let kubeconfig = kubeconfig_of(&fleet.registration_of(plane.name()).await.unwrap());

    let ran = doctor(&fleet, plane.name()).await.ended(0);
    let all = results(&ran);
    assert_eq!(all.len(), 14, "{}", ran.out);
    assert!(all.values().all(|result| result == "PASS"), "{}", ran.out);
    assert!(ran.err.contains("from this machine"), "{}", ran.err);
    let table = fleet.homebase(&["doctor", plane.name(), "--allow-loopback-destinations"]).await.ended(0);
    assert_eq!(table.out.lines().filter(|line| line.starts_with("PASS   ")).count(), 14, "{}", table.out);
    doctor_of(&fleet, "good", &kubeconfig).await.ended(0);

    let refused = fleet.homebase(&["doctor", plane.name(), "-o", "json"]).await.ended(1);
    assert_eq!(failures(&refused)[0].0, "dns", "{}", refused.out);

    wrong_files(&fleet, plane, other, &kubeconfig).await;
    hung_apiserver(&fleet, plane).await;
    revoked_token(&fleet, plane).await;
    fleet.homebase(&["doctor", "nobody", "-o", "json"]).await.ended(1);
    fleet.assert_invariants().await;
}

async fn wrong_files(fleet: &Fleet, plane: &ControlPlane, other: &ControlPlane, kubeconfig: &str) {
    let alien = other.admin_kubeconfig();
    let wrong = kubeconfig.replace(authority(kubeconfig), authority(&alien));
    assert_ne!(wrong, kubeconfig);
    let ran = doctor_of(fleet, "wrong-ca", &wrong).await.ended(1);
    let failed = failures(&ran);
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert!(failed[0].0 == "tls" && failed[0].1.contains("UnknownIssuer"), "{failed:?}");
    assert_eq!(results(&ran)["credentials"], "UNKNOWN");

    // A port that nobody listens on any more.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let closed = kubeconfig.replace(&plane.url(), &format!("https://{port}"));
    let failed = failures(&doctor_of(fleet, "closed", &closed).await.ended(1));
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert!(failed[0].0 == "tcp" && failed[0].1.contains("refused"), "{failed:?}");

    let nowhere = kubeconfig.replace(&plane.url(), "https://no-such-host.invalid:6443");
    let failed = failures(&doctor_of(fleet, "nowhere", &nowhere).await.ended(1));
    assert_eq!((failed.len(), failed[0].0.as_str()), (1, "dns"), "{failed:?}");

    // What kubectl would run, the hub does not; and no value of it is told.
    let canary = "c4n4ry-of-a-command";
    fleet.keep_secret(canary);
    let command = format!("exec:\n      apiVersion: v1\n      command: {canary}\n    token: ");
    let failed = failures(&doctor_of(fleet, "exec", &kubeconfig.replace("token: ", &command)).await.ended(1));
    assert!(failed[0].0 == "kubeconfig" && failed[0].1.contains("users[0].user.exec"), "{failed:?}");
}

async fn hung_apiserver(fleet: &Fleet, plane: &ControlPlane) {
    plane.pause_apiserver().unwrap();
    let ran = doctor(fleet, plane.name()).await.ended(1);
    plane.resume_apiserver().unwrap();
    eprintln!("figure: doctor on a hung apiserver: {:?}", ran.took);
    let all = results(&ran);
    assert_eq!((all["tcp"].as_str(), all["tls"].as_str()), ("PASS", "FAIL"), "{}", ran.out);
    assert_eq!(all["permissions"], "UNKNOWN", "{}", ran.out);
}

async fn revoked_token(fleet: &Fleet, plane: &ControlPlane) {
    fleet.wait_cluster_ready(plane.name()).await;
    let accounts: Api<ServiceAccount> = Api::namespaced(plane.client().await.unwrap(), NAMESPACE);
    accounts.delete(&account(plane), &DeleteParams::default()).await.unwrap();
    // The apiserver may remember for some seconds that it took the token.
    let ran = homebase_testkit::eventually("the token is refused", BOUND, || async {
        let ran = doctor(fleet, plane.name()).await;
        if ran.code == 1 { Ok(ran) } else { Err(ran.out) }
    });
    let ran = ran.await.unwrap();
    let all = results(&ran);
    assert_eq!((all["server"].as_str(), all["credentials"].as_str()), ("PASS", "FAIL"), "{}", ran.out);
    let secret = fleet.registration_of(plane.name()).await.unwrap();
    assert!(!ran.out.contains(tail(&token_of(&secret))), "a token in the output");

    // Registered again, it is well again.
    fleet.register_by_command(plane).await.ended(0);
    doctor(fleet, plane.name()).await.ended(0);
}
