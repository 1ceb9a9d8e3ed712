//! The server as a client sees it, over real TCP: answers, limits, and the end.

use std::future::pending;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::limits::Limits;
use crate::server::serve_within;
use crate::{Check, Error, Health, HttpState, serve};

/// A limit that a test waits for.
const SHORT: Duration = Duration::from_millis(150);
/// A limit that must not be reached; a test that waits this long has failed.
const LONG: Duration = Duration::from_secs(20);

fn limits() -> Limits {
    Limits {
        max_connections: 8,
        header_read_timeout: LONG,
        answer_timeout: LONG,
        connection_lifetime: LONG,
        drain_timeout: LONG,
    }
}

fn state() -> HttpState {
    HttpState {
        metrics: Arc::new(|| Ok("# EOF\n".to_owned())),
        live: Arc::new(Health::default),
        ready: Arc::new(Health::default),
    }
}

struct Server {
    address: SocketAddr,
    shutdown: oneshot::Sender<()>,
    task: JoinHandle<Result<(), Error>>,
}

impl Server {
    async fn start(state: HttpState, limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (shutdown, stopped) = oneshot::channel();
        let task = tokio::spawn(serve_within(limits, listener, state, async {
            let _ = stopped.await;
        }));
        Self { address, shutdown, task }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends a request on a connection of its own and returns all of the answer.
    async fn request(&self, head: &str) -> String {
        let mut stream = self.connect().await;
        stream
            .write_all(format!("{head}\r\nhost: hub\r\nconnection: close\r\n\r\n").as_bytes())
            .await
            .unwrap();
        read_to_end(&mut stream).await
    }

    async fn get(&self, path: &str) -> String {
        self.request(&format!("GET {path} HTTP/1.1")).await
    }
}

async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    // A reset is an end as well: what counts is what came before.
    let _ =
        timeout(LONG, stream.read_to_end(&mut answer)).await.expect("the server does not end the connection");
    String::from_utf8(answer).unwrap()
}

/// Reads one answer of a connection that stays open. The bodies of the tests end with a line end.
async fn read_answer(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    while !String::from_utf8_lossy(&answer)
        .split_once("\r\n\r\n")
        .is_some_and(|(_, body)| body.ends_with('\n'))
    {
        let mut byte = [0];
        timeout(LONG, stream.read_exact(&mut byte)).await.unwrap().unwrap();
        answer.push(byte[0]);
    }
    String::from_utf8(answer).unwrap()
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("no answer")
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}

fn failing() -> Health {
    Health(vec![
        Check { name: "supervisor", outcome: Ok(None) },
        Check { name: "home-watch", outcome: Err("not synced".into()) },
    ])
}

#[tokio::test]
async fn probes_are_ok_when_no_check_fails() {
    let server = Server::start(state(), limits()).await;
    for path in ["/livez", "/healthz", "/readyz", "/livez?timeout=1s"] {
        let answer = server.get(path).await;
        assert_eq!((status(&answer), body(&answer)), ("200", "ok\n"), "{path}");
        assert!(answer.contains("content-type: text/plain; charset=utf-8\r\n"), "{answer}");
        assert!(answer.contains("cache-control: no-store\r\n"), "{answer}");
    }
}

#[tokio::test]
async fn a_probe_names_the_checks_that_fail() {
    let server = Server::start(HttpState { ready: Arc::new(failing), ..state() }, limits()).await;
    let answer = server.get("/readyz").await;
    assert_eq!((status(&answer), body(&answer)), ("503", "[-]home-watch failed: not synced\n"));
    assert_eq!(status(&server.get("/livez").await), "200");
}

#[tokio::test]
async fn verbose_lists_all_checks() {
    let live = || Health(vec![Check { name: "supervisor", outcome: Ok(None) }]);
    let server =
        Server::start(HttpState { live: Arc::new(live), ready: Arc::new(failing), ..state() }, limits())
            .await;
    let answer = server.get("/readyz?verbose").await;
    assert_eq!(body(&answer), "[+]supervisor ok\n[-]home-watch failed: not synced\ncheck failed\n");
    for path in ["/livez?verbose", "/healthz?a=b&verbose=true"] {
        assert_eq!(body(&server.get(path).await), "[+]supervisor ok\ncheck passed\n", "{path}");
    }
    assert_eq!(body(&server.get("/livez?verbosely").await), "ok\n");
}

