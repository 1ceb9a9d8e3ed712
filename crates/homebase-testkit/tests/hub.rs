//! The hub's launcher against a script that does what the launcher relies on:
//! it says where it listens, and ends on SIGTERM.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use homebase_testkit::{Error, HubBuilder, HubProcess, target_dir};

/// Loaded machines are slow; the script needs milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// A script in place of the hub. It gets its name, as tests run side by side.
fn script(name: &str, text: &str) -> HubBuilder {
    let path: PathBuf = target_dir().join("testkit").join(format!("{name}.sh"));
    fs::create_dir_all(target_dir().join("testkit")).expect("the directory can be made");
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("the script can be written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("the script can be made executable");
    HubProcess::builder(name, "kubeconfig: text").binary(path)
}

/// A listener in place of the hub's, which answers every request with 200.
fn listen() -> (u16, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = listener.local_addr().expect("it has an address").port();
    let answer = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("somebody connects");
        let mut request = [0; 4096];
        let read = stream.read(&mut request).expect("a request comes");
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").expect("the answer is taken");
        String::from_utf8_lossy(&request[..read]).into_owned()
    });
    (port, answer)
}

#[tokio::test]
async fn a_hub_is_started_with_its_arguments_asked_and_ended() {
    let (port, request) = listen();
    let text = format!(
        r#"trap 'echo bye; exit 7' TERM
echo "$@ $COLOUR" "$(cat "$3")" >&2
echo '{{"level":"INFO","fields":{{"message":"listening","address":"127.0.0.1:{port}"}}}}' >&2
while :; do sleep 0.05; done"#
    );
    let hub = script("fake-hub", &text).namespace("here").arg("--extra").env("COLOUR", "blue");
    let mut hub = hub.start().await.unwrap();
    assert_eq!(hub.address().port(), port);
    assert!(hub.resident_kib() > 0);
    let log = hub.log_text();
    assert!(
        log.contains("--namespace here --http-address 127.0.0.1:0 --extra blue kubeconfig: text"),
        "{log}"
    );

    hub.wait_ready(PATIENCE).await.unwrap();
    assert!(request.join().unwrap().starts_with("GET /readyz HTTP/1.1\r\n"));

    let dir = hub.dir().to_owned();
    let status = hub.terminate(PATIENCE).await.unwrap();
    assert_eq!(status.code(), Some(7));
    assert!(hub.log_text().ends_with("bye\n"));
    assert!(!hub.is_running());
    drop(hub);
    assert!(!dir.exists());
}

#[tokio::test]
async fn a_hub_that_ignores_sigterm_is_reported_and_killed() {
    let text = r#"trap '' TERM
echo '{"message":"listening","address":"127.0.0.1:1"}'
while :; do sleep 0.05; done"#;
    let mut hub = script("deaf-hub", text).start().await.unwrap();
    let error = hub.terminate(Duration::from_millis(300)).await.unwrap_err();
    assert!(matches!(error, Error::TimedOut { .. }), "{error}");
    assert!(hub.is_running());
    hub.kill9();
    assert!(!hub.is_running());
}

#[tokio::test]
async fn a_hub_that_ends_at_once_is_reported_with_its_last_words() {
    let error = script("dead-hub", "echo 'no such flag' >&2; exit 2").start().await.unwrap_err();
    let Error::Ended { status, tail, log, .. } = &error else { panic!("{error}") };
    assert!(status.contains('2'), "{status}");
    assert!(tail.contains("no such flag"), "{tail}");
    fs::remove_dir_all(log.parent().unwrap()).unwrap();
}
