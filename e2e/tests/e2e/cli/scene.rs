//! A fleet that nobody else registers in, and the binary as a person runs it: every output is searched for secrets. It
//! must hold no case.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use homebase_testkit::{BINARY_VARIABLE, ControlPlane, target_dir};
use k8s_openapi::api::core::v1::Secret;

use crate::support::{Fleet, account};

/// A command that talks to a dead cluster ends within its own bounds; far more is a hang.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(150);
/// Enough to know a secret by.
const TAIL: usize = 48;

/// What a command left.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) took: Duration,
}

impl Ran {
    /// The same, if it ended with this code.
    #[track_caller]
    pub(crate) fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }
}

/// A home cluster with a hub, and two work clusters.
pub(super) async fn scene(name: &str) -> Fleet {
    let plane = |number: u32| ControlPlane::builder(format!("{name}-{number}")).api_only();
    let fleet = Fleet::builder(name).work(plane(0)).work(plane(1)).start().await;
    for plane in fleet.planes() {
        // The caller's own credentials are a secret too.
        for line in plane.admin_kubeconfig().lines() {
            if let Some(key) = line.trim().strip_prefix("client-key-data: ") {
                fleet.keep_secret(&key[key.len() - TAIL..]);
            }
        }
    }
    fleet
}

impl Fleet {
    /// Runs the binary with the home cluster's kubeconfig after the words, which must name a command that takes it.
    pub(crate) async fn homebase(&self, words: &[&str]) -> Ran {
        let home = self.home.admin_kubeconfig_path();
        let mut all = words.to_vec();
        all.extend(["--kubeconfig", home.to_str().unwrap()]);
        self.bare(&all).await
    }

    /// Runs the binary.
    pub(crate) async fn bare(&self, words: &[&str]) -> Ran {
        let mut command = tokio::process::Command::new(binary());
        command.args(words).stdin(Stdio::null()).kill_on_drop(true);
        for variable in ["KUBECONFIG", "HOMEBASE_NAMESPACE", "HTTPS_PROXY", "https_proxy"] {
            command.env_remove(variable);
        }
        let start = Instant::now();
        let output = tokio::time::timeout(COMMAND_TIMEOUT, command.output());
        let output = output.await.unwrap_or_else(|_| panic!("{words:?} hangs")).unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let ran = Ran {
            code: output.status.code().unwrap_or(-1),
            out: text(&output.stdout),
            err: text(&output.stderr),
            took: start.elapsed(),
        };
        self.assert_no_secret_in("the output of a command", &format!("{}{}", ran.out, ran.err));
        ran
    }

    /// Registers a work cluster under its own name, with an account that the invariants know.
    pub(super) async fn register_by_command(&self, plane: &ControlPlane) -> Ran {
        let (work, account) = (plane.admin_kubeconfig_path(), account(plane));
        let words = [
            "register",
            plane.name(),
            "--work-kubeconfig",
            work.to_str().unwrap(),
            "--service-account",
            &account,
        ];
        let ran = self.homebase(&words).await;
        if let Some(secret) = self.registration_of(plane.name()).await {
            self.assert_no_secret_in("the output of register", &format!("{}{}", ran.out, ran.err));
            self.keep_secret(tail(&token_of(&secret)));
            self.assert_no_secret_in("the output of register", &format!("{}{}", ran.out, ran.err));
        }
        ran
    }

    /// The Secret that registers a cluster.
    pub(super) async fn registration_of(&self, name: &str) -> Option<Secret> {
        self.registrations().await.get_opt(&format!("{name}-kubeconfig")).await.unwrap()
    }
}

/// The kubeconfig in a registration.
pub(super) fn kubeconfig_of(secret: &Secret) -> String {
    String::from_utf8(secret.data.as_ref().unwrap()["kubeconfig"].0.clone()).unwrap()
}

/// The token in a registration.
pub(super) fn token_of(secret: &Secret) -> String {
    let text = kubeconfig_of(secret);
    let token = text.lines().find_map(|line| line.trim().strip_prefix("token: ")).unwrap();
    token.trim_matches('"').to_owned()
}

/// The part of a token that is secret.
pub(super) fn tail(token: &str) -> &str {
    &token[token.len() - TAIL..]
}

pub(crate) fn binary() -> PathBuf {
    let named = std::env::var_os(BINARY_VARIABLE).map(PathBuf::from);
    named.unwrap_or_else(|| target_dir().join("debug").join("homebase"))
}
