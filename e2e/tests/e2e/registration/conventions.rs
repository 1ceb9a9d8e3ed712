//! Each form in which another tool keeps one cluster in one Secret: it engages the cluster under the name that the
//! tool gives it, and losing the label, or the Secret, disengages it. It must not say anything about native Secrets.

use serde_json::json;

use super::secrets::{Form, assert_left_alone, field, wait_gone, wait_taken, with_certificate, works};
use crate::fleet::pool::{CANARY, fleet, lease};
use crate::support::{Fleet, NAMESPACE, SOON, events, kubeconfig};

/// The type that Cluster API gives all Secrets of a cluster.
const CLUSTER_API_TYPE: &str = "cluster.x-k8s.io/secret";

fn cluster_api(cluster: &str, purpose: &str) -> Form {
    let labels = json!({"cluster.x-k8s.io/cluster-name": cluster});
    Form::new(format!("{cluster}-{purpose}"), labels).of_type(CLUSTER_API_TYPE)
}

#[tokio::test]
async fn cluster_api_registers_its_clusters_and_not_their_certificates() {
    let (fleet, [plane]) = (fleet().await, lease().await);
    // They come first, as Cluster API makes them first, and would win.
    for cluster in ["capi", "capi-other"] {
        for purpose in ["ca", "etcd", "sa", "proxy"] {
            cluster_api(cluster, purpose).with("tls.crt", "x").with("tls.key", "y").put(fleet).await;
        }
    }
    let secret = cluster_api("capi", "kubeconfig").with("value", kubeconfig(&plane).await);
    let version = secret.put(fleet).await;
    wait_taken(fleet, "capi", &version).await;
    let before = works(&plane, "capi", 1).await;
    let seen = fleet.work_cluster("capi").await.unwrap().status.unwrap().observed_secret.unwrap();
    assert_eq!(seen.name, secret.name);
    for name in ["capi-ca", "capi-other", "capi-other-ca", "capi-kubeconfig"] {
        assert!(fleet.work_cluster(name).await.is_none(), "{name}");
        assert_eq!(events(&fleet.home, NAMESPACE, name).await, Vec::new(), "{name}");
    }

    secret.clone().labelled(json!({})).put(fleet).await;
    wait_gone(fleet, "capi").await;
    assert_left_alone(fleet, &plane, "capi", (1, &before)).await;
    // Without its type it is something else that carries the label.
    secret.delete(fleet).await;
    let alike = secret.of_type("Opaque");
    alike.put(fleet).await;
    assert_nothing_more(fleet, &["capi"]).await;
    fleet.assert_invariants().await;
}

/// What was put before has been read, as a registration that comes after it has been, and made no cluster.
async fn assert_nothing_more(fleet: &Fleet, names: &[&str]) {
    let cluster = format!("after-{}", names[0]);
    // Each convention has a watch of its own, so one of each has to come after.
    let last = [
        cluster_api(&cluster, "kubeconfig").with("value", ""),
        Form::new(format!("{cluster}-mcr"), json!({"sigs.k8s.io/multicluster-runtime-kubeconfig": "true"})),
        argo(&format!("{cluster}-argo"), "https://127.0.0.1:1", "{}"),
    ];
    for secret in &last {
        secret.put(fleet).await;
    }
    for suffix in ["", "-mcr", "-argo"] {
        let invalid = ("Ready", "False", "InvalidRegistration");
        fleet.wait_condition(&format!("{cluster}{suffix}"), invalid, SOON).await;
    }
    for name in names {
        assert!(fleet.work_cluster(name).await.is_none(), "{name}");
    }
    for secret in &last {
        secret.delete(fleet).await;
    }
}

#[tokio::test]
async fn multicluster_runtime_calls_a_cluster_as_its_secret_is_called() {
    let (fleet, [plane]) = (fleet().await, lease().await);
    let label = |value: &str| json!({"sigs.k8s.io/multicluster-runtime-kubeconfig": value});
    let secret = Form::new("mcr-kubeconfig", label("true")).with("kubeconfig", kubeconfig(&plane).await);
    let version = secret.put(fleet).await;
    wait_taken(fleet, "mcr-kubeconfig", &version).await;
    let before = works(&plane, "mcr", 1).await;
    assert!(fleet.work_cluster("mcr").await.is_none());

    secret.clone().labelled(label("false")).put(fleet).await;
    wait_gone(fleet, "mcr-kubeconfig").await;
    assert_left_alone(fleet, &plane, "mcr", (1, &before)).await;
    let version = secret.put(fleet).await;
    wait_taken(fleet, "mcr-kubeconfig", &version).await;
    assert_eq!(works(&plane, "mcr", 2).await.0, before.0);
    secret.delete(fleet).await;
    wait_gone(fleet, "mcr-kubeconfig").await;
    fleet.assert_invariants().await;
}

