//! What can go wrong while a plane or the hub is started, driven or stopped.
//! Only the vocabulary: nothing here prints or decides.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The result of everything that is done with planes and processes.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure, worded for the person whose test, demo or rehearsal has failed.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A program that a plane is made of is not there.
    #[error(
        "cannot find `{name}` (looked in {looked_in}); set KUBEBUILDER_ASSETS, or build it with `cargo xtask control-planes build`"
    )]
    FindTool {
        /// The program.
        name: String,
        /// The directories that were searched.
        looked_in: String,
    },
    /// Something that was built elsewhere is not there.
    #[error("cannot find {what} below {looked_in}; {fix}", looked_in = looked_in.display())]
    FindBuilt {
        /// What.
        what: &'static str,
        /// The directory that was searched.
        looked_in: PathBuf,
        /// What to do.
        fix: &'static str,
    },
    /// A plane was given a name that cannot be a directory or a context name.
    #[error("cannot use `{name}` as a name: only a-z, 0-9 and `-`")]
    Name {
        /// The name.
        name: String,
    },
    /// A file or a process could not be used.
    #[error("cannot {action} {path}", path = path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A certificate could not be made.
    #[error("cannot make the certificate of {subject}")]
    Certificate {
        /// Whose certificate.
        subject: String,
        /// Why not.
        source: rcgen::Error,
    },
    /// No free port was found.
    #[error("cannot find a free loopback port after {attempts} attempts")]
    FindPort {
        /// How many ports were tried.
        attempts: u32,
    },
    /// A process ended although it should run.
    #[error("{name} ended with {status}; its log {log} ends with:\n{tail}", log = log.display())]
    Ended {
        /// The component or program.
        name: String,
        /// Its exit status.
        status: String,
        /// Its log.
        log: PathBuf,
        /// The last lines of the log.
        tail: String,
    },
    /// A process runs but has not become ready.
    #[error("{name} is not ready after {after:?}: {last}; its log {log} ends with:\n{tail}", log = log.display())]
    NotReady {
        /// The component or program.
        name: String,
        /// The time that it was given.
        after: Duration,
        /// What was seen last.
        last: String,
        /// Its log.
        log: PathBuf,
        /// The last lines of the log.
        tail: String,
    },
    /// A condition did not come true in time.
    #[error("{what}: not so after {after:?}; last seen: {last}")]
    TimedOut {
        /// The condition.
        what: String,
        /// The time that it was given.
        after: Duration,
        /// What was seen last.
        last: String,
    },
    /// A request to a plane's apiserver failed.
    #[error("cannot {action}")]
    Request {
        /// What was asked.
        action: String,
        /// Why not.
        source: Box<kube::Error>,
    },
    /// A kubeconfig that was made here was not understood by the client.
    #[error("cannot use the kubeconfig of {name}")]
    Kubeconfig {
        /// The plane.
        name: String,
        /// Why not.
        source: Box<kube::config::KubeconfigError>,
    },
    /// A token request was answered without a token.
    #[error("no token came for the service account {account}")]
    NoToken {
        /// The account.
        account: String,
    },
    /// kubectl ran and failed.
    #[error("`kubectl {arguments}` failed: {message}")]
    Kubectl {
        /// Its arguments.
        arguments: String,
        /// What it wrote to standard error.
        message: String,
    },
    /// A component was asked for that this plane does not run.
    #[error("the plane {plane} has no {component}")]
    NoSuchComponent {
        /// The plane.
        plane: String,
        /// The component.
        component: &'static str,
    },
    /// A signal could not be sent.
    #[error("cannot send {signal} to {name}")]
    Signal {
        /// The signal.
        signal: &'static str,
        /// The process.
        name: String,
        /// Why not.
        source: nix::errno::Errno,
    },
    /// A file holds something that cannot be understood.
    #[error("cannot understand {path}", path = path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: serde_json::Error,
    },
    /// Something else could not be done.
    #[error("cannot {action}")]
    Failed {
        /// What was tried.
        action: String,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Several planes were started and some failed.
    #[error("cannot start {failed} of {all} control planes; the first failure: {first}")]
    StartMany {
        /// How many failed.
        failed: usize,
        /// How many were asked for.
        all: usize,
        /// The first failure.
        first: Box<Error>,
    },
}

/// The text with its causes: this is what a test prints that unwraps.
impl fmt::Debug for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{self}")?;
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            write!(out, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl Error {
    /// An `Io` error for `map_err`.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }

    /// A `Request` error for `map_err`.
    pub fn request(action: impl Into<String>) -> impl FnOnce(kube::Error) -> Self {
        move |source| Self::Request { action: action.into(), source: Box::new(source) }
    }

    /// Whether a component could not have the port that was chosen for it: the
    /// start is then tried again with others.
    pub(crate) fn is_port_taken(&self) -> bool {
        match self {
            Self::Ended { tail, .. } | Self::NotReady { tail, .. } => tail.contains("address already in use"),
            _ => false,
        }
    }
}
