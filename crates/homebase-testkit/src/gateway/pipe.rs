//! Passes the bytes of one connection on, both ways, and holds them back while the gateway is a black hole. It must
//! not look into them.

use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::{Behaviour, Phase};

/// What one read of a socket brings at most.
const BUFFER: usize = 16 * 1024;

/// Passes bytes on until one side ends or connections are cut.
pub(super) async fn pass(
    client: TcpStream,
    apiserver: SocketAddr,
    mut phase: watch::Receiver<Phase>,
    cuts: u64,
) {
    let (gate_up, gate_down) = (phase.clone(), phase.clone());
    let passing = async move {
        // An apiserver that is down ends the connection here as it would there.
        let Ok(server) = TcpStream::connect(apiserver).await else { return };
        // Small messages go out at once, as they came in.
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        tokio::join!(pump(from_client, to_server, gate_up), pump(from_server, to_client, gate_down));
    };
    tokio::select! {
        () = passing => {}
        _ = phase.wait_for(|now| now.cuts != cuts) => {}
    }
}

/// Passes bytes on in one direction. Its end, or any failure, is passed on as an end.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut phase: watch::Receiver<Phase>,
) {
    let mut buffer = vec![0; BUFFER];
    loop {
        let count = from.read(&mut buffer).await.unwrap_or(0);
        if phase.wait_for(|now| now.behaviour == Behaviour::Pass).await.is_err() {
            return;
        }
        if count == 0 || to.write_all(&buffer[..count]).await.is_err() {
            // The other side may have gone already.
            let _ = to.shutdown().await;
            return;
        }
    }
}
