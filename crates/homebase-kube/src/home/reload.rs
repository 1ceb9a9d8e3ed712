//! Reads the credentials of the home cluster again while the hub runs: kube reads a kubeconfig once, so that a hub whose
//! token was replaced in it would be locked out until it is restarted. It judges no credentials: what the apiserver
//! refuses with 401 is read again.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use homebase_core::{Chain, Fingerprint};
use http::{Method, StatusCode};
use kube::Config;
use secrecy::ExposeSecret as _;
use tokio::sync::Notify;

use super::{FindHomeError, build, load};
use crate::observe::Observer;
use crate::rotating::ClientSlot;

/// How often the files are read when nothing is refused: new credentials are there before the old ones expire. The
/// kubelet renews a token when 80 % of its life, an hour at least, are over.
const PERIOD: Duration = Duration::from_secs(30);
/// The pause after each time: many requests may be refused at once, and a kubeconfig may name a program.
const PAUSE: Duration = Duration::from_secs(5);

/// Tells of each 401.
pub(super) struct Watching {
    pub(super) inner: Arc<dyn Observer>,
    pub(super) refused: Arc<Notify>,
}

impl Observer for Watching {
    fn request(&self, method: &Method, path: &str, status: Option<StatusCode>) {
        if status == Some(StatusCode::UNAUTHORIZED) {
            self.refused.notify_one();
        }
        self.inner.request(method, path, status);
    }

    fn watch_started(&self, watch: &str) {
        self.inner.watch_started(watch);
    }

    fn watch_activity(&self, watch: &str) {
        self.inner.watch_activity(watch);
    }

    fn watch_ended(&self, watch: &str) {
        self.inner.watch_ended(watch);
    }
}

/// The task that keeps the credentials up to date.
pub struct Reload {
    pub(super) path: Option<PathBuf>,
    pub(super) slot: ClientSlot,
    pub(super) mark: Fingerprint,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) refused: Arc<Notify>,
}

impl Reload {
    /// Runs for ever.
    pub async fn run(mut self) {
        let mut failed = false;
        loop {
            let is_refused = tokio::select! {
                () = self.refused.notified() => true,
                () = tokio::time::sleep(PERIOD) => false,
            };
            // A file may be half written; the client that there is goes on.
            match self.reload(is_refused).await {
                Ok(()) => failed = false,
                Err(error) if !failed => {
                    failed = true;
                    tracing::warn!(error = %Chain(&error), "the credentials of the home cluster cannot be read again");
                }
                Err(_) => {}
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn reload(&mut self, is_refused: bool) -> Result<(), FindHomeError> {
        let config = load(self.path.as_deref()).await?;
        let mark = mark(&config);
        let is_news = mark != self.mark;
        // What a program or a provider gives may be another each time.
        let auth = &config.auth_info;
        let is_dynamic = auth.exec.is_some() || auth.auth_provider.is_some();
        let may_be_news = is_news || (is_refused && is_dynamic);
        if !may_be_news {
            return Ok(());
        }
        let observer = self.observer.clone();
        // A kubeconfig may name a program, which runs now.
        let built = tokio::task::spawn_blocking(move || build(&config, observer)).await;
        let Ok(client) = built else { return Err(FindHomeError::Infer) };
        self.slot.replace(client?);
        self.mark = mark;
        if is_news {
            tracing::info!("the hub uses the new credentials of the home cluster");
        }
        Ok(())
    }
}

/// A mark of the server and the credentials, with what is in the files that they name. It tells nothing of them.
pub(super) fn mark(config: &Config) -> Fingerprint {
    let auth = &config.auth_info;
    let file = |path: &Option<String>| path.as_ref().and_then(|path| std::fs::read(path).ok());
    let text = |text: &Option<String>| text.clone().map(String::into_bytes);
    let parts = [
        Some(config.cluster_url.to_string().into_bytes()),
        config.root_cert.as_ref().map(|certificates| certificates.concat()),
        text(&config.tls_server_name),
        auth.token.as_ref().map(|token| token.expose_secret().as_bytes().to_vec()),
        file(&auth.token_file),
        text(&auth.username),
        auth.password.as_ref().map(|password| password.expose_secret().as_bytes().to_vec()),
        text(&auth.client_certificate_data),
        file(&auth.client_certificate),
        auth.client_key_data.as_ref().map(|key| key.expose_secret().as_bytes().to_vec()),
        file(&auth.client_key),
    ];
    let marks = parts.iter().flat_map(|part| {
        match part {
            Some(part) => Fingerprint::of_bytes(part).to_string(),
            None => "-".to_owned(),
        }
        .into_bytes()
    });
    Fingerprint::of_bytes(marks.collect::<Vec<u8>>())
}
