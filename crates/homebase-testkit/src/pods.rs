//! What an apiserver finds at the addresses of its pods, which KWOK invents: the apiserver reaches them through an egress
//! proxy (KEP-1281), as where nodes are behind a tunnel, and the proxy is here. A test says how each pod answers. It must
//! answer at the address that the apiserver dials, and for nobody else.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::{env, fs, thread};

use homebase_planes::Watchdog;

use crate::{Error, Result};

/// The largest head of a request; those of apiservers have some hundred bytes.
const MAX_HEAD_LINES: usize = 100;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// How a pod answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PodBehaviour {
    /// With this status and body.
    Answer(u16, String),
    /// It takes the request and never answers.
    Silence,
    /// It closes the connection.
    Gone,
}

/// A request that came to a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodRequest {
    /// The pod, as `NAMESPACE/NAME`.
    pub pod: String,
    /// The address and port that the apiserver dialled.
    pub address: String,
    /// The path.
    pub path: String,
}

#[derive(Default)]
struct State {
    behaviours: BTreeMap<String, PodBehaviour>,
    requests: Vec<PodRequest>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the socket is. It goes with its owner, also when that is the whole process.
struct Directory {
    path: PathBuf,
    _watchdog: Watchdog,
}

impl Directory {
    fn create() -> Result<Self> {
        // Not in the target directory: the path of a socket has 107 bytes at most.
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("homebase-pods-{}-{n}", process::id()));
        fs::create_dir_all(&path).map_err(Error::io("create", &path))?;
        Ok(Self { _watchdog: Watchdog::start(Some(&path))?, path })
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // It lies where the system tidies up by itself.
        drop(fs::remove_dir_all(&self.path));
    }
}

/// The network of the pods of one control plane. A pod of which nothing is said is gone. Its threads live as long as the
/// process: they wait for connections and do nothing else.
#[derive(Clone)]
pub struct PodNetwork {
    socket: PathBuf,
    shared: Arc<Shared>,
    _directory: Arc<Directory>,
}

impl std::fmt::Debug for PodNetwork {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PodNetwork").field("socket", &self.socket).finish_non_exhaustive()
    }
}

impl PodNetwork {
    /// Begins to listen.
    ///
    /// # Errors
    /// If the socket cannot be made.
    pub fn start() -> Result<Self> {
        let directory = Directory::create()?;
        let socket = directory.path.join("proxy.sock");
        let listener = UnixListener::bind(&socket).map_err(Error::io("listen on", &socket))?;
        let network = Self { socket, shared: Arc::default(), _directory: Arc::new(directory) };
        let shared = network.shared.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = shared.clone();
                // A connection that breaks is the apiserver's to open again.
                thread::spawn(move || drop(serve(&stream, &shared)));
            }
        });
        Ok(network)
    }

    /// The socket of the proxy, for `Builder::pod_proxy`.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// From now on a pod (`NAMESPACE/NAME`) answers like this, whichever pod of that name it is.
    pub fn set(&self, pod: impl Into<String>, behaviour: PodBehaviour) {
        self.shared.lock().behaviours.insert(pod.into(), behaviour);
        self.shared.changed.notify_all();
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<PodRequest> {
        self.shared.lock().requests.clone()
    }
}

/// Serves one connection: the apiserver says where it wants to be connected to, and then speaks with the pod.
fn serve(stream: &UnixStream, shared: &Shared) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut writer = stream;
    let head = read_head(&mut reader)?;
    let mut words = head.first().map(String::as_str).unwrap_or_default().split(' ');
    let (Some("CONNECT"), Some(address)) = (words.next(), words.next()) else { return Ok(()) };
    writer.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
    loop {
        let head = read_head(&mut reader)?;
        let Some(pod) = pod_of(&head) else { return Ok(()) };
        let path = head[0].split(' ').nth(1).unwrap_or_default().to_owned();
        let request = PodRequest { pod: pod.clone(), address: address.to_owned(), path };
        let mut state = shared.lock();
        state.requests.push(request);
        // A request that nobody answers is given up by the apiserver in time; the thread sees that only when it writes.
        while state.behaviours.get(&pod) == Some(&PodBehaviour::Silence) {
            state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let behaviour = state.behaviours.get(&pod).cloned();
        drop(state);
        let Some(PodBehaviour::Answer(status, body)) = behaviour else { return Ok(()) };
        let length = body.len();
        write!(
            writer,
            "HTTP/1.1 {status} -\r\nContent-Type: text/html\r\nContent-Length: {length}\r\n\r\n{body}"
        )?;
    }
}

/// The lines of a head, without the empty one.
fn read_head(reader: &mut BufReader<&UnixStream>) -> std::io::Result<Vec<String>> {
    let mut lines = Vec::new();
    for line in reader.by_ref().lines().take(MAX_HEAD_LINES) {
        let line = line?;
        if line.is_empty() {
            return Ok(lines);
        }
        lines.push(line);
    }
    Err(std::io::ErrorKind::UnexpectedEof.into())
}

/// The pod that an apiserver's request is for: it tells the path that it was asked for itself.
fn pod_of(head: &[String]) -> Option<String> {
    let asked = head.iter().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("x-forwarded-uri").then_some(value.trim())
    })?;
    let mut parts = asked.strip_prefix("/api/v1/namespaces/")?.split('/');
    let (namespace, kind, pod) = (parts.next()?, parts.next()?, parts.next()?);
    let name = pod.split(':').next()?;
    (kind == "pods").then(|| format!("{namespace}/{name}"))
}

#[cfg(test)]
mod tests {
    //! The pod is found in what an apiserver sends, and no file stays.

    use super::{PodNetwork, pod_of};

    #[test]
    fn the_socket_goes_with_the_last_of_its_owners() {
        let network = PodNetwork::start().unwrap();
        let (directory, other) = (network.socket().parent().unwrap().to_owned(), network.clone());
        drop(network);
        assert!(other.socket().exists());
        drop(other);
        assert!(!directory.exists());
    }

    #[test]
    fn the_pod_of_a_request() {
        let head = |uri: &str| vec!["GET / HTTP/1.1".to_owned(), format!("X-Forwarded-Uri: {uri}")];
        let uri = "/api/v1/namespaces/a/pods/b-0:52773/proxy/csp/bin/mirror_status.cxw";
        assert_eq!(pod_of(&head(uri)).as_deref(), Some("a/b-0"));
        assert_eq!(pod_of(&head("/api/v1/namespaces/a/services/b/proxy/")), None);
        assert_eq!(pod_of(&[]), None);
    }
}
