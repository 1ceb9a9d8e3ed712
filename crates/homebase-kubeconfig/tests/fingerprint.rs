//! The fingerprint changes exactly when a connection would be made in another way.

#![expect(clippy::unwrap_used, reason = "a test that cannot read its cases must fail")]

use std::fs;
use std::path::Path;

use homebase_kubeconfig::{Policy, sanitize, sanitize_argo};

fn case(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/accepted").join(name);
    fs::read_to_string(path).unwrap()
}

fn fingerprint(text: &str) -> String {
    let accepted = sanitize(text.as_bytes(), &Policy { allow_insecure: true, ..Policy::default() });
    accepted.unwrap_or_else(|faults| panic!("{faults:?} in\n{text}")).fingerprint().to_string()
}

#[test]
fn what_does_not_matter_does_not_count() {
    let plain = case("token.yaml");
    let same = [
        format!("# a comment\n{plain}"),
        plain.replace("canary-user", "renamed"),
        plain.replace("canary-context", "renamed"),
        plain.replace("users:\n", "users:\n- name: unused\n  user: {token: another}\n"),
        plain.replace("apiVersion: v1\nkind: Config\n", ""),
        case("json.yaml"),
        case("base64-folded-lines.yaml"),
    ];
    for text in same {
        assert_eq!(fingerprint(&plain), fingerprint(&text), "{text}");
    }
}

#[test]
fn whatever_matters_counts() {
    let plain = case("token.yaml");
    let different = [
        plain.clone(),
        plain.replace("canary-token", "canary-tokem"),
        plain.replace(":6443", ":6444"),
        case("namespace.yaml"),
        case("tls-server-name.yaml"),
        case("no-authority-system-roots.yaml"),
        case("two-authorities.yaml"),
        case("another-authority.yaml"),
        case("client-certificate.yaml"),
        case("client-certificate-ec-key.yaml"),
        case("policy-insecure-unverified.yaml"),
        case("policy-insecure-http.yaml"),
        case("policy-insecure-proxy.yaml"),
        case("policy-insecure-proxy-https.yaml"),
    ];
    let mut fingerprints: Vec<_> = different.iter().map(|text| fingerprint(text)).collect();
    fingerprints.sort();
    fingerprints.dedup();
    assert_eq!(fingerprints.len(), different.len());
}

#[test]
fn the_convention_does_not_count() {
    let kubeconfig = case("token.yaml");
    let authority =
        kubeconfig.lines().find_map(|line| line.trim().strip_prefix("certificate-authority-data: "));
    let config = format!(
        r#"{{"bearerToken":"canary-token","tlsClientConfig":{{"insecure":false,"caData":"{}"}}}}"#,
        authority.unwrap()
    );
    let server = b"https://canary.example.com:6443";
    let argo = sanitize_argo(b"canary", server, config.as_bytes(), &Policy::default());
    let argo = argo.unwrap_or_else(|faults| panic!("{faults:?}"));
    assert_eq!(argo.fingerprint().to_string(), fingerprint(&kubeconfig));
}
