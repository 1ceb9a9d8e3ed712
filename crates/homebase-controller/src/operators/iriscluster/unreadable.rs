//! Tells users of an IrisCluster that this hub cannot read. It changes nothing else: what runs keeps running.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use homebase_api::IrisCluster;
use homebase_core::ObjectKey;
use homebase_iris::cluster;
use homebase_kube::{Category, apply};
use jiff::Timestamp;
use kube::Resource as _;

use super::super::primary::Unreadable;
use super::super::report::send;
use super::IrisClusterReconciler;
use crate::reconcile::{Outcome, ReconcileError};

/// Of which IrisClusters users were told, as they were then: once, for we cannot read what the status says.
#[derive(Default)]
pub(super) struct ToldUnreadable(Mutex<HashMap<ObjectKey, Unreadable>>);

impl ToldUnreadable {
    /// Takes note that a cluster is told of; true when that is news.
    fn insert(&self, key: &ObjectKey, unreadable: &Unreadable) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.insert(key.clone(), unreadable.clone()).as_ref() != Some(unreadable)
    }

    /// Forgets a cluster that is gone or can be read.
    pub(super) fn forget(&self, key: &ObjectKey) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

impl IrisClusterReconciler {
    /// Says so on the resource, by an event and in its status.
    pub(super) async fn tell_unreadable(
        &self,
        key: &ObjectKey,
        unreadable: &Unreadable,
    ) -> Result<Outcome, ReconcileError> {
        if !self.unreadable.insert(key, unreadable) {
            return Ok(Outcome::Done);
        }
        let Unreadable { uid, generation, .. } = unreadable;
        let (stub, invalid) = cluster::unreadable(key, uid.as_deref(), *generation);
        let events = cluster::refused_events(&stub, &invalid);
        send(&self.engagement, &stub.object_ref(&()), &events).await;
        let status = cluster::refused_status(&stub, &invalid, Timestamp::now());
        let (client, manager) = (&self.engagement.client, &self.engagement.manager);
        let uid = uid.clone().unwrap_or_default();
        match apply::patch_status::<IrisCluster>(client, key, &uid, &status, manager).await {
            Ok(()) => Ok(Outcome::Done),
            // Rules of the CRD can trip over what does not fit the schema; then the event has to do.
            Err(error) if error.category() == Category::Invalid => Ok(Outcome::Done),
            Err(error) => {
                self.unreadable.forget(key);
                Err(error.into())
            }
        }
    }
}
