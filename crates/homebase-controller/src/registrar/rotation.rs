//! Exchanges the credentials of a session that runs: the new ones are tried first, and the old ones stay until
//! the new ones have proved that they lead to the same cluster.

use std::time::Duration;

use homebase_core::{Chain, ClusterId, ClusterUid, Namespaces};
use homebase_fleet::session::{Permissions, Verdict};
use homebase_kube::identity::fetch_identity;
use homebase_kube::permissions::{Need, needs_under};
use kube::Client;
use tokio::time::Instant;

use super::{Registrar, Registration, Running};
use crate::registry::View;
use crate::session::review::review;

/// How soon to try refused credentials again: the fault may have been the network's.
pub(super) const TRIAL_RETRY: Duration = Duration::from_secs(30);

/// The last trial of new credentials for a session.
pub(super) struct Trial {
    /// The resource version of the Secret that was tried.
    version: String,
    /// When to try the same again; none while the trial runs.
    again: Option<Instant>,
}

/// What became of a trial.
pub(super) struct Tried {
    id: ClusterId,
    registration: Registration,
    outcome: Result<Client, String>,
}

/// The identity that new credentials must lead to; none while the session is not on the cluster that it is for: then
/// there is nothing to keep, and a new session judges the new credentials by what is on record.
fn identity_of(running: &Running) -> Option<ClusterUid> {
    match running.cluster.view() {
        View::Session(session) if session.verdict().is_some_and(Verdict::is_trusted) => {
            session.uid().cloned()
        }
        View::Session(_) | View::Unusable(_) | View::Paused(_) => None,
    }
}

impl Registrar {
    /// Brings a session that runs to a changed registration of its Secret. False when it cannot be kept.
    pub(super) fn rotate(&mut self, id: &ClusterId, wanted: &Registration) -> bool {
        let Some(running) = self.running.get_mut(id) else { return false };
        let (Some(identity), Some(_)) = (identity_of(running), running.slot.as_ref()) else { return false };
        let version = &wanted.secret.resource_version;
        let rejected = match &wanted.kubeconfig {
            Err(unusable) => Some(unusable.message.clone()),
            Ok(_) => None,
        };
        if let Some(message) = rejected {
            self.reject(id, version.clone(), &message);
            return true;
        }
        let is_due = running.trial.as_ref().is_none_or(|trial| {
            trial.version != *version || trial.again.is_some_and(|again| again <= Instant::now())
        });
        if !is_due {
            return true;
        }
        running.trial = Some(Trial { version: version.clone(), again: None });
        let cluster = running.cluster.clone();
        let prepared = self.client(wanted, id);
        let (id, registration) = (id.clone(), wanted.clone());
        match prepared {
            Err(unusable) => self.reject(&id, registration.secret.resource_version, &unusable.message),
            Ok(prepared) => {
                prepared.observer.attach(&cluster);
                let needs = needs_under(wanted.preferences.crd_policy, self.hub.workload.needs());
                let namespaces = registration.preferences.namespaces.clone();
                self.trials.spawn(async move {
                    let tried = try_out(&prepared.client, &identity, &needs, &namespaces).await;
                    let outcome = tried.map(|()| prepared.client);
                    Tried { id, registration, outcome }
                });
            }
        }
        true
    }

    /// Takes note of a registration whose connection is the one in use.
    pub(super) fn confirm(&mut self, id: &ClusterId, wanted: &Registration) {
        let Some(running) = self.running.get_mut(id) else { return };
        running.trial = None;
        let changed = running.cluster.show(|shown| {
            shown.resource_version.clone_from(&wanted.secret.resource_version);
            // An unusable one shows itself otherwise.
            shown.rejected_rotation = None;
        });
        if changed {
            self.hub.publish(id);
        }
    }

    /// Carries out what a trial came to.
    pub(super) fn tried(&mut self, tried: Tried) {
        let Tried { id, registration, outcome } = tried;
        let version = registration.secret.resource_version.clone();
        let Some(running) = self.running.get_mut(&id) else { return };
        if running.trial.as_ref().is_none_or(|trial| trial.version != version) {
            // A newer one is on its way already.
            return;
        }
        match (outcome, running.slot.as_ref()) {
            (Ok(client), Some(slot)) => {
                slot.replace(client);
                tracing::info!(cluster = %id, "the session goes on with the new kubeconfig");
                self.hub.metrics.rotation(true);
                running.cluster.show(|shown| {
                    shown.server = registration.server();
                    shown.validity = registration.validity();
                    shown.resource_version = version;
                    shown.rejected_rotation = None;
                    shown.faults = registration.remarks();
                });
                running.trial = None;
                running.registration = registration;
                running.cluster.rotated.notify_one();
                self.hub.publish(&id);
            }
            (Err(message), _) => self.reject(&id, version, &message),
            (Ok(_), None) => {}
        }
    }

    fn reject(&mut self, id: &ClusterId, version: String, message: &str) {
        let Some(running) = self.running.get_mut(id) else { return };
        running.trial = Some(Trial { version: version.clone(), again: Some(Instant::now() + TRIAL_RETRY) });
        let is_news = running.cluster.show(|shown| {
            shown.resource_version = version;
            shown.rejected_rotation = Some(message.to_owned());
        });
        if is_news {
            tracing::warn!(cluster = %id, message, "the new kubeconfig is not used; the session goes on with the old one");
            self.hub.metrics.rotation(false);
            self.hub.publish(id);
        }
    }
}

/// New credentials must lead to the same cluster and carry what the work needs. Rights that cannot be read are no
/// reason to refuse them: the old ones did no better.
async fn try_out(
    client: &Client,
    expected: &ClusterUid,
    needs: &[Need],
    namespaces: &Namespaces,
) -> Result<(), String> {
    let identity = fetch_identity(client).await.map_err(|error| Chain(&error).to_string())?;
    if identity.uid != *expected {
        return Err(
            "it leads to another cluster than the one that was registered; to register that one, create \
                    another Secret"
                .to_owned(),
        );
    }
    match review(client, needs, namespaces).await {
        Ok(Permissions::Missing { words, stops_work: true }) => Err(words),
        _ => Ok(()),
    }
}
