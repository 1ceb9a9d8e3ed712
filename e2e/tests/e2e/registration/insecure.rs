//! Insecure kubeconfigs: they are taken when the registration asks for it and the hub's settings allow it, and then they
//! work and say what they are. It must not go into plain HTTP, which no kube-apiserver speaks any more.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use homebase_api::annotations;
use homebase_testkit::ControlPlane;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use super::secrets::{Form, field, wait_taken, works};
use crate::fleet::pool::{connections, fleet, lease, no_connection};
use crate::support::{CLUSTER_READY, Fleet, SOON, hub_requests, kubeconfig};

/// The hub's setting.
const SETTING: &str = "--allow-insecure-registrations";

fn allowed(secret: &Form) -> Form {
    secret.clone().annotated(json!({annotations::ALLOW_INSECURE: "true"}))
}

/// The line of a kubeconfig with the authority, replaced.
fn with_line(kubeconfig: &str, line: &str) -> String {
    let authority = field(kubeconfig, "certificate-authority-data");
    kubeconfig.replace(&format!("certificate-authority-data: {authority}"), line)
}

/// A proxy that forwards what it is asked to by CONNECT, and counts that. It ends with the test.
struct Proxy {
    address: SocketAddr,
    tunnels: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Proxy {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let tunnels = Arc::new(AtomicUsize::new(0));
        let count = tunnels.clone();
        let task = tokio::spawn(async move {
            // They end with the task.
            let mut running = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let count = count.clone();
                // A connection that breaks is the end of its tunnel and of nothing else.
                running.spawn(async move { forward(stream, &count).await.ok() });
            }
        });
        Self { address, tunnels, task }
    }
}

async fn forward(stream: TcpStream, tunnels: &AtomicUsize) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        if line.trim().is_empty() {
            break;
        }
        lines.push(line);
    }
    let target = lines.first().and_then(|line| line.strip_prefix("CONNECT ")?.split(' ').next());
    let Some(target) = target else { return stream.write_all(b"HTTP/1.1 405 No\r\n\r\n").await };
    assert!(!lines.iter().any(|line| line.to_lowercase().starts_with("authorization")), "credentials");
    let mut server = TcpStream::connect(target).await?;
    stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
    tunnels.fetch_add(1, Ordering::SeqCst);
    copy_bidirectional(&mut stream, &mut server).await.map(|_| ())
}

#[tokio::test]
async fn a_hub_without_the_setting_refuses_what_a_registration_allows() {
    let (fleet, [plane]) = (fleet().await, lease().await);
    let text = kubeconfig(&plane).await;
    let mark = plane.audit_mark().unwrap();
    for (line, named) in [
        ("insecure-skip-tls-verify: true", "insecure-skip-tls-verify"),
        ("proxy-url: http://127.0.0.1:9", "proxy-url"),
    ] {
        let secret = Form::native("unallowed", &with_line(&text, line));
        for secret in [secret.clone(), allowed(&secret)] {
            secret.put(fleet).await;
            let refused = ("CredentialsValid", "False", "InsecureKubeConfig");
            let named = fleet.wait_work_cluster("unallowed", SOON, |found| {
                let credentials = crate::support::condition(found, refused.0)?;
                crate::support::is(&credentials, refused.1, refused.2)?;
                let words = [named, SETTING, annotations::ALLOW_INSECURE];
                let all = words.iter().all(|word| credentials.message.contains(word));
                if all { Ok(()) } else { Err(credentials.message) }
            });
            named.await;
        }
    }
    no_connection(fleet.hub(), &plane).await;
    assert_eq!(hub_requests(&plane, mark), Vec::new());
    // A registration that is not insecure works, whatever it allows.
    let version = allowed(&Form::native("unallowed", &text)).put(fleet).await;
    wait_taken(fleet, "unallowed", &version).await;
    fleet.assert_invariants().await;
}

#[tokio::test]
async fn what_both_allow_works_and_says_that_it_is_insecure() {
    let plane = ControlPlane::builder("insecure").api_only();
    let fleet = Fleet::builder("insecure").work(plane).hub_arg(SETTING).start().await;
    let plane = &fleet.work[0];
    let text = kubeconfig(plane).await;
    unverified(&fleet, plane, &text).await;
    proxied(&fleet, plane, &text).await;
    fleet.assert_invariants().await;
}

async fn unverified(fleet: &Fleet, plane: &ControlPlane, text: &str) {
    // Another cluster's authority does not know this server.
    let alien = fleet.home.admin_kubeconfig();
    let alien = field(&alien, "certificate-authority-data");
    let line = format!("certificate-authority-data: {alien}");
    allowed(&Form::native("insecure", &with_line(text, &line))).put(fleet).await;
    fleet.wait_condition("insecure", ("Reachable", "False", "TLSFailure"), CLUSTER_READY).await;

    let secret = Form::native("insecure", &with_line(text, "insecure-skip-tls-verify: true"));
    secret.put(fleet).await;
    let refused = ("CredentialsValid", "False", "InsecureKubeConfig");
    let (message, _) = fleet.wait_condition("insecure", refused, SOON).await;
    assert!(message.contains(annotations::ALLOW_INSECURE), "{message}");

    let version = allowed(&secret).put(fleet).await;
    wait_taken(fleet, "insecure", &version).await;
    let (message, _) = fleet.wait_condition("insecure", ("Ready", "True", "AllChecksPassed"), SOON).await;
    assert!(message.contains("insecure") && message.contains("verifies"), "{message}");
    works(plane, "insecure", 1).await;
}

async fn proxied(fleet: &Fleet, plane: &ControlPlane, text: &str) {
    let proxy = Proxy::start().await;
    let line = format!(
        "certificate-authority-data: {}\n    proxy-url: http://{}",
        field(text, "certificate-authority-data"),
        proxy.address
    );
    // In mid-run: the session goes on through the proxy.
    let secret = Form::native("insecure", &with_line(text, &line));
    let version = allowed(&secret).put(fleet).await;
    wait_taken(fleet, "insecure", &version).await;
    let through = fleet.wait_work_cluster("insecure", SOON, |found| {
        let ready = crate::support::condition(found, "Ready")?;
        if ready.message.contains("proxy") { Ok(()) } else { Err(ready.message) }
    });
    through.await;
    assert!(proxy.tunnels.load(Ordering::SeqCst) > 0, "nothing came through the proxy");
    works(plane, "insecure", 2).await;

    // From the start, and then nothing but the proxy leads there.
    fleet.deregister(&crate::support::Registration { secret: secret.name.clone() }).await;
    no_connection(fleet.hub(), plane).await;
    let version = allowed(&secret).put(fleet).await;
    wait_taken(fleet, "insecure", &version).await;
    works(plane, "insecure", 3).await;
    assert_eq!(connections(fleet.hub(), plane), 0, "a connection that does not go through the proxy");

    drop(proxy);
    let lost = ("Reachable", "False", "ConnectionRefused");
    fleet.wait_condition("insecure", lost, CLUSTER_READY).await;
}