#[tokio::test]
async fn metrics_are_in_the_format_that_is_asked_for() {
    let server = Server::start(state(), limits()).await;
    let answer = server.request("GET /metrics HTTP/1.1\r\naccept: application/openmetrics-text").await;
    assert_eq!((status(&answer), body(&answer)), ("200", "# EOF\n"));
    assert!(answer.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"));
    let answer = server.get("/metrics").await;
    assert_eq!((status(&answer), body(&answer)), ("200", ""));
    assert!(answer.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"));
    let answer = server.request("HEAD /metrics HTTP/1.1").await;
    assert_eq!((status(&answer), body(&answer)), ("200", ""));
}

#[tokio::test]
async fn other_paths_methods_and_bodies_are_refused() {
    let server = Server::start(state(), limits()).await;
    for path in ["/", "/metrics/", "/metricsz", "/debug/pprof", "/../livez", "//livez"] {
        assert_eq!(status(&server.get(path).await), "404", "{path}");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"] {
        assert_eq!(status(&server.request(&format!("{method} /livez HTTP/1.1")).await), "405", "{method}");
    }
    for header in ["content-length: 1", "transfer-encoding: chunked"] {
        let answer = server.request(&format!("GET /livez HTTP/1.1\r\n{header}")).await;
        assert_eq!(status(&answer), "413", "{header}");
    }
    assert_eq!(status(&server.request("GET /livez HTTP/1.1\r\ncontent-length: 0").await), "200");
}

#[tokio::test]
async fn headers_are_limited_in_size_and_number() {
    let server = Server::start(state(), limits()).await;
    let long = format!("GET /livez HTTP/1.1\r\nx: {}", "x".repeat(20_000));
    assert_eq!(status(&server.request(&long).await), "431");
    let many = format!("GET /livez HTTP/1.1{}", "\r\nx: x".repeat(100));
    assert_eq!(status(&server.request(&many).await), "431");
    let few = format!("GET /livez HTTP/1.1{}", "\r\nx: x".repeat(40));
    assert_eq!(status(&server.request(&few).await), "200");
}

#[tokio::test]
async fn what_is_no_http_ends_the_connection() {
    let server = Server::start(state(), limits()).await;
    let mut stream = server.connect().await;
    stream.write_all(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n").await.unwrap();
    assert_eq!(status(&read_to_end(&mut stream).await), "400");
    assert_eq!(status(&server.get("/livez").await), "200");
}

#[tokio::test]
async fn a_header_that_trickles_in_ends_the_connection() {
    let server = Server::start(state(), Limits { header_read_timeout: SHORT, ..limits() }).await;
    let mut stream = server.connect().await;
    let begin = Instant::now();
    stream.write_all(b"GET /livez HTTP/1.1\r\nx: ").await.unwrap();
    // Each byte is well within the limit, all of them are not.
    let ended = loop {
        let mut byte = [0];
        match timeout(SHORT / 10, stream.read(&mut byte)).await {
            Ok(Ok(0) | Err(_)) => break true,
            Ok(Ok(_)) => {}
            Err(_) if begin.elapsed() > LONG => break false,
            Err(_) => {
                if stream.write_all(b"x").await.is_err() {
                    break true;
                }
            }
        }
    };
    assert!(ended, "the connection is still open");
    assert!(begin.elapsed() >= SHORT, "the connection was closed too early");
}

#[tokio::test]
async fn a_connection_on_which_nothing_is_asked_is_closed() {
    let server = Server::start(state(), Limits { header_read_timeout: SHORT, ..limits() }).await;
    let mut silent = server.connect().await;
    assert_eq!(read_to_end(&mut silent).await, "");
    let mut idle = server.connect().await;
    idle.write_all(b"GET /livez HTTP/1.1\r\nhost: hub\r\n\r\n").await.unwrap();
    assert_eq!(status(&read_to_end(&mut idle).await), "200");
}

#[tokio::test]
async fn connections_on_which_nothing_is_asked_keep_no_probe_out() {
    let server = Server::start(state(), Limits { max_connections: 8, ..limits() }).await;
    let mut held = Vec::new();
    for number in 0..100 {
        let mut stream = server.connect().await;
        // Silent ones, dripping ones, and some that have asked before.
        match number % 3 {
            0 => {}
            1 => stream.write_all(b"GET /liv").await.unwrap(),
            _ => {
                stream.write_all(b"GET /livez HTTP/1.1\r\nhost: hub\r\n\r\n").await.unwrap();
                assert_eq!(status(&read_answer(&mut stream).await), "200");
            }
        }
        held.push(stream);
        if number % 10 == 0 {
            assert_eq!(status(&server.get("/readyz").await), "200");
        }
    }
    // The first ones have made room.
    assert_eq!(read_to_end(&mut held[0]).await, "");
}

#[tokio::test]
async fn connections_on_which_an_answer_is_made_make_no_room() {
    let (release, hold) = mpsc::channel::<()>();
    let (begin, is_begun) = oneshot::channel();
    let parts = Mutex::new((hold, Some(begin)));
    let metrics = move || {
        let mut parts = parts.lock().unwrap();
        parts.1.take().unwrap().send(()).unwrap();
        // A test that fails releases it by its end.
        let _ = parts.0.recv();
        Ok("# EOF\n".to_owned())
    };
    let state = HttpState { metrics: Arc::new(metrics), ..state() };
    let server = Server::start(state, Limits { max_connections: 1, ..limits() }).await;
    let mut busy = server.connect().await;
    busy.write_all(b"GET /metrics HTTP/1.1\r\nhost: hub\r\nconnection: close\r\n\r\n").await.unwrap();
    is_begun.await.unwrap();
    let mut waiting = server.connect().await;
    waiting.write_all(b"GET /livez HTTP/1.1\r\nhost: hub\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut byte = [0];
    let early = timeout(SHORT, waiting.read_exact(&mut byte)).await;
    assert!(early.is_err(), "the connection with an answer under way was closed");
    release.send(()).unwrap();
    assert_eq!(status(&read_to_end(&mut busy).await), "200");
    assert_eq!(status(&read_to_end(&mut waiting).await), "200");
}

#[tokio::test]
async fn a_connection_ends_after_its_lifetime() {
    let server = Server::start(state(), Limits { connection_lifetime: SHORT, ..limits() }).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /livez HTTP/1.1\r\nhost: hub\r\n\r\n").await.unwrap();
    assert_eq!(status(&read_to_end(&mut stream).await), "200");
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off() {
    let metrics = || Ok("x".repeat(64 << 20));
    let limits = Limits { connection_lifetime: SHORT, drain_timeout: SHORT, max_connections: 1, ..limits() };
    let server = Server::start(HttpState { metrics: Arc::new(metrics), ..state() }, limits).await;
    let mut deaf = server.connect().await;
    deaf.write_all(b"GET /metrics HTTP/1.1\r\nhost: hub\r\n\r\n").await.unwrap();
    // The only slot is free again while the deaf client still holds its end.
    assert_eq!(status(&server.get("/livez").await), "200");
    drop(deaf);
}

#[tokio::test]
async fn a_source_that_panics_or_fails_is_500_and_harms_nothing_else() {
    let broken = Arc::new(AtomicBool::new(true));
    let switch = Arc::clone(&broken);
    let metrics = move || {
        assert!(!switch.load(Ordering::SeqCst), "a test panics on purpose");
        Err(std::fmt::Error)
    };
    let server = Server::start(HttpState { metrics: Arc::new(metrics), ..state() }, limits()).await;
    let answer = server.get("/metrics").await;
    assert_eq!((status(&answer), body(&answer)), ("500", "the answer failed\n"));
    broken.store(false, Ordering::SeqCst);
    let answer = server.get("/metrics").await;
    assert_eq!((status(&answer), body(&answer)), ("500", "the metrics cannot be rendered\n"));
    assert_eq!(status(&server.get("/livez").await), "200");
}

#[tokio::test]
async fn a_check_that_hangs_fails() {
    let (release, hang) = mpsc::channel::<()>();
    let hang = Mutex::new(hang);
    let live = move || {
        let _ = hang.lock().unwrap().recv();
        Health::default()
    };
    let limits = Limits { answer_timeout: SHORT, ..limits() };
    let server = Server::start(HttpState { live: Arc::new(live), ..state() }, limits).await;
    let answer = server.get("/livez").await;
    assert_eq!((status(&answer), body(&answer)), ("503", "the answer took too long\n"));
    assert_eq!(status(&server.get("/readyz").await), "200");
    drop(release);
}

#[tokio::test]
async fn shutdown_lets_requests_finish_and_refuses_new_ones() {
    let (release, hang) = mpsc::channel::<()>();
    let (entered, mut inside) = tokio::sync::mpsc::unbounded_channel();
    let hang = Mutex::new(hang);
    let live = move || {
        entered.send(()).unwrap();
        let _ = hang.lock().unwrap().recv();
        Health::default()
    };
    let Server { address, shutdown, task } =
        Server::start(HttpState { live: Arc::new(live), ..state() }, limits()).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /livez HTTP/1.1\r\nhost: hub\r\n\r\n").await.unwrap();
    inside.recv().await.unwrap();
    shutdown.send(()).unwrap();
    let refused = async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    timeout(LONG, refused).await.expect("new connections are still accepted");
    assert!(!task.is_finished());
    release.send(()).unwrap();
    assert_eq!(status(&read_to_end(&mut stream).await), "200");
    timeout(LONG, task).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn shutdown_does_not_wait_for_clients_for_ever() {
    let Server { address, shutdown, task } =
        Server::start(state(), Limits { drain_timeout: SHORT, ..limits() }).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /livez HTTP/1.1\r\nhost: hub\r\n\r\n").await.unwrap();
    read_answer(&mut stream).await;
    stream.write_all(b"GET /livez HTTP/1.1\r\nhost: ").await.unwrap();
    shutdown.send(()).unwrap();
    timeout(LONG, task).await.expect("the server waits for a client").unwrap().unwrap();
}

#[tokio::test]
async fn the_server_runs_until_it_is_told_to_stop() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = serve(listener, state(), pending());
    assert!(timeout(SHORT, server).await.is_err());
}
