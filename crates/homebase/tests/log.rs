//! A hub whose log cannot be written, or is read by nobody, serves and stops all the same. It must not need a cluster.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails, in its helpers too")]

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// A debug build on a busy machine starts within seconds.
const STARTED: Duration = Duration::from_secs(30);
/// A probe of the kubelet has one second; the machine of a test may be busy.
const ANSWERED: Duration = Duration::from_secs(5);
/// What a pod gets by default to end.
const STOPPED: Duration = Duration::from_secs(30);
/// What a pipe takes without a reader.
const PIPE_BYTES: usize = 64 * 1024;

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// A kubeconfig of a home cluster that is not there.
fn kubeconfig(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.kubeconfig"));
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n\
         clusters: [{{name: c, cluster: {{server: 'https://{}'}}}}]\nusers: [{{name: u, user: {{token: t}}}}]\n",
        free_address()
    );
    std::fs::write(&path, text).unwrap();
    path
}

struct Hub {
    child: Child,
    address: SocketAddr,
}

impl Drop for Hub {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Hub {
    fn start(name: &str, log: impl Into<Stdio>) -> Self {
        let address = free_address();
        let child = Command::new(env!("CARGO_BIN_EXE_homebase"))
            .args(["run", "--log-level=trace", "--namespace=homebase-system", "--http-address"])
            .arg(address.to_string())
            .arg("--kubeconfig")
            .arg(kubeconfig(name))
            .stderr(log)
            .spawn()
            .unwrap();
        Self { child, address }
    }

    /// The first line of the answer to a probe.
    fn livez(&self) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(ANSWERED))?;
        write!(stream, "GET /livez HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer.lines().next().unwrap_or_default().to_owned())
    }

    fn until_live(&mut self) {
        let start = Instant::now();
        while self.livez().ok().as_deref() != Some("HTTP/1.1 200 OK") {
            assert_eq!(self.child.try_wait().unwrap(), None, "the hub has ended");
            assert!(start.elapsed() < STARTED, "{:?}", self.livez());
            std::thread::yield_now();
        }
    }

    fn stop(&mut self) -> ExitStatus {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(start.elapsed() < STOPPED, "SIGTERM is not honoured");
            std::thread::yield_now();
        }
    }
}

#[test]
fn a_hub_serves_and_stops_while_its_log_cannot_be_written() {
    let full: File = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut hub = Hub::start("full", full);
    hub.until_live();
    assert_eq!(hub.stop().code(), Some(0));
}

#[test]
fn a_hub_serves_and_stops_while_nobody_reads_its_log() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(&vec![b'x'; PIPE_BYTES]).unwrap();
    let mut hub = Hub::start("unread", writer);
    hub.until_live();
    assert_eq!(hub.stop().code(), Some(0));
    drop(reader);
}

#[test]
fn a_hub_serves_and_stops_when_the_reader_of_its_log_is_gone() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut hub = Hub::start("gone", writer);
    hub.until_live();
    assert_eq!(hub.stop().code(), Some(0));
}
