//! Registrations that are broken, hostile or not accepted by the cluster: each says why within seconds, harms nobody,
//! runs nothing, and shows no secret. It must not repeat what the tests of the sanitizer say about each field.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use homebase_api::annotations;
use homebase_testkit::{eventually, target_dir};
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::pool::{BROKEN, CANARY, apply_iris, fleet, lease, wait_deployment};
use crate::support::{Fleet, NAMESPACE, SOON, events, kubeconfig};

/// Every fault is to be seen on the `WorkCluster` and in an Event within this time. Half of the cases must do so: a
/// single one may fall into a second in which the machine has no time for anybody.
const SHOWN: Duration = Duration::from_secs(5);

/// A kubeconfig that is good but for its `cluster` and its `user`, which are given as lines of YAML.
fn text(cluster: &str, user: &str) -> Vec<u8> {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters:\n- name: c\n  cluster: {cluster}\nusers:\n\
         - name: u\n  user: {user}\ncontexts:\n- name: c\n  context: {{cluster: c, user: u}}\n"
    )
    .into_bytes()
}

struct Case {
    name: &'static str,
    kubeconfig: Vec<u8>,
    reason: &'static str,
    /// What the message must say.
    says: &'static str,
}

const BAD: &str = "BadKubeConfig";
const INSECURE: &str = "InsecureKubeConfig";

/// The cases; `good` is a kubeconfig that works and `touched` is a file that an executed command would make.
fn cases(good: &str, touched: &Path, secret_file: &Path) -> Vec<Case> {
    let case = |name, reason, says, kubeconfig| Case { name, kubeconfig, reason, says };
    let cluster = "{server: 'https://127.0.0.1:6443'}";
    let user = format!("{{token: {CANARY}}}");
    let command = format!("echo {CANARY} > {}", touched.display());
    let exec = format!(
        "{{exec: {{apiVersion: client.authentication.k8s.io/v1, command: sh, args: [-c, '{command}'], \
         interactiveMode: Never, env: [{{name: A, value: {CANARY}}}]}}}}"
    );
    let provider =
        format!("{{auth-provider: {{name: gcp, config: {{cmd-path: sh, cmd-args: '-c \"{command}\"'}}}}}}");
    let file = secret_file.display();
    let half = good.as_bytes()[..good.find("token: ").unwrap() + 60].to_vec();
    let random = [CANARY.as_bytes(), b": \xff\xfe\x00\x01 [", CANARY.as_bytes()].concat();
    vec![
        case("garbage", BAD, "is not plain UTF-8 text", random),
        case("garbled", BAD, "is not valid YAML", format!("a: {CANARY}\n  b: [{CANARY}").into_bytes()),
        case("truncated", BAD, "names an entry that is not in `contexts`", half),
        case("empty", BAD, "is empty", Vec::new()),
        case("exec", INSECURE, "users[0].user.exec", text(cluster, &exec)),
        case("provider", INSECURE, "users[0].user.auth-provider", text(cluster, &provider)),
        case(
            "token-file",
            INSECURE,
            "users[0].user.tokenFile",
            text(cluster, &format!("{{tokenFile: '{file}'}}")),
        ),
        case(
            "key-file",
            INSECURE,
            "users[0].user.client-key",
            text(cluster, &format!("{{client-certificate: '{file}', client-key: '{file}'}}")),
        ),
        case(
            "authority-file",
            INSECURE,
            "clusters[0].cluster.certificate-authority",
            text(&format!("{{server: 'https://127.0.0.1:6443', certificate-authority: '{file}'}}"), &user),
        ),
        case(
            "plain-http",
            INSECURE,
            "clusters[0].cluster.server",
            text("{server: 'http://127.0.0.1:6443'}", &user),
        ),
        case(
            "in-address",
            INSECURE,
            "clusters[0].cluster.server",
            text(&format!("{{server: 'https://user:{CANARY}@127.0.0.1:6443'}}"), &user),
        ),
        case(
            "unknown-field",
            BAD,
            "does not know",
            text(cluster, &format!("{{{CANARY}: x, token: {CANARY}}}")),
        ),
    ]
}

/// The condition and the Event of a registration that cannot be used; returns the message.
async fn wait_shown(fleet: &Fleet, name: &str, reason: &str) -> String {
    let (message, _) = fleet.wait_condition(name, ("CredentialsValid", "False", reason), SOON).await;
    fleet.wait_condition(name, ("Ready", "False", "InvalidRegistration"), SOON).await;
    eventually(format!("an Event {reason} on {name}"), SOON, || async {
        let events = events(&fleet.home, NAMESPACE, name).await;
        let told = events.iter().any(|event| {
            let note = event.note.as_deref().unwrap_or_default();
            event.reason.as_deref() == Some(reason)
                && event.type_.as_deref() == Some("Warning")
                && note == message
        });
        if told { Ok(()) } else { Err(format!("{events:?}")) }
    })
    .await
    .unwrap();
    message
}

