//! The hub as a child process: started, watched, measured and ended. It must
//! know no more of the hub than its command line and its `listening` message.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use homebase_planes::{
    Error, Layout, POLL_INTERVAL, Process, Program, Result, Watchdog, eventually, resident_kib, tail,
    target_dir, write_private,
};

/// The variable that names the binary under test.
pub const BINARY_VARIABLE: &str = "HOMEBASE_BIN";
/// Milliseconds on an idle machine.
const LISTENING: Duration = Duration::from_secs(30);
/// The hub answers its own pages at once or is broken.
const HTTP_TIMEOUT: Duration = Duration::from_secs(10);
/// Above the largest answer, the metrics of a hundred clusters.
const MAX_ANSWER_BYTES: u64 = 64 * 1024 * 1024;

/// Arguments of `unshare` that put a file in the place of `/etc/resolv.conf` for one program alone; then come the file, the
/// program and its arguments.
const WITH_OWN_FILE: [&str; 5] =
    ["--map-root-user", "--mount", "sh", "-c", r#"mount --bind "$0" /etc/resolv.conf && exec "$@""#];

/// How to start a hub.
#[derive(Debug, Clone)]
#[must_use]
pub struct HubBuilder {
    name: String,
    kubeconfig: String,
    namespace: String,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    binary: Option<PathBuf>,
    resolv_conf: Option<String>,
    dir: Option<PathBuf>,
    keep_logs: bool,
}

/// A running hub. Dropping it kills it; its logs are kept when the thread is
/// panicking or when that was asked for.
#[derive(Debug)]
pub struct HubProcess {
    process: Process,
    layout: Layout,
    address: SocketAddr,
    keep: bool,
}

/// An answer over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The status line and headers.
    pub head: String,
    /// The body.
    pub body: String,
}

impl HubProcess {
    /// Describes a hub whose home cluster is that of the kubeconfig (its text).
    pub fn builder(name: impl Into<String>, kubeconfig: impl Into<String>) -> HubBuilder {
        HubBuilder {
            name: name.into(),
            kubeconfig: kubeconfig.into(),
            namespace: "homebase-system".to_owned(),
            arguments: Vec::new(),
            environment: Vec::new(),
            binary: None,
            resolv_conf: None,
            dir: None,
            keep_logs: false,
        }
    }
}

impl HubBuilder {
    /// The registration namespace; `homebase-system` by default.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// One more argument.
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// One more environment variable.
    pub fn env(mut self, key: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.push((key.into(), value.into()));
        self
    }

    /// The binary; by default `HOMEBASE_BIN`, then what cargo has built.
    pub fn binary(mut self, path: impl Into<PathBuf>) -> Self {
        self.binary = Some(path.into());
        self
    }

    /// The text of an `/etc/resolv.conf` that this hub sees, and nobody else.
    pub fn resolv_conf(mut self, text: impl Into<String>) -> Self {
        self.resolv_conf = Some(text.into());
        self
    }

    /// Where its files lie; a directory of its own below the target directory by
    /// default. What is in it is removed.
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    /// Whether logs stay after a stop without a panic.
    pub fn keep_logs(mut self, wanted: bool) -> Self {
        self.keep_logs = wanted;
        self
    }

    /// Starts the hub and waits for the address that it listens on.
    ///
    /// # Errors
    /// With the end of its log, if it ends or tells no address in time.
    pub async fn start(self) -> Result<HubProcess> {
        let layout = self.dir.map_or_else(|| Layout::unique(&self.name), Layout::at);
        layout.create()?;
        let kubeconfig = layout.kubeconfig("home");
        write_private(&kubeconfig, &self.kubeconfig)?;
        let mut arguments: Vec<OsString> = vec!["run".into(), "--kubeconfig".into(), kubeconfig.into()];
        arguments.extend(["--namespace".into(), self.namespace.into()]);
        arguments.extend(["--http-address".into(), "127.0.0.1:0".into()]);
        arguments.extend(self.arguments);
        let mut path = self.binary.map_or_else(binary, Ok)?;
        if let Some(text) = self.resolv_conf {
            let file = layout.root().join("resolv.conf");
            fs::write(&file, text).map_err(Error::io("write", &file))?;
            let inner = [file.into_os_string(), path.into_os_string()];
            arguments.splice(0..0, WITH_OWN_FILE.map(OsString::from).into_iter().chain(inner));
            path = "unshare".into();
        }
        let program = Program {
            name: "homebase",
            path,
            arguments,
            environment: self.environment,
            log: layout.log("homebase"),
            stdout: Some(layout.root().join("homebase.out")),
        };
        let watchdog = Arc::new(Watchdog::start(None)?);
        let mut process = Process::start(&program, &watchdog)?;
        let address = wait_listening(&mut process, &layout).await?;
        Ok(HubProcess { process, layout, address, keep: self.keep_logs })
    }
}

impl HubProcess {
    /// Where it serves HTTP.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The directory of its logs.
    pub fn dir(&self) -> &Path {
        self.layout.root()
    }

    /// What it has logged so far: standard error, then standard output.
    pub fn log_text(&self) -> String {
        log_text(&self.layout)
    }

    /// Its resident memory in KiB; 0 when it has ended.
    pub fn resident_kib(&self) -> u64 {
        resident_kib(self.process.id()).unwrap_or_default()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.process.ended().is_none()
    }

