//! What a gateway answers when it does not pass connections on: nothing, or one answer to every request. It must
//! read requests whole, so that a client never takes a reset for the answer.

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::Behaviour;
use super::tls::Identities;

/// Above the head of any request of the hub, of which the token is the largest part.
const MAX_HEAD: u64 = 64 * 1024;

/// Serves one connection until its client ends it.
pub(super) async fn serve(mut stream: TcpStream, identities: &Identities, behaviour: Behaviour) {
    match behaviour {
        // Its own listener has none to hand out, or the apiserver serves it.
        Behaviour::Pass | Behaviour::Refuse | Behaviour::DropSyns => {}
        Behaviour::Silence => std::future::pending().await,
        Behaviour::TlsHang => {
            // Read to its end, and kept open after it.
            let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
            std::future::pending::<()>().await;
        }
        _ => {
            // A handshake that fails is what some of them are for.
            let acceptor = TlsAcceptor::from(identities.of(behaviour));
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let mut stream = BufReader::new(stream);
            while read_request(&mut stream).await.is_some() {
                let Some((answer, ends)) = answer(behaviour) else {
                    // The next request, or nothing, for ever.
                    continue;
                };
                if stream.write_all(answer.as_bytes()).await.is_err() || stream.flush().await.is_err() || ends
                {
                    break;
                }
            }
            // Says goodbye in TLS, if anybody is there.
            let _ = stream.shutdown().await;
        }
    }
}

/// Reads one request with its body; none at the end of the connection.
async fn read_request<Stream: AsyncRead + Unpin>(stream: &mut BufReader<Stream>) -> Option<()> {
    let mut length = 0;
    let mut lines = 0;
    loop {
        let mut line = String::new();
        let count = (&mut *stream).take(MAX_HEAD).read_line(&mut line).await.ok()?;
        let line = line.trim_end();
        match (count, line) {
            (0, _) => return None,
            (_, "") if lines > 0 => break,
            _ => lines += 1,
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().ok()?;
        }
    }
    tokio::io::copy(&mut (&mut *stream).take(length), &mut tokio::io::sink()).await.ok()?;
    Some(())
}

const HTML: &str =
    "<!DOCTYPE html><html><head><title>Sign in</title></head><body>Please sign in.</body></html>";
const STATUS: &str = r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"etcdserver: request timed out","reason":"InternalError","code":500}"#;

/// The answer to any request, and whether the connection ends after it; none for no answer.
fn answer(behaviour: Behaviour) -> Option<(String, bool)> {
    let whole = |status: &str, kind: &str, body: &str| {
        format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    };
    let answer = match behaviour {
        Behaviour::Html => whole("200 OK", "text/html", HTML),
        Behaviour::InternalError => whole("500 Internal Server Error", "application/json", STATUS),
        Behaviour::Unavailable => whole("503 Service Unavailable", "text/html", HTML),
        Behaviour::Truncated => {
            let answer = whole("200 OK", "application/json", STATUS);
            answer[..answer.len() - STATUS.len() / 2].to_owned()
        }
        _ => return None,
    };
    Some((answer, behaviour == Behaviour::Truncated))
}