/// Argo CD names the Secret by server and checksum; the cluster's name is a key.
pub(super) fn argo(cluster: &str, server: &str, config: &str) -> Form {
    Form::new(format!("cluster-127.0.0.1-{cluster}"), json!({"argocd.argoproj.io/secret-type": "cluster"}))
        .with("name", cluster)
        .with("server", server)
        .with("config", config)
}

#[tokio::test]
async fn argo_cd_registers_by_token_and_by_certificate() {
    let (fleet, [plane]) = (fleet().await, lease().await);
    let (by_token, by_certificate) = (kubeconfig(&plane).await, with_certificate(&plane));
    fleet.keep_tokens_of(&by_token);
    let authority = field(&by_token, "certificate-authority-data");
    let token = json!({
        "bearerToken": field(&by_token, "token"),
        "tlsClientConfig": {"insecure": false, "caData": authority},
    });
    let secret = argo("argo", &plane.url(), &token.to_string());
    let version = secret.put(fleet).await;
    wait_taken(fleet, "argo", &version).await;
    let before = works(&plane, "argo", 1).await;

    let certificate = json!({"tlsClientConfig": {
        "insecure": false, "caData": authority, "serverName": "kubernetes",
        "certData": field(&by_certificate, "client-certificate-data"),
        "keyData": field(&by_certificate, "client-key-data"),
    }});
    fleet.keep_secret(field(&by_certificate, "client-key-data"));
    let secret = secret.with("config", certificate.to_string());
    let version = secret.put(fleet).await;
    wait_taken(fleet, "argo", &version).await;
    assert_eq!(works(&plane, "argo", 2).await.0, before.0);

    let before = wait_settled(&plane).await;
    secret.delete(fleet).await;
    wait_gone(fleet, "argo").await;
    assert_left_alone(fleet, &plane, "argo", (2, &before)).await;
    // It works from the start as well.
    let version = secret.put(fleet).await;
    wait_taken(fleet, "argo", &version).await;
    assert_eq!(works(&plane, "argo", 3).await.0, before.0);
    // Without its label it is one of Argo CD's other Secrets.
    secret.labelled(json!({"argocd.argoproj.io/secret-type": "repository"})).put(fleet).await;
    wait_gone(fleet, "argo").await;
    fleet.assert_invariants().await;
}

/// The Deployment as it is when all has been said about it.
async fn wait_settled(plane: &homebase_testkit::ControlPlane) -> (String, String) {
    crate::fleet::pool::settled(plane).await;
    crate::fleet::pool::wait_deployment(plane, ("argo", "app"), 2).await
}

#[tokio::test]
async fn argo_cd_may_not_have_a_command_run() {
    let fleet = fleet().await;
    let command = json!({"command": "touch", "args": [CANARY], "apiVersion": CANARY});
    let cases = [
        ("argo-exec", "config.execProviderConfig", json!({"execProviderConfig": command})),
        ("argo-aws", "config.awsAuthConfig", json!({"awsAuthConfig": {"clusterName": CANARY}})),
        ("argo-basic", "config.password", json!({"username": "u", "password": CANARY})),
    ];
    for (name, says, config) in cases {
        let secret = argo(name, "https://127.0.0.1:6443", &config.to_string());
        secret.put(fleet).await;
        let refused = ("CredentialsValid", "False", "InsecureKubeConfig");
        let (message, _) = fleet.wait_condition(name, refused, SOON).await;
        assert!(message.contains(says), "{message}");
        fleet.wait_condition(name, ("Ready", "False", "InvalidRegistration"), SOON).await;
        secret.delete(fleet).await;
        wait_gone(fleet, name).await;
    }
    fleet.assert_invariants().await;
}

#[tokio::test]
async fn conventions_that_were_not_asked_for_are_not_taken() {
    // A hub of its own, with its default settings; its registrations are there before it starts.
    let mut fleet = Fleet::builder("unasked").start_planes().await;
    let istio = json!({"istio/multiCluster": "true"});
    let unasked = [
        cluster_api("u-capi", "kubeconfig").with("value", "x"),
        argo("u-argo", "https://127.0.0.1:1", "{}"),
        Form::new("istio-remote", istio).with("u-istio", "x"),
    ];
    let asked = [
        Form::new("u-mcr", json!({"sigs.k8s.io/multicluster-runtime-kubeconfig": "true"})),
        Form::native("u-native", "x"),
    ];
    for secret in unasked.iter().chain(&asked) {
        secret.put(&fleet).await;
    }
    fleet.start_hub().await;
    for name in ["u-mcr", "u-native"] {
        fleet.wait_condition(name, ("Ready", "False", "InvalidRegistration"), SOON).await;
    }
    for name in ["u-capi", "u-argo", "u-istio"] {
        assert!(fleet.work_cluster(name).await.is_none(), "{name}");
    }
    fleet.assert_invariants().await;
}
