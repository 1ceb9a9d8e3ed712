//! A front of one apiserver that ends TLS itself, keeps a record of every request, and lets a test change what the
//! apiserver answers: a cluster that lies. It must not change requests, nor answers to watches.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use homebase_planes::{ControlPlane, Error, Result};

use super::{io, tls};

/// Changes the answer to a request, which is named by its path and query.
type Change = dyn Fn(&str, &mut Value) + Send + Sync;
/// The pieces of the body of an answer that the front gives itself.
pub type OwnAnswer = Box<dyn Iterator<Item = Vec<u8>> + Send>;
/// Answers a request itself, which is named by method, path and query.
type Answer = dyn Fn(&str) -> Option<OwnAnswer> + Send + Sync;
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The front. Dropping it closes its port.
#[derive(Debug)]
pub struct Interceptor {
    port: u16,
    record: Arc<Mutex<Vec<String>>>,
    accepting: JoinHandle<()>,
}

/// What connections are served with.
struct Way {
    apiserver: SocketAddr,
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
    record: Arc<Mutex<Vec<String>>>,
    change: Box<Change>,
    answer: Box<Answer>,
}

impl Interceptor {
    /// A front of the apiserver of a plane. `change` is called with each answer of 200 that is no watch.
    ///
    /// # Errors
    /// If there is no port for it or its certificates cannot be made.
    pub async fn start(
        plane: &ControlPlane,
        change: impl Fn(&str, &mut Value) + Send + Sync + 'static,
    ) -> Result<Self> {
        Self::begin(plane, Box::new(change), Box::new(|_| None)).await
    }

    /// A front that answers a request itself, with 200 and a body that is sent piece by piece, where `answer` says so.
    ///
    /// # Errors
    /// As for [`Interceptor::start`].
    pub async fn answering(
        plane: &ControlPlane,
        answer: impl Fn(&str) -> Option<OwnAnswer> + Send + Sync + 'static,
    ) -> Result<Self> {
        Self::begin(plane, Box::new(|_, _| {}), Box::new(answer)).await
    }

    async fn begin(plane: &ControlPlane, change: Box<Change>, answer: Box<Answer>) -> Result<Self> {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(io("listen at an interceptor on"))?;
        let port = listener.local_addr().map_err(io("listen at an interceptor on"))?.port();
        let record = Arc::<Mutex<Vec<String>>>::default();
        let way = Way {
            apiserver: SocketAddr::from((Ipv4Addr::LOCALHOST, plane.apiserver_port())),
            server: tls::config(&plane.authority().serving()?)?,
            client: trusting(plane.authority().certificate()).map_err(|source| Error::Failed {
                action: "set up TLS of an interceptor".to_owned(),
                source,
            })?,
            record: record.clone(),
            change,
            answer,
        };
        let accepting = tokio::spawn(accept(listener, Arc::new(way)));
        Ok(Self { port, record, accepting })
    }

    /// A kubeconfig of the plane with the front's address in it.
    pub fn kubeconfig(&self, plane: &ControlPlane, kubeconfig: &str) -> String {
        kubeconfig.replace(&plane.url(), &format!("https://127.0.0.1:{}", self.port))
    }

    /// Method, path and query of every request so far, such as `GET /api/v1/pods?watch=true`.
    pub fn requests(&self) -> Vec<String> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Interceptor {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn trusting(authority: &str) -> std::result::Result<Arc<ClientConfig>, Failure> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.as_bytes())?)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}

async fn accept(listener: TcpListener, way: Arc<Way>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        let way = way.clone();
        // A connection that breaks is none of the test's business: the client asks again.
        tokio::spawn(async move { drop(serve(stream, &way).await) });
    }
}

/// Serves one request; its connection ends with the answer.
async fn serve(stream: TcpStream, way: &Way) -> std::result::Result<(), Failure> {
    let mut client = BufReader::new(TlsAcceptor::from(way.server.clone()).accept(stream).await?);
    let Some((head, body)) = read_request(&mut client).await? else { return Ok(()) };
    let first = head.lines().next().unwrap_or_default();
    let asked = first.rsplit_once(' ').map_or(first, |(asked, _)| asked).to_owned();
    way.record.lock().unwrap_or_else(PoisonError::into_inner).push(asked.clone());

    if let Some(pieces) = (way.answer)(&asked) {
        client
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n")
            .await?;
        for piece in pieces {
            client.write_all(&piece).await?;
        }
        client.shutdown().await?;
        return Ok(());
    }
    let server = TcpStream::connect(way.apiserver).await?;
    let name = ServerName::from(std::net::IpAddr::from(Ipv4Addr::LOCALHOST));
    let mut server = TlsConnector::from(way.client.clone()).connect(name, server).await?;
    server.write_all(&[head.as_bytes(), &body].concat()).await?;
    server.flush().await?;
    if asked.contains("watch=true") {
        tokio::io::copy(&mut server, &mut client).await?;
    } else {
        let mut answer = Vec::new();
        // Go's server ends the connection without a word of TLS now and then.
        drop(server.read_to_end(&mut answer).await);
        client.write_all(&changed(&asked, answer, way)).await?;
    }
    client.shutdown().await?;
    Ok(())
}

/// Head and body of one request, as HTTP/1.0, so that the answer is neither in chunks nor followed by another.
async fn read_request<Stream: AsyncRead + Unpin>(
    stream: &mut BufReader<Stream>,
) -> std::result::Result<Option<(String, Vec<u8>)>, Failure> {
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        if line.trim_end().is_empty() {
            break;
        }
        let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
        if name == "content-length" {
            length = line.split(':').nth(1).unwrap_or_default().trim().parse()?;
        }
        if !matches!(name.as_str(), "connection" | "accept-encoding") {
            head += &line.replace(" HTTP/1.1\r\n", " HTTP/1.0\r\n");
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(Some((head + "\r\n", body)))
}

/// The answer as the test wants it.
fn changed(asked: &str, answer: Vec<u8>, way: &Way) -> Vec<u8> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let Some(end) = end.filter(|_| answer.starts_with(b"HTTP/1.0 200 ")) else { return answer };
    let Ok(mut value) = serde_json::from_slice::<Value>(&answer[end + 4..]) else { return answer };
    (way.change)(asked, &mut value);
    let body = value.to_string();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
    format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}