    /// Asks it for a page by plain HTTP.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address);
        let exchange = async {
            let mut stream = TcpStream::connect(self.address).await?;
            stream.write_all(request.as_bytes()).await?;
            let mut bytes = Vec::new();
            stream.take(MAX_ANSWER_BYTES).read_to_end(&mut bytes).await?;
            Ok(bytes)
        };
        let answer =
            tokio::time::timeout(HTTP_TIMEOUT, exchange).await.unwrap_or_else(|elapsed| Err(elapsed.into()));
        let bytes = answer.map_err(Error::io("ask the hub for", Path::new(path)))?;
        Ok(parse_answer(&bytes))
    }

    /// Waits until `/readyz` answers 200.
    ///
    /// # Errors
    /// If it ends, or at the time-out.
    pub async fn wait_ready(&mut self, timeout: Duration) -> Result<()> {
        let waited = eventually("the hub's /readyz answers 200", timeout, || async {
            let answer = self.get("/readyz").await.map_err(|error| error.to_string())?;
            if answer.status == 200 { Ok(()) } else { Err(format!("{} {}", answer.status, answer.body)) }
        });
        let waited = waited.await;
        self.process.check_running()?;
        waited
    }

    /// Stops it in its tracks (SIGSTOP).
    ///
    /// # Errors
    /// If the signal cannot be sent.
    pub fn pause(&self) -> Result<()> {
        self.process.signal(Signal::SIGSTOP)
    }

    /// Lets it go on (SIGCONT).
    ///
    /// # Errors
    /// If the signal cannot be sent.
    pub fn resume(&self) -> Result<()> {
        self.process.signal(Signal::SIGCONT)
    }

    /// Kills it (SIGKILL).
    pub fn kill9(&mut self) {
        self.process.kill();
    }

    /// Asks it to end (SIGTERM) and waits.
    ///
    /// # Errors
    /// If it still runs after the time-out; it is killed on drop then.
    pub async fn terminate(&mut self, timeout: Duration) -> Result<ExitStatus> {
        self.process.signal(Signal::SIGTERM)?;
        let start = Instant::now();
        loop {
            if let Some(status) = self.process.ended() {
                return Ok(status);
            }
            if start.elapsed() > timeout {
                return Err(Error::TimedOut {
                    what: "the hub ends after SIGTERM".to_owned(),
                    after: timeout,
                    last: format!("it runs; its log ends with:\n{}", tail(self.process.log())),
                });
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }
}

impl Drop for HubProcess {
    fn drop(&mut self) {
        self.process.kill();
        if std::thread::panicking() {
            eprintln!("the logs of the {} are in {}", self.process.name(), self.dir().display());
        } else if !self.keep {
            // A directory that cannot be removed fails no test.
            let _ = self.layout.remove();
        }
    }
}

fn binary() -> Result<PathBuf> {
    if let Some(path) = env::var_os(BINARY_VARIABLE) {
        return Ok(path.into());
    }
    let target = target_dir();
    let candidates = ["debug", "release"].map(|profile| target.join(profile).join("homebase"));
    candidates.iter().find(|path| path.is_file()).cloned().ok_or_else(|| Error::FindBuilt {
        what: "the binary `homebase`",
        looked_in: target,
        fix: "run `cargo build -p homebase` or set HOMEBASE_BIN",
    })
}

async fn wait_listening(process: &mut Process, layout: &Layout) -> Result<SocketAddr> {
    let start = Instant::now();
    loop {
        if let Some(address) = listening_address(&log_text(layout)) {
            return Ok(address);
        }
        process.check_running()?;
        if start.elapsed() > LISTENING {
            return Err(Error::NotReady {
                name: process.name().to_owned(),
                after: LISTENING,
                last: "no message `listening` with an `address` in its log".to_owned(),
                log: process.log().to_owned(),
                tail: tail(process.log()),
            });
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

fn log_text(layout: &Layout) -> String {
    // A file that is not there yet is empty.
    let read = |path: PathBuf| fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let mut text = read(layout.log("homebase")).unwrap_or_default();
    text.push_str(&read(layout.root().join("homebase.out")).unwrap_or_default());
    text
}

/// The address in the first JSON line whose message is `listening`, be the
/// fields flat or below `fields`.
fn listening_address(log: &str) -> Option<SocketAddr> {
    log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).find_map(|line| {
        let fields = line.get("fields").unwrap_or(&line);
        if fields.get("message")?.as_str()? != "listening" {
            return None;
        }
        fields.get("address")?.as_str()?.parse().ok()
    })
}

fn parse_answer(bytes: &[u8]) -> Answer {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_default();
    let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    let body = if chunked { unchunk(body) } else { body.to_owned() };
    Answer { status, head: head.to_owned(), body }
}

fn unchunk(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16).unwrap_or(0);
        let Some(chunk) = rest.get(..size).filter(|chunk| !chunk.is_empty()) else { break };
        whole.push_str(chunk);
        body = rest[size..].strip_prefix("\r\n").unwrap_or_default();
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_found_in_both_layouts_of_a_json_log() {
        let nested = r#"{"level":"INFO","fields":{"message":"listening","address":"127.0.0.1:4567"},"target":"homebase"}"#;
        let flat = r#"{"level":"INFO","message":"listening","address":"127.0.0.1:4567"}"#;
        for line in [nested, flat] {
            let log = format!("no json\n{{\"fields\":{{\"message\":\"hello\"}}}}\n{line}\n");
            assert_eq!(listening_address(&log), Some(([127, 0, 0, 1], 4567).into()), "{line}");
        }
        assert_eq!(listening_address("{\"message\":\"listening\"}"), None);
    }

    #[test]
    fn a_chunked_answer_is_put_together() {
        let answer = parse_answer(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
        );
        assert_eq!((answer.status, answer.body.as_str()), (200, "abcde"));
    }

    #[test]
    fn a_plain_answer_is_taken_as_it_is() {
        let answer = parse_answer(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 2\r\n\r\nno");
        assert_eq!((answer.status, answer.body.as_str()), (503, "no"));
    }
}
