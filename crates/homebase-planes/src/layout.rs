//! Where the files of one plane lie. It must only name and write files below
//! the plane's directory.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::{Error, Result, target_dir};

/// Secrets of a test are still written for their owner only: tests look for
/// leaked keys.
const PRIVATE: u32 = 0o600;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// The directory of one plane, and the names in it.
#[derive(Debug, Clone)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// A directory that nobody else has: `target/testkit/NAME-PID-N`.
    pub fn unique(name: &str) -> Self {
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        Self { root: target_dir().join("testkit").join(format!("{name}-{}-{n}", process::id())) }
    }

    /// This directory.
    pub fn at(root: PathBuf) -> Self {
        Self { root }
    }

    /// The directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn etcd_data(&self) -> PathBuf {
        self.root.join("etcd")
    }

    /// The log of a program.
    pub fn log(&self, component: &str) -> PathBuf {
        self.root.join(format!("{component}.log"))
    }

    pub(crate) fn audit_log(&self) -> PathBuf {
        self.root.join("audit.jsonl")
    }

    pub(crate) fn audit_policy(&self) -> PathBuf {
        self.root.join("audit-policy.json")
    }

    pub(crate) fn egress(&self) -> PathBuf {
        self.root.join("egress.json")
    }

    pub(crate) fn authority(&self) -> PathBuf {
        self.root.join("pki/authority.crt")
    }

    pub(crate) fn serving_certificate(&self) -> PathBuf {
        self.root.join("pki/apiserver.crt")
    }

    pub(crate) fn serving_key(&self) -> PathBuf {
        self.root.join("pki/apiserver.key")
    }

    pub(crate) fn service_account_key(&self) -> PathBuf {
        self.root.join("pki/service-accounts.key")
    }

    pub(crate) fn service_account_public_key(&self) -> PathBuf {
        self.root.join("pki/service-accounts.pub")
    }

    /// The kubeconfig of a user.
    pub fn kubeconfig(&self, user: &str) -> PathBuf {
        self.root.join(format!("{user}.kubeconfig"))
    }

    pub(crate) fn kwok_stages(&self, topic: &str) -> PathBuf {
        self.root.join(format!("kwok-{topic}.yaml"))
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.root.join("plane.json")
    }

    /// Makes the directory anew: what an earlier run left in it goes.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn create(&self) -> Result<()> {
        self.remove()?;
        let pki = self.root.join("pki");
        fs::create_dir_all(&pki).map_err(Error::io("create", &pki))
    }

    /// Removes everything.
    ///
    /// # Errors
    /// If something in it cannot be removed.
    pub fn remove(&self) -> Result<()> {
        remove_dir(&self.root)
    }

    /// Removes what is large and of no use when a failure is looked into.
    pub(crate) fn remove_data(&self) -> Result<()> {
        remove_dir(&self.etcd_data())
    }
}

/// Writes a file that only its owner may read.
///
/// # Errors
/// If it cannot be written.
pub fn write_private(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(Error::io("write", path))?;
    fs::set_permissions(path, fs::Permissions::from_mode(PRIVATE)).map_err(Error::io("protect", path))
}

fn remove_dir(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove", path)(error)),
        _ => Ok(()),
    }
}
