//! Ends the sessions of clusters that were deregistered, and lets those go on whose registrations disappeared together
//! with many others. Which ones is decided in `homebase-fleet`. It also keeps the identities of clusters while their
//! sessions are exchanged.

use std::collections::{BTreeMap, BTreeSet};

use homebase_core::{Chain, ClusterId, ClusterUid, ObjectKey};
use homebase_kube::apply;
use homebase_kube::event::Severity;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ObjectReference, Secret};

use super::{Registrar, Registration, Running, complaint_key};
use crate::metrics::RegistrationEvent;

/// The reason of the Event about a registration that is missing.
const MISSING: &str = "RegistrationMissing";

impl Registrar {
    /// Ends the sessions of registrations that are gone, but those that are doubted.
    pub(super) fn depart(&mut self, wanted: &BTreeMap<ClusterId, Registration>) {
        let (mut missing, mut sessions, mut idle) = (BTreeSet::new(), 0, Vec::new());
        for (id, running) in &self.running {
            sessions += usize::from(running.task.is_some());
            match wanted.contains_key(id) {
                true => {}
                false if running.task.is_some() => drop(missing.insert(id.clone())),
                // Nothing is done for such a cluster, so nothing ends.
                false => idle.push(id.clone()),
            }
        }
        let over = self.departures.look(sessions, &missing, Timestamp::now());
        for id in over.iter().chain(&idle) {
            tracing::info!(cluster = %id, "the registration is gone: the session ends");
            self.end(id, false);
        }
        self.tell_missing(sessions);
        for id in self.departures.due(Timestamp::now()) {
            self.look_for_secret(id);
        }
    }

    /// Ends what runs for a name.
    pub(super) fn end(&mut self, id: &ClusterId, replaced: bool) {
        let Some(running) = self.running.remove(id) else { return };
        running.cancel.cancel();
        if replaced {
            self.remember(&running);
        } else {
            self.pins.remove(&complaint_key(&running.registration));
        }
        let event = if replaced { RegistrationEvent::Replaced } else { RegistrationEvent::Disengaged };
        self.hub.metrics.registration(event);
        match running.task {
            Some(task) => drop(self.ending.insert(task, running.cluster)),
            None => self.hub.registry.remove(&running.cluster),
        }
        self.hub.publish(id);
    }

    /// Shows the doubt: on each cluster, in the log and in metrics, and the brake holds.
    fn tell_missing(&mut self, sessions: usize) {
        let missing = self.departures.count();
        let is_news = self.hub.brake.missing(missing);
        let doubted: BTreeSet<ClusterId> = self.departures.doubted().cloned().collect();
        let mut events = Vec::new();
        for (id, running) in &self.running {
            let name = &running.registration.secret.name;
            let words = doubted.contains(id).then(|| {
                format!(
                    "Secret {name} is missing together with many other registrations; the session goes on and deletes \
                     nothing. Restore the Secrets. If they were deleted on purpose, do nothing: the session ends \
                     10 minutes later"
                )
            });
            if running.cluster.show(|shown| shown.missing.clone_from(&words)) {
                self.hub.publish(id);
                events.extend(words.map(|words| (id.clone(), words)));
            }
        }
        for (id, words) in events {
            self.warn(&id, words);
        }
        match (is_news, missing) {
            (false, _) => {}
            (true, 0) => tracing::info!("no registration is missing: deletions go on"),
            (true, _) => tracing::warn!(
                missing,
                sessions,
                "many registrations are missing at once: their sessions go on, and nothing is deleted anywhere. Restore \
                 the registration Secrets; if they were deleted on purpose, their sessions end 10 minutes later"
            ),
        }
    }

    fn warn(&mut self, id: &ClusterId, words: String) {
        let namespace = &self.hub.settings.namespace;
        let Some(published) = self.hub.work_clusters.get(&ObjectKey::new(namespace, id.as_str())) else {
            return;
        };
        let about = ObjectReference {
            api_version: Some("homebase.dev/v1alpha1".to_owned()),
            kind: Some("WorkCluster".to_owned()),
            namespace: Some(namespace.clone()),
            name: Some(id.to_string()),
            uid: Some(published.uid),
            ..ObjectReference::default()
        };
        let events = self.events.clone();
        self.errands.spawn(async move {
            events.publish(&about, Severity::Warning, MISSING, &words).await;
            None
        });
    }

    /// Reads the Secret of a missing registration by name: the list may be wrong.
    fn look_for_secret(&mut self, id: ClusterId) {
        let Some(running) = self.running.get(&id) else { return };
        let secret = running.registration.secret.clone();
        let key = ObjectKey::new(&self.hub.settings.namespace, &secret.name);
        let home = self.home.clone();
        self.looks.spawn(async move {
            match apply::fetch::<Secret>(&home, &key).await {
                Ok(found) if found.as_ref().and_then(kube::ResourceExt::uid) != Some(secret.uid) => Some(id),
                Ok(_) => {
                    tracing::warn!(cluster = %id, "the registration exists and is missing from the list; the session goes on");
                    None
                }
                Err(error) => {
                    tracing::warn!(cluster = %id, error = %Chain(&error), "the registration cannot be read; the session goes on");
                    None
                }
            }
        });
    }

    /// The identity that was pinned under this registration: in its `WorkCluster`, or in what the hub remembers. One
    /// that was pinned under an earlier registration of the same name says nothing about this one.
    pub(super) fn pinned(&self, id: &ClusterId, registration: &Registration) -> Option<ClusterUid> {
        let key = ObjectKey::new(&self.hub.settings.namespace, id.as_str());
        let published = self.hub.work_clusters.get(&key);
        let on_record = published.and_then(|published| published.pin(&registration.secret.uid));
        on_record.or_else(|| self.pins.get(&complaint_key(registration)).cloned())
    }

    /// Remembers the identity of a cluster whose session begins again.
    pub(super) fn remember(&mut self, running: &Running) {
        if let Some(pin) = running.cluster.pin() {
            self.pins.insert(complaint_key(&running.registration), pin);
        }
    }
}
