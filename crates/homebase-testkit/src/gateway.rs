//! A TCP front of one apiserver whose behaviour a test switches while it is used: it passes TLS through, or fails in
//! one of the ways in which networks and servers fail. It must be the kernel or a real TLS server that fails, never
//! a simulation in the client, and it must hold its port in every state, so that nobody else can answer there.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use homebase_planes::{ControlPlane, Error, Result, free_port};

mod answers;
mod intercept;
mod pipe;
mod tls;

pub use intercept::{Interceptor, OwnAnswer};
use tls::Identities;

/// As many as a client that opens connections one after the other can have waiting.
const BACKLOG: u32 = 128;
/// The loopback device answers a SYN within the call that sends it; one that is not answered by now is dropped.
const SYN_UNANSWERED: Duration = Duration::from_millis(500);
/// With a backlog of 0 Linux takes one connection; some more for those that a client got in before us.
const MAX_FILLERS: usize = 8;

/// What a gateway does with connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// Passes every byte on to the apiserver, which ends the TLS itself.
    Pass,
    /// Nobody listens: the kernel refuses connections. Open ones are cut.
    Refuse,
    /// The kernel drops every SYN. Open connections stay open and silent.
    DropSyns,
    /// Connections are accepted and never served. Open ones stay open and silent.
    Silence,
    /// The same, but the client's first TLS message is read.
    TlsHang,
    /// TLS succeeds and requests are read; no answer comes. Open connections stay open and silent.
    AnswerNothing,
    /// The server's certificate is of an authority that nobody trusts. Open connections are cut, here and below.
    OtherAuthority,
    /// The server's certificate is of the plane's authority, for a name that nobody asks for.
    OtherName,
    /// Every request is answered with a page of HTML and 200, as by a portal in between.
    Html,
    /// Every request is answered with 500 and a status object.
    InternalError,
    /// Every request is answered with 503 and HTML, as by a load balancer without a backend.
    Unavailable,
    /// Every answer ends in the middle of its JSON, and the connection with it.
    Truncated,
}

impl Behaviour {
    /// A black hole leaves what is open as it is, and silent.
    const fn is_black_hole(self) -> bool {
        matches!(self, Self::DropSyns | Self::Silence | Self::TlsHang | Self::AnswerNothing)
    }
}

/// What holds at the moment, for the tasks of connections.
#[derive(Debug, Clone, Copy)]
struct Phase {
    behaviour: Behaviour,
    /// Counted up by every switch.
    number: u64,
    /// Counted up whenever connections that pass bytes on are to be cut.
    cuts: u64,
}

/// What connections are served with.
#[derive(Debug)]
struct Backend {
    apiserver: SocketAddr,
    identities: Identities,
}

/// The front. Dropping it closes its port and every connection.
#[derive(Debug)]
pub struct Gateway {
    port: u16,
    /// Bound and never listening: it keeps the port while nobody listens, and the kernel refuses for it.
    _place: TcpSocket,
    backend: Arc<Backend>,
    phase: watch::Sender<Phase>,
    front: Front,
}

/// Who holds the listening socket.
#[derive(Debug)]
enum Front {
    Nobody,
    Accepting(JoinHandle<()>),
    /// A listener whose queue is full, with the connections that fill it.
    Full(#[expect(dead_code, reason = "it is held open")] (TcpListener, Vec<TcpStream>)),
}

impl Gateway {
    /// A gateway that passes everything on to the apiserver of a plane.
    ///
    /// # Errors
    /// If there is no port for it or its certificates cannot be made.
    pub async fn start(plane: &ControlPlane) -> Result<Self> {
        let port = free_port()?;
        let held = bind(port)?;
        let apiserver = SocketAddr::from((Ipv4Addr::LOCALHOST, plane.apiserver_port()));
        let backend = Arc::new(Backend { apiserver, identities: Identities::make(plane.authority())? });
        let (phase, _) = watch::channel(Phase { behaviour: Behaviour::Pass, number: 0, cuts: 0 });
        let mut gateway = Self { port, _place: held, backend, phase, front: Front::Nobody };
        gateway.set(Behaviour::Pass).await?;
        Ok(gateway)
    }

    /// The address to be used instead of the apiserver's. The apiserver's own certificate is valid for it.
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// A kubeconfig of the plane with the gateway's address in it.
    pub fn kubeconfig(&self, plane: &ControlPlane, kubeconfig: &str) -> String {
        kubeconfig.replace(&plane.url(), &self.url())
    }

