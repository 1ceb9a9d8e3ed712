//! Accepts connections and serves them, each in a task of its own, within limits. It must not outlive its
//! shutdown by more than the drain time-out, and must not end because of what a client does.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{self, Next};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};

use crate::connections::{Connection, Connections};
use crate::limits::{ACCEPT_PAUSE, Limits, MAX_ACCEPT_FAILURES, MAX_HEADER_BYTES, MAX_HEADERS};
use crate::router::{HttpState, build_router};

/// Why the server ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Accepting failed for a minute without a break.
    #[error("cannot accept connections")]
    AcceptConnection {
        /// The last failure.
        source: io::Error,
    },
}

/// Serves `state` on `listener` until `shutdown` completes.
///
/// Limits: 64 connections at a time (one more closes the one on which nothing has been asked for longest), 10 s to send a header of at most 16 KiB and
/// 64 fields, no bodies, 10 s for an answer to be made, 5 minutes for a connection to last. After `shutdown`
/// nothing is accepted any more; requests under way may take 5 s, then their connections are cut.
///
/// # Errors
/// When no connection could be accepted for about a minute. What a client does is never an error.
pub async fn serve(
    listener: TcpListener,
    state: HttpState,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Error> {
    serve_within(Limits::default(), listener, state, shutdown).await
}

pub(crate) async fn serve_within(
    limits: Limits,
    listener: TcpListener,
    state: HttpState,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Error> {
    let router = build_router(state, &limits);
    let (stop, stopped) = watch::channel(false);
    let mut open = Connections::default();
    // One that was accepted and has no room yet.
    let mut waiting: Option<TcpStream> = None;
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    let result = loop {
        let stream = tokio::select! {
            biased;
            () = &mut shutdown => break Ok(()),
            Some(ended) = connections.join_next() => {
                if let Some(id) = report(ended) {
                    open.remove(id);
                }
                match waiting.take() {
                    Some(stream) => stream,
                    None => continue,
                }
            }
            accepted = accept(&listener), if waiting.is_none() => match accepted {
                Ok(stream) => stream,
                Err(source) => break Err(Error::AcceptConnection { source }),
            },
            // While an answer is being made on each connection, the next one waits.
            () = open.idle.notified(), if waiting.is_some() => match waiting.take() {
                Some(stream) => stream,
                None => continue,
            },
        };
        if open.len() >= limits.max_connections && !open.make_room() {
            waiting = Some(stream);
            continue;
        }
        let (id, connection) = open.add();
        connections.spawn(serve_connection(
            stream,
            (id, connection),
            router.clone(),
            limits,
            stopped.clone(),
        ));
    };
    // Whoever connects from here on is refused at once instead of waiting for nobody.
    drop(listener);
    // There is nobody to tell when there is no connection.
    let _ = stop.send(true);
    // Each connection drains within its own time-out, so this ends.
    while let Some(ended) = connections.join_next().await {
        report(ended);
    }
    result
}

/// Waits for a connection. Cancelling it loses none.
async fn accept(listener: &TcpListener) -> Result<TcpStream, io::Error> {
    let mut failures = 0;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return Ok(stream),
            Err(error) if is_about_one_connection(&error) => {}
            Err(error) if failures == MAX_ACCEPT_FAILURES => return Err(error),
            Err(error) => {
                failures += 1;
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Whether the client is gone before we got to it: the next one may be fine.
fn is_about_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

async fn serve_connection(
    stream: TcpStream,
    (id, open): (u64, Arc<Connection>),
    router: Router,
    limits: Limits,
    mut stopped: watch::Receiver<bool>,
) -> u64 {
    let asked = open.clone();
    let router = router.layer(middleware::from_fn(move |request: Request, next: Next| {
        let busy = asked.begin();
        async move {
            let answer = next.run(request).await;
            drop(busy);
            answer
        }
    }));
    let peer = stream.peer_addr().ok();
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_read_timeout)
        .max_buf_size(MAX_HEADER_BYTES)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        result = connection.as_mut() => Some(result),
        () = tokio::time::sleep(limits.connection_lifetime) => None,
        // Nothing has been asked, so there is nobody to be let finish.
        () = open.close.notified() => return id,
        _ = stopped.wait_for(|stopped| *stopped) => None,
    };
    let ended = if let Some(result) = ended {
        Ok(result)
    } else {
        connection.as_mut().graceful_shutdown();
        tokio::time::timeout(limits.drain_timeout, connection).await
    };
    report_connection(peer, ended);
    id
}

fn report_connection(
    peer: Option<SocketAddr>,
    ended: Result<hyper::Result<()>, tokio::time::error::Elapsed>,
) {
    match ended {
        Ok(Ok(())) => {}
        // What clients send is no reason for a line that everybody sees.
        Ok(Err(error)) => tracing::debug!(?peer, %error, "an HTTP connection failed"),
        Err(_) => tracing::debug!(?peer, "an HTTP connection was cut"),
    }
}

/// The connection that has ended.
fn report(ended: Result<u64, JoinError>) -> Option<u64> {
    if let Err(error) = &ended
        && error.is_panic()
    {
        tracing::error!("the task of an HTTP connection panicked");
    }
    ended.ok()
}