/// A path of which nothing is there yet.
fn scratch(name: &str) -> PathBuf {
    let path = target_dir().join("testkit").join(format!("hostile-{}-{name}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    path
}

#[tokio::test]
async fn a_kubeconfig_that_cannot_be_used_says_why_and_harms_nobody() {
    let (fleet, [plane]) = (fleet().await, lease().await);
    let good = kubeconfig(&plane).await;
    fleet.register_as("untouched", &good).await;
    fleet.wait_cluster_ready("untouched").await;
    apply_iris(&plane, "untouched", "app", 1).await;
    let before = wait_deployment(&plane, ("untouched", "app"), 1).await;
    let neighbour = fleet.work_cluster("untouched").await.unwrap().status.unwrap();

    let (touched, secret_file) = (scratch("touched"), scratch("secret"));
    std::fs::write(&secret_file, CANARY).unwrap();
    let mut times = Vec::new();
    for case in cases(&good, &touched, &secret_file) {
        let start = Instant::now();
        let registration = fleet.register_as(case.name, &case.kubeconfig).await;
        let message = wait_shown(fleet, case.name, case.reason).await;
        times.push(start.elapsed());
        assert!(message.contains(case.says), "{}: {message}", case.name);
        fleet.assert_no_secret_in("the message", &message);
        fleet.deregister(&registration).await;
    }
    times.sort();
    eprintln!(
        "figure: bad Secret to condition and Event: median {:?}, all {times:?}",
        times[times.len() / 2]
    );
    assert!(times[times.len() / 2] < SHOWN, "{times:?}");
    assert!(!touched.exists(), "a command of a kubeconfig was run");
    std::fs::remove_file(&secret_file).unwrap();

    let after = fleet.work_cluster("untouched").await.unwrap().status.unwrap();
    assert_eq!(after.conditions, neighbour.conditions);
    assert_eq!(wait_deployment(&plane, ("untouched", "app"), 1).await, before);
    apply_iris(&plane, "untouched", "app", 2).await;
    wait_deployment(&plane, ("untouched", "app"), 2).await;
    fleet.assert_invariants().await;
}

#[tokio::test]
async fn a_bad_registration_that_is_there_at_the_start_says_why() {
    let fleet = fleet().await;
    let message = wait_shown(fleet, BROKEN, BAD).await;
    assert!(message.contains("is missing"), "{message}");
    fleet.assert_invariants().await;
}

#[tokio::test]
async fn a_secret_without_a_kubeconfig_says_so() {
    let fleet = fleet().await;
    let secrets = fleet.registrations().await;
    let registration = fleet.register_as("keyless", "x").await;
    let patch = Patch::Merge(json!({"data": {"kubeconfig": null, "elsewhere": ""}}));
    secrets.patch(&registration.secret, &PatchParams::default(), &patch).await.unwrap();
    let message = wait_shown(fleet, "keyless", "KeyNotFound").await;
    assert!(message.contains("kubeconfig or value or config"), "{message}");
    fleet.deregister(&registration).await;
    fleet.assert_invariants().await;
}

#[tokio::test]
async fn a_setting_that_cannot_be_carried_out_ends_the_session_and_says_so() {
    // To work in all namespaces would be to do what somebody forbade.
    let (fleet, [plane]) = (fleet().await, lease().await);
    let secrets = fleet.registrations().await;
    fleet.register_as("narrow", kubeconfig(&plane).await).await;
    fleet.wait_cluster_ready("narrow").await;
    // What was there before is looked at first.
    let mark = super::pool::settled(&plane).await;
    let patch = Patch::Merge(json!({"metadata": {"annotations": {annotations::WATCH_NAMESPACES: "*"}}}));
    secrets.patch("narrow-kubeconfig", &PatchParams::default(), &patch).await.unwrap();
    let message = wait_shown(fleet, "narrow", BAD).await;
    assert!(message.contains(annotations::WATCH_NAMESPACES), "{message}");
    super::pool::no_connection(fleet.hub(), &plane).await;
    assert_eq!(crate::support::hub_requests(&plane, mark), Vec::new());
    fleet.assert_invariants().await;
}

#[tokio::test]
async fn a_token_that_the_cluster_refuses_says_so() {
    let (fleet, [plane]) = (fleet().await, lease().await);
    let good = kubeconfig(&plane).await;
    let line = good.lines().find(|line| line.contains("token: ")).unwrap();
    let start = Instant::now();
    let bad = good.replace(line, &format!("    token: {CANARY}"));
    fleet.register_as("refused", bad).await;
    let refused = ("CredentialsValid", "False", "Unauthorized");
    let (message, _) = fleet.wait_condition("refused", refused, SOON).await;
    eprintln!("figure: refused token to condition: {:?}", start.elapsed());
    assert!(message.contains("put a kubeconfig with valid credentials"), "{message}");
    fleet.wait_condition("refused", ("Ready", "False", "CredentialsInvalid"), SOON).await;
    // It answers, after all.
    fleet.wait_condition("refused", ("Reachable", "True", "ProbeSucceeded"), SOON).await;

    fleet.register_as("refused", &good).await;
    fleet.wait_cluster_ready("refused").await;
    fleet.assert_invariants().await;
}
