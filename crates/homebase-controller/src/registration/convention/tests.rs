//! Secrets as the tools really write them.

use k8s_openapi::api::core::v1::Secret;
use serde_json::json;

use super::{Convention, Place};

fn secret(content: serde_json::Value) -> Secret {
    serde_json::from_value(content).unwrap()
}

fn names(convention: Convention, secret: &Secret) -> Vec<String> {
    convention.clusters(secret).into_iter().map(|(name, _)| name).collect()
}

#[test]
fn cluster_api_writes_several_secrets_of_a_cluster_and_one_of_them_registers_it() {
    let of = |name: &str, key: &str| {
        secret(json!({
            "metadata": { "name": name, "labels": { "cluster.x-k8s.io/cluster-name": "boston" } },
            "type": "cluster.x-k8s.io/secret",
            "data": { key: "eA==" },
        }))
    };
    assert!(Convention::ClusterApi.is_met(&of("boston-kubeconfig", "value")));
    assert!(!Convention::ClusterApi.is_met(&of("boston-ca", "tls.crt")));
    assert_eq!(names(Convention::ClusterApi, &of("boston-kubeconfig", "value")), ["boston"]);
    let mut foreign = of("boston-kubeconfig", "value");
    foreign.type_ = Some("Opaque".to_owned());
    assert!(!Convention::ClusterApi.is_met(&foreign), "a label alone makes no Secret of Cluster API");
}

#[test]
fn argo_cd_has_three_keys() {
    let found = secret(json!({
        "metadata": { "name": "x", "labels": { "argocd.argoproj.io/secret-type": "cluster" } },
        "data": { "name": "Ym9zdG9u", "server": "cw==" },
    }));
    let clusters = Convention::ArgoCd.clusters(&found);
    assert_eq!(
        clusters,
        [("boston".to_owned(), Place::ArgoCd { name: b"boston", server: b"s", config: b"" })]
    );
}

#[test]
fn each_key_of_istio_is_a_cluster_and_an_annotation_renames_none_of_them() {
    let found = secret(json!({
        "metadata": {
            "name": "x",
            "labels": { "istio/multiCluster": "true" },
            "annotations": { "homebase.dev/cluster-name": "other" },
        },
        "data": { "boston": "YQ==", "london": "Yg==" },
    }));
    assert_eq!(names(Convention::Istio, &found), ["boston", "london"]);
}

#[test]
fn a_secret_without_the_key_says_which_was_looked_for() {
    let found = secret(json!({ "metadata": { "name": "boston-kubeconfig" } }));
    let native = Convention::Native.clusters(&found);
    assert_eq!(native, [("boston".to_owned(), Place::Missing(&["kubeconfig", "value", "config"]))]);
    let runtime = Convention::MulticlusterRuntime.clusters(&found);
    assert_eq!(runtime, [("boston-kubeconfig".to_owned(), Place::Missing(&["kubeconfig"]))]);
}

#[test]
fn labels_with_other_values_register_nothing() {
    for (key, value) in [
        ("homebase.dev/cluster", "false"),
        ("sigs.k8s.io/multicluster-runtime-kubeconfig", "yes"),
        ("argocd.argoproj.io/secret-type", "repository"),
        ("istio/multiCluster", "false"),
    ] {
        let found = secret(json!({ "metadata": { "name": "x", "labels": { key: value } } }));
        assert!(!Convention::ALL.iter().any(|convention| convention.is_met(&found)), "{key}={value}");
    }
}

#[test]
fn argo_cd_restricts_to_namespaces_in_keys_of_its_own() {
    let of = |namespaces: Option<&str>, cluster: Option<&str>| {
        let mut data = std::collections::BTreeMap::new();
        for (key, value) in [("namespaces", namespaces), ("clusterResources", cluster)] {
            data.extend(value.map(|value| (key, k8s_openapi::ByteString(value.as_bytes().to_vec()))));
        }
        secret(json!({ "metadata": { "name": "x" }, "data": data }))
    };
    for (namespaces, cluster, list, keeps_cluster) in [
        (None, None, None, false),
        (Some(""), Some("false"), None, false),
        (Some(" \n"), None, None, false),
        (Some("a,b\n"), None, Some("a,b"), true),
        (Some("a"), Some("false"), Some("a"), true),
        (Some("a"), Some("true"), Some("a"), false),
    ] {
        let found = of(namespaces, cluster);
        let expected = super::Restriction {
            namespaces: list.map(|list| ("namespaces", list.as_bytes())),
            keeps_cluster,
        };
        assert_eq!(Convention::ArgoCd.restriction(&found), expected, "{namespaces:?} {cluster:?}");
        assert_eq!(Convention::Native.restriction(&found), super::Restriction::default());
    }
}
