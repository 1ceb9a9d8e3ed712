//! What clients make of servers that do not answer as they should, on real sockets.

use std::sync::Arc;

use http::{Method, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::{BuildClientError, ClientLimits, bare_config, build_client};
use crate::destination::DestinationPolicy;
use crate::error::Category;
use crate::identity::fetch_identity;
use crate::observe::Observer;

struct Nobody;

impl Observer for Nobody {
    fn request(&self, _: &Method, _: &str, _: Option<StatusCode>) {}
    fn watch_started(&self, _: &str) {}
    fn watch_activity(&self, _: &str) {}
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
