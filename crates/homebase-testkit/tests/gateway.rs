//! Gateways on a real apiserver: what a client meets in each behaviour, on new connections and on open ones.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails, in its helpers too")]

use std::time::Duration;

use futures::StreamExt as _;
use homebase_testkit::{Behaviour, ControlPlane, Gateway, eventually};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, PostParams, WatchEvent, WatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use tokio::net::TcpStream;

/// Longer than anything on loopback takes that is not held back.
const HELD_BACK: Duration = Duration::from_secs(2);
const SOON: Duration = Duration::from_secs(10);

/// A client that has no connection yet.
async fn client(kubeconfig: &str, patience: Option<Duration>) -> kube::Client {
    let kubeconfig = Kubeconfig::from_yaml(kubeconfig).unwrap();
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    let mut config = config.unwrap();
    config.default_retry = false;
    config.proxy_url = None;
    config.connect_timeout = patience;
    config.read_timeout = patience;
    kube::Client::try_from(config).unwrap()
}

/// What a request comes to, in words; `ok` for an answer.
async fn ask(client: &kube::Client) -> String {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    match tokio::time::timeout(HELD_BACK * 2, namespaces.get("kube-system")).await {
        Ok(Ok(_)) => "ok".to_owned(),
        Ok(Err(error)) => format!("{error:?}"),
        Err(_) => "nothing".to_owned(),
    }
}

fn address(gateway: &Gateway) -> String {
    gateway.url().trim_start_matches("https://").to_owned()
}

#[tokio::test]
async fn a_gateway_passes_on_and_fails_in_each_way() {
    let plane = ControlPlane::builder("gateway").api_only().start().await.unwrap();
    let mut gateway = Gateway::start(&plane).await.unwrap();
    let kubeconfig = gateway.kubeconfig(&plane, &plane.admin_kubeconfig());
    let known = client(&kubeconfig, Some(HELD_BACK)).await;
    assert_eq!(ask(&known).await, "ok");

    let cases: [(Behaviour, &[&str]); 8] = [
        (Behaviour::Refuse, &["ConnectionRefused"]),
        (Behaviour::OtherAuthority, &["UnknownIssuer"]),
        (Behaviour::OtherName, &["NotValidForName"]),
        (Behaviour::Html, &["expected value"]),
        (Behaviour::InternalError, &["code: 500"]),
        (Behaviour::Unavailable, &["code: 503"]),
        (Behaviour::Truncated, &["UnexpectedEof", "IncompleteMessage", "incomplete"]),
        (Behaviour::Silence, &["TimedOut", "timed out", "Elapsed", "nothing"]),
    ];
    for (behaviour, expected) in cases {
        gateway.set(behaviour).await.unwrap();
        let said = ask(&client(&kubeconfig, Some(HELD_BACK)).await).await;
        assert!(expected.iter().any(|words| said.contains(words)), "{behaviour:?}: {said}");
        // A connection that was open before fails, too.
        assert_ne!(ask(&known).await, "ok", "{behaviour:?}");
        gateway.set(Behaviour::Pass).await.unwrap();
        assert_eq!(ask(&client(&kubeconfig, Some(HELD_BACK)).await).await, "ok", "after {behaviour:?}");
        eventually(format!("an open client recovers from {behaviour:?}"), SOON, || async {
            let said = ask(&known).await;
            if said == "ok" { Ok(()) } else { Err(said) }
        })
        .await
        .unwrap();
    }
}

#[tokio::test]
async fn a_black_hole_keeps_what_is_open_and_holds_it_back() {
    let plane = ControlPlane::builder("hole").api_only().start().await.unwrap();
    let mut gateway = Gateway::start(&plane).await.unwrap();
    let patient = client(&gateway.kubeconfig(&plane, &plane.admin_kubeconfig()), None).await;
    let watched: Api<Namespace> = Api::all(patient);
    let behind: Api<Namespace> = Api::all(plane.client().await.unwrap());
    let mut news = watched.watch(&WatchParams::default(), "0").await.unwrap().boxed();
    tokio::time::timeout(SOON, news.next()).await.unwrap().unwrap().unwrap();
    let black_holes = [Behaviour::DropSyns, Behaviour::Silence, Behaviour::TlsHang, Behaviour::AnswerNothing];
    for (number, behaviour) in black_holes.into_iter().enumerate() {
        gateway.set(behaviour).await.unwrap();
        let name = format!("made-{number}");
        let object = serde_json::from_value(serde_json::json!({"metadata": {"name": name}})).unwrap();
        behind.create(&PostParams::default(), &object).await.unwrap();
        let silence = async {
            // What was on its way before may come.
            while tell(news.next().await) != name {}
        };
        assert!(tokio::time::timeout(HELD_BACK, silence).await.is_err(), "{behaviour:?}");
        if behaviour == Behaviour::DropSyns {
            let connecting = TcpStream::connect(address(&gateway));
            assert!(tokio::time::timeout(HELD_BACK, connecting).await.is_err(), "a SYN was answered");
        }
        gateway.set(Behaviour::Pass).await.unwrap();
        let arrives = async { while tell(news.next().await) != name {} };
        tokio::time::timeout(SOON, arrives).await.unwrap();
    }
    // A cut ends what is open and nothing else.
    gateway.cut();
    let ends = async { while news.next().await.is_some_and(|event| event.is_ok()) {} };
    tokio::time::timeout(SOON, ends).await.unwrap();
    TcpStream::connect(address(&gateway)).await.unwrap();
}

/// The name of the object that an event is about.
fn tell(event: Option<kube::Result<WatchEvent<Namespace>>>) -> String {
    match event.unwrap().unwrap() {
        WatchEvent::Added(object) | WatchEvent::Modified(object) => object.metadata.name.unwrap(),
        _ => String::new(),
    }
}
