//! What `register` writes: rights no wider than the table, and a kubeconfig that the hub takes.

use homebase_api::annotations;
use homebase_core::Namespaces;
use homebase_kube::permissions::{NEEDS, Scope};
use kube::Config;

use super::{Account, Endpoint, PLACEHOLDER, checked, pem, secret};

/// A token as long as real ones, in which a writer of YAML might break the line.
fn token() -> String {
    format!("eyJhbGciOiJSUzI1NiJ9.{}.sig-nature_", "aB3-_".repeat(250))
}

fn endpoint(authorities: Option<Vec<Vec<u8>>>) -> Endpoint {
    let mut config = Config::new("https://api.example.com:6443".parse().unwrap());
    config.root_cert = authorities;
    Endpoint::new(&config, None, None)
}

#[test]
fn the_hub_takes_what_is_written() {
    let text = endpoint(None).kubeconfig(&"boston".parse().unwrap(), &token()).unwrap();
    assert!(text.contains(&format!("token: {}\n", token())), "the token is not on the line of its field");
    let kubeconfig = checked(text.as_bytes(), false).unwrap();
    assert_eq!(kubeconfig.server().url(), "https://api.example.com:6443");
    let read = kubeconfig.credentials().token().expect("no token");
    assert!(read.expose() == token(), "another token came out than went in");
    assert!(endpoint(None).kubeconfig(&"boston".parse().unwrap(), PLACEHOLDER).is_ok());
}

#[test]
fn a_renewal_keeps_where_and_how_the_hub_connects() {
    let config = Config::new("https://api.example.com".parse().unwrap());
    let endpoint = Endpoint::new(&config, Some("https://10.0.0.1:443/path"), Some("api.internal"));
    let text = endpoint.kubeconfig(&"boston".parse().unwrap(), "one").unwrap();
    let registered = checked(text.as_bytes(), false).unwrap();
    assert_eq!(Endpoint::of_registration(&registered), endpoint);
}

#[test]
fn what_the_hub_would_refuse_is_not_written() {
    let mut config = Config::new("http://api.example.com".parse().unwrap());
    let id = "boston".parse().unwrap();
    let error = Endpoint::new(&config, None, None).kubeconfig(&id, "canary").unwrap_err().to_string();
    assert!(error.contains("clusters[0].cluster.server"), "{error}");
    assert!(!error.contains("canary"), "{error}");
    config.cluster_url = "https://api.example.com".parse().unwrap();
    let error =
        Endpoint::new(&config, None, Some("no name")).kubeconfig(&id, "canary").unwrap_err().to_string();
    assert!(error.contains("tls-server-name"), "{error}");
}

#[test]
fn an_address_of_this_machine_is_doubtful() {
    for (server, doubtful) in [
        ("https://127.0.0.1:6443", true),
        ("https://[::1]:6443", true),
        ("https://localhost:6443", true),
        ("https://10.0.0.1:6443", false),
        ("https://api.example.com", false),
    ] {
        let config = Config::new(server.parse().unwrap());
        assert_eq!(Endpoint::new(&config, None, None).doubt().is_some(), doubtful, "{server}");
    }
}

#[test]
fn certificates_are_pem() {
    let text = pem(&[vec![1; 100], vec![2]]);
    assert_eq!(text.matches("-----BEGIN CERTIFICATE-----\n").count(), 2);
    assert_eq!(text.matches("-----END CERTIFICATE-----\n").count(), 2);
    assert!(text.lines().all(|line| line.len() <= 64), "{text}");
}

fn account(watched: Namespaces) -> Account {
    Account { namespace: "hub".to_owned(), name: "reader".to_owned(), watched, hub: None }
}

fn two() -> Namespaces {
    Namespaces::Only(["b", "a"].map(|name| name.parse().unwrap()).into())
}

#[test]
fn the_rights_of_an_account_for_some_namespaces_are_in_them_alone() {
    let account = account(two());
    let wide = NEEDS.iter().filter(|need| need.scope == Scope::Cluster).count();
    let narrow = NEEDS.iter().filter(|need| need.scope == Scope::WatchedNamespaces).count();
    assert_eq!(account.role().rules.unwrap().len(), wide);
    let roles = account.roles();
    assert_eq!(roles.len(), 2);
    for ((role, binding), namespace) in roles.into_iter().zip(["a", "b"]) {
        assert_eq!(role.rules.unwrap().len(), narrow);
        assert_eq!(role.metadata.namespace.as_deref(), Some(namespace));
        assert_eq!(binding.metadata, role.metadata);
        assert_eq!(
            (binding.role_ref.kind.as_str(), Some(binding.role_ref.name)),
            ("Role", role.metadata.name)
        );
        assert_eq!(binding.subjects, account.binding().subjects);
    }
    assert!(super::tests::account(Namespaces::All).roles().is_empty());
}

#[test]
fn a_renewal_keeps_an_insecure_registration_as_it_is() {
    for insecure in ["insecure-skip-tls-verify: true", "proxy-url: \"http://proxy.example.com:3128\""] {
        let text = format!(
            "current-context: c\nclusters: [{{name: c, cluster: {{server: 'https://a:6443', {insecure}}}}}]\nusers: \
             [{{name: u, user: {{token: one}}}}]\ncontexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n"
        );
        assert!(checked(text.as_bytes(), false).is_err(), "{insecure}");
        let endpoint = Endpoint::of_registration(&checked(text.as_bytes(), true).unwrap());
        let renewed = endpoint.kubeconfig(&"boston".parse().unwrap(), "two").unwrap();
        assert_eq!(Endpoint::of_registration(&checked(renewed.as_bytes(), true).unwrap()), endpoint);
        assert!(checked(renewed.as_bytes(), false).is_err(), "{insecure}");
    }
}

#[test]
fn the_rights_are_those_of_the_table_and_bound_to_the_account_alone() {
    let account = account(Namespaces::All);
    assert_eq!(account.role().rules.unwrap().len(), NEEDS.len());
    let binding = account.binding();
    assert_eq!(binding.role_ref.name, account.role().metadata.name.unwrap());
    let subjects = binding.subjects.unwrap();
    assert_eq!(subjects.len(), 1);
    assert_eq!((subjects[0].namespace.as_deref(), subjects[0].name.as_str()), (Some("hub"), "reader"));
}

#[test]
fn the_secret_is_a_registration() {
    let secret = secret("boston-kubeconfig", "homebase-system", "text".to_owned(), &Namespaces::All);
    assert_eq!(secret.metadata.annotations, None);
    assert!(super::super::fleet::is_registration(&secret));
    assert_eq!(secret.string_data.unwrap()["kubeconfig"], "text");
}

#[test]
fn a_registration_for_some_namespaces_says_so() {
    let secret = secret("boston-kubeconfig", "homebase-system", "text".to_owned(), &two());
    assert_eq!(secret.metadata.annotations.unwrap()[annotations::WATCH_NAMESPACES], "a,b");
}