    /// Switches to another behaviour, for new connections and for open ones; when it returns it is so.
    ///
    /// # Errors
    /// If the port cannot be listened on, or the kernel goes on to answer SYNs that it should drop.
    pub async fn set(&mut self, behaviour: Behaviour) -> Result<()> {
        self.phase.send_modify(|phase| {
            // What a black hole has swallowed comes out again when it is over.
            let resumes = phase.behaviour.is_black_hole() && behaviour == Behaviour::Pass;
            phase.cuts += u64::from(!resumes && !behaviour.is_black_hole());
            phase.number += 1;
            phase.behaviour = behaviour;
        });
        match behaviour {
            Behaviour::Refuse => self.close().await,
            Behaviour::DropSyns => {
                self.close().await;
                let listener = listen(self.port, 0)?;
                let fillers = fill(self.port).await?;
                self.front = Front::Full((listener, fillers));
            }
            _ if matches!(self.front, Front::Accepting(_)) => {}
            _ => {
                self.close().await;
                let accepting =
                    accept(listen(self.port, BACKLOG)?, self.backend.clone(), self.phase.subscribe());
                self.front = Front::Accepting(tokio::spawn(accepting));
            }
        }
        Ok(())
    }

    /// Cuts every open connection, once; new ones are served as before.
    pub fn cut(&self) {
        self.phase.send_modify(|phase| {
            phase.number += 1;
            phase.cuts += 1;
        });
    }

    /// Nobody listens from now on.
    async fn close(&mut self) {
        if let Front::Accepting(accepting) = std::mem::replace(&mut self.front, Front::Nobody) {
            accepting.abort();
            // The socket is closed when the task is gone.
            drop(accepting.await);
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if let Front::Accepting(accepting) = &self.front {
            accepting.abort();
        }
        // The tasks of connections end when the sender of the phase is gone.
    }
}

/// A socket on the port beside others of ours: all of them allow that, and no other program's does.
fn bind(port: u16) -> Result<TcpSocket> {
    let socket = TcpSocket::new_v4().and_then(|socket| {
        socket.set_reuseport(true)?;
        socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
        Ok(socket)
    });
    socket.map_err(io("bind a gateway to"))
}

fn listen(port: u16, backlog: u32) -> Result<TcpListener> {
    bind(port)?.listen(backlog).map_err(io("listen at a gateway on"))
}

/// Fills the queue of the listener until the kernel drops a SYN.
async fn fill(port: u16) -> Result<Vec<TcpStream>> {
    let mut fillers = Vec::new();
    while fillers.len() < MAX_FILLERS {
        match tokio::time::timeout(SYN_UNANSWERED, TcpStream::connect((Ipv4Addr::LOCALHOST, port))).await {
            Ok(connected) => fillers.push(connected.map_err(io("fill the queue of"))?),
            Err(_) => return Ok(fillers),
        }
    }
    Err(Error::Failed {
        action: format!(
            "fill the queue of a port: the kernel drops no SYN although {} connections wait",
            fillers.len()
        ),
        source: "the queue takes more than it should".into(),
    })
}

/// Hands connections to tasks of their own until it is dropped; they live on.
async fn accept(listener: TcpListener, backend: Arc<Backend>, phase: watch::Receiver<Phase>) {
    loop {
        // Only a lack of descriptors makes it fail, and then the test fails elsewhere.
        let Ok((stream, _)) = listener.accept().await else { return };
        let (backend, phase) = (backend.clone(), phase.clone());
        tokio::spawn(serve(stream, backend, phase));
    }
}

/// Serves one connection for as long as the behaviour that it was accepted under asks for it.
async fn serve(stream: TcpStream, backend: Arc<Backend>, mut phase: watch::Receiver<Phase>) {
    let accepted = *phase.borrow_and_update();
    if accepted.behaviour == Behaviour::Pass {
        pipe::pass(stream, backend.apiserver, phase, accepted.cuts).await;
        return;
    }
    let changed = phase.wait_for(|now| now.number != accepted.number);
    tokio::select! {
        // The sender is gone, or the behaviour is another.
        _ = changed => {}
        () = answers::serve(stream, &backend.identities, accepted.behaviour) => {}
    }
}

fn io(action: &'static str) -> impl FnOnce(std::io::Error) -> Error {
    Error::io(action, Path::new("a loopback port"))
}
