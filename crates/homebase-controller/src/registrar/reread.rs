//! Reads registration Secrets again, past the watch, when a cluster refuses the credentials that they held: the watch
//! may have missed that they were exchanged. It concludes nothing from a Secret that is not there: the watch tells.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use homebase_core::{Chain, ObjectKey};
use homebase_kube::apply;
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use tokio::sync::Notify;

use super::Registrar;

/// The Secrets that sessions want to be read again.
#[derive(Debug, Default)]
pub(crate) struct Rereads {
    names: Mutex<BTreeSet<String>>,
    asked: Notify,
}

impl Rereads {
    /// Asks for a Secret to be read again soon.
    pub(crate) fn ask(&self, secret: &str) {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).insert(secret.to_owned());
        self.asked.notify_one();
    }

    /// Waits until some are asked for.
    pub(super) async fn next(&self) -> BTreeSet<String> {
        loop {
            let names = std::mem::take(&mut *self.names.lock().unwrap_or_else(PoisonError::into_inner));
            if !names.is_empty() {
                return names;
            }
            self.asked.notified().await;
        }
    }
}

impl Registrar {
    pub(super) fn reread(&mut self, names: BTreeSet<String>) {
        for name in names {
            let key = ObjectKey::new(&self.hub.settings.namespace, &name);
            self.errands.spawn(fetch(self.home.clone(), key));
        }
    }

    /// Takes in a Secret as it was read.
    pub(super) fn read_again(&self, secret: &Secret) {
        for (convention, store) in &self.hub.registrations {
            store.note(secret, |secret| self.hub.read(*convention, secret));
        }
    }
}

async fn fetch(home: Client, key: ObjectKey) -> Option<Secret> {
    match apply::fetch(&home, &key).await {
        Ok(secret) => secret,
        Err(error) => {
            tracing::warn!(secret = key.name, error = %Chain(&error), "the Secret cannot be read again");
            None
        }
    }
}
