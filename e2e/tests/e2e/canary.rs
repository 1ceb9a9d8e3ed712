//! A secret text in every field of a kubeconfig: registered, rotated in, and given to commands. Accepted or refused,
//! nothing that the hub or a command puts out holds it, in no encoding and at the most talkative log level. It must not
//! test what is told of each kubeconfig instead.

use std::time::Duration;

use futures::StreamExt as _;
use homebase_testkit::ControlPlane;
use k8s_openapi::ByteString;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::support::{CLUSTER_READY, FIELD_MANAGER, Fleet, SOON, condition, is, kubeconfig};

mod cases;
mod disguises;

use cases::{Case, argo_cases, cases};
use disguises::disguises;

/// Commands that run at the same time: they mostly wait.
const COMMANDS: usize = 4;
/// From SIGTERM to the end.
const ENDED: Duration = Duration::from_secs(30);
/// The cluster that works while bad kubeconfigs are rotated in.
const STEADY: &str = "steady";

#[tokio::test]
async fn no_field_of_a_kubeconfig_is_ever_told() {
    let plane = |name: &str| ControlPlane::builder(name).api_only();
    let builder = Fleet::builder("canary").work(plane("canary-field")).work(plane(STEADY));
    let builder = builder.hub_arg("--log-level=trace").hub_arg("--accept-secrets-of=argo-cd");
    let mut fleet = builder.start().await;
    let cases = cases(&fleet.work[0]);
    let argo = argo_cases(&fleet.work[0]);
    for secret in cases.iter().chain(&argo).flat_map(|case| &case.secrets) {
        for disguise in disguises(secret) {
            fleet.keep_secret(disguise);
        }
    }
    register_all(&fleet, &cases, &argo).await;
    rotate_all(&fleet, &cases).await;
    run_commands(&fleet, &cases).await;
    look_at_pages(&fleet).await;
    fleet.assert_invariants().await;
    // What it says at its end is in its log, too.
    let ended = fleet.hub_mut().terminate(ENDED).await.unwrap();
    assert!(ended.success(), "{ended}");
    fleet.assert_invariants().await;
}

/// Registers all of them and waits until something is told of each.
async fn register_all(fleet: &Fleet, cases: &[Case], argo: &[Case]) {
    for case in cases {
        fleet.register_as(&case.name, &case.text).await;
    }
    for case in argo {
        let object = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": {"name": case.name, "labels": {"argocd.argoproj.io/secret-type": "cluster"}},
            "data": {
                "name": ByteString(case.name.as_bytes().to_vec()),
                "server": ByteString(fleet.work[0].url().into_bytes()),
                "config": ByteString(case.text.clone()),
            },
        });
        let params = PatchParams::apply(FIELD_MANAGER).force();
        fleet.registrations().await.patch(&case.name, &params, &Patch::Apply(object)).await.unwrap();
    }
    for case in cases.iter().chain(argo) {
        let told = fleet.wait_work_cluster(&case.name, CLUSTER_READY, |found| {
            let ready = condition(found, "Ready")?;
            let credentials = condition(found, "CredentialsValid");
            let refused = credentials
                .is_ok_and(|one| ["BadKubeConfig", "InsecureKubeConfig"].contains(&one.reason.as_str()));
            // A case that is refused although it should reach the cluster would prove nothing, and so the other way.
            if ready.status == "False" && refused != case.is_accepted {
                Ok(())
            } else {
                Err(format!("{found:?}"))
            }
        });
        told.await;
    }
}

/// The same kubeconfigs in the place of good ones, which stay in use.
async fn rotate_all(fleet: &Fleet, cases: &[Case]) {
    fleet.register_as(STEADY, kubeconfig(&fleet.work[1]).await).await;
    fleet.wait_cluster_ready(STEADY).await;
    for case in cases {
        fleet.register_as(STEADY, &case.text).await;
        let secret = fleet.registrations().await.get(&format!("{STEADY}-kubeconfig")).await.unwrap();
        let version = secret.metadata.resource_version.unwrap();
        let rejected = fleet.wait_work_cluster(STEADY, SOON, |found| {
            let seen = found.status.as_ref().and_then(|status| status.observed_secret.as_ref());
            if seen.is_none_or(|secret| secret.resource_version != version) {
                return Err(format!("{}: not seen", case.name));
            }
            is(&condition(found, "CredentialsValid")?, "False", "RotationRejected")?;
            is(&condition(found, "Ready")?, "True", "AllChecksPassed")
        });
        rejected.await;
    }
}

/// The commands that read a kubeconfig, or show what is known of one.
async fn run_commands(fleet: &Fleet, cases: &[Case]) {
    let directory = fleet.home.dir();
    let mut commands: Vec<(bool, Vec<String>)> = Vec::new();
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    for case in cases {
        let path = directory.join(&case.name);
        std::fs::write(&path, &case.text).unwrap();
        let path = path.to_str().unwrap();
        commands
            .push((false, words(&["doctor", "--allow-loopback-destinations", "--kubeconfig-file", path])));
        commands.push((true, words(&["register", "by-command", "--work-kubeconfig", path])));
        if case.is_accepted {
            commands.push((true, words(&["doctor", &case.name, "--allow-loopback-destinations"])));
        }
        commands.push((true, words(&["status", &case.name])));
    }
    commands.push((true, words(&["list", "-o", "wide"])));
    commands.push((true, words(&["list", "-o", "json"])));
    let ran = futures::stream::iter(commands).map(|(has_home, words)| async move {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        // Both search the output for secrets.
        let ran = if has_home { fleet.homebase(&words).await } else { fleet.bare(&words).await };
        let is_list = words[0] == "list";
        assert_eq!(ran.code == 0, is_list, "{words:?}: {ran:?}");
    });
    ran.buffer_unordered(COMMANDS).collect::<Vec<()>>().await;
}

async fn look_at_pages(fleet: &Fleet) {
    for path in ["/livez", "/readyz", "/healthz", "/readyz?verbose", "/metrics", "/", "/nowhere"] {
        let answer = fleet.hub().get(path).await.unwrap();
        fleet.assert_no_secret_in(path, &format!("{}{}", answer.head, answer.body));
    }
    // The log is that of the most talkative level: else this test proves little.
    assert!(fleet.hub().log_text().contains("\"level\":\"TRACE\""));
}
