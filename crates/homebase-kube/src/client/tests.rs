//! What clients make of servers that do not answer as they should, on real sockets.

use std::sync::Arc;

use http::{Method, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use homebase_kubeconfig::{Policy, SanitizedKubeconfig, sanitize};
use kube::Client;

use super::{BuildClientError, ClientLimits, bare_config, build_client, build_registered_client};
use crate::destination::DestinationPolicy;
use crate::error::Category;
use crate::identity::fetch_identity;
use crate::observe::Observer;

struct Nobody;

impl Observer for Nobody {
    fn request(&self, _: &Method, _: &str, _: Option<StatusCode>) {}
    fn watch_started(&self, _: &str) {}
    fn watch_activity(&self, _: &str) {}
    fn watch_ended(&self, _: &str) {}
}

const LIMITS: ClientLimits = ClientLimits { max_in_flight: 4, requests_per_second: 100 };

async fn category_of(server: &str) -> Category {
    let config = bare_config(server.parse().unwrap());
    let policy = DestinationPolicy { allow_loopback: true };
    let client = build_client(&config, policy, LIMITS, Arc::new(Nobody)).unwrap();
    fetch_identity(&client).await.unwrap_err().category()
}

#[tokio::test]
async fn a_port_where_nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    assert_eq!(category_of(&format!("https://{address}")).await, Category::ConnectionRefused);
}

#[tokio::test]
async fn a_server_without_tls() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut hello = [0; 64];
            let _ = stream.read(&mut hello).await;
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    assert_eq!(category_of(&format!("https://{address}")).await, Category::Tls);
}

#[tokio::test]
async fn a_name_that_does_not_resolve() {
    assert_eq!(category_of("https://no-such-host.invalid:6443").await, Category::Dns);
}

#[tokio::test]
async fn an_address_that_is_refused_as_a_literal_and_as_a_name() {
    let policy = DestinationPolicy::default();
    for literal in ["https://127.0.0.1:6443", "https://[::1]:6443", "https://169.254.169.254"] {
        let built = build_client(&bare_config(literal.parse().unwrap()), policy, LIMITS, Arc::new(Nobody));
        assert!(matches!(built, Err(BuildClientError::CheckDestination(_))), "{literal}");
    }
    let config = bare_config("https://localhost:6443".parse().unwrap());
    let client = build_client(&config, policy, LIMITS, Arc::new(Nobody)).unwrap();
    assert_eq!(fetch_identity(&client).await.unwrap_err().category(), Category::DestinationRefused);
}

fn insecure(cluster: &str) -> SanitizedKubeconfig {
    let text = format!(
        "current-context: c\nclusters: [{{name: c, cluster: {{{cluster}}}}}]\nusers: [{{name: u, user: {{token: \
         hunter2}}}}]\ncontexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n"
    );
    let policy = Policy { allow_insecure: true, ..Policy::default() };
    sanitize(text.as_bytes(), &policy).unwrap_or_else(|faults| panic!("{faults:?}"))
}

fn registered(cluster: &str, allow_loopback: bool) -> Result<Client, BuildClientError> {
    let destinations = DestinationPolicy { allow_loopback };
    build_registered_client(&insecure(cluster), None, destinations, LIMITS, Arc::new(Nobody))
}

/// Takes one connection, answers what it is told to, and returns what was asked.
async fn answering(answer: &'static [u8]) -> (std::net::SocketAddr, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = vec![0; 4096];
        let length = stream.read(&mut asked).await.unwrap();
        stream.write_all(answer).await.unwrap();
        String::from_utf8_lossy(&asked[..length]).into_owned()
    });
    (address, asked)
}

const KUBE_SYSTEM: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 110\r\n\r\n\
    {\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":{\"name\":\"kube-system\",\"uid\":\"u\"}}    ";

#[tokio::test]
async fn a_registration_without_tls_is_asked_without_tls() {
    let (address, asked) = answering(KUBE_SYSTEM).await;
    let client = registered(&format!("server: 'http://{address}'"), true).unwrap();
    let identity = fetch_identity(&client).await.unwrap();
    assert_eq!(identity.uid.as_str(), "u");
    let asked = asked.await.unwrap();
    assert!(asked.starts_with("GET /api/v1/namespaces/kube-system HTTP/1.1\r\n"), "{asked}");
    assert!(asked.contains("authorization: Bearer hunter2\r\n"), "{asked}");
}

#[tokio::test]
async fn a_configuration_without_tls_is_refused_where_nothing_allows_it() {
    let policy = DestinationPolicy { allow_loopback: true };
    let config = bare_config("http://127.0.0.1:6443".parse().unwrap());
    let built = build_client(&config, policy, LIMITS, Arc::new(Nobody));
    assert!(matches!(built, Err(BuildClientError::RefuseInsecure)));
}

#[tokio::test]
async fn a_proxy_is_asked_to_forward_and_gets_no_token() {
    let (address, asked) = answering(b"HTTP/1.1 403 Forbidden\r\n\r\n").await;
    let cluster = format!("server: 'https://no-such-host.invalid:6443', proxy-url: 'http://{address}'");
    let error = fetch_identity(&registered(&cluster, true).unwrap()).await.unwrap_err();
    let words = homebase_core::Chain(&error).to_string();
    assert!(words.contains("through the proxy of the registration"), "{words}");
    let asked = asked.await.unwrap();
    assert!(asked.starts_with("CONNECT no-such-host.invalid:6443 HTTP/1.1\r\n"), "{asked}");
    assert!(!asked.contains("hunter2"), "{asked}");
}

#[tokio::test]
async fn a_proxy_that_nobody_listens_on_is_a_refused_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let cluster = format!("server: 'https://no-such-host.invalid', proxy-url: 'http://{address}'");
    let error = fetch_identity(&registered(&cluster, true).unwrap()).await.unwrap_err();
    assert_eq!(error.category(), Category::ConnectionRefused);
}

#[tokio::test]
async fn the_address_of_a_proxy_is_checked_as_a_literal_and_as_a_name() {
    let server = "server: 'https://api.example.com'";
    for literal in ["http://127.0.0.1:3128", "http://[::1]:3128", "https://169.254.169.254"] {
        let built = registered(&format!("{server}, proxy-url: '{literal}'"), false);
        assert!(matches!(built, Err(BuildClientError::CheckDestination(_))), "{literal}");
    }
    let client = registered(&format!("{server}, proxy-url: 'http://localhost:3128'"), false).unwrap();
    assert_eq!(fetch_identity(&client).await.unwrap_err().category(), Category::DestinationRefused);
    // What is asked of the proxy is checked as far as it is an address.
    let built = registered("server: 'https://169.254.169.254', proxy-url: 'http://proxy.example.com'", true);
    assert!(matches!(built, Err(BuildClientError::CheckDestination(_))));
}
