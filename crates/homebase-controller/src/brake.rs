//! The fleet's brake as the sessions share it: they report losses, and whoever is about to delete asks first. When it
//! holds is decided in `homebase-fleet`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use homebase_core::{ClusterId, Retry};
use homebase_fleet::brake::Brake;
use jiff::Timestamp;

use crate::reconcile::ReconcileError;
use crate::registry::Registry;

/// The brake of a hub.
pub struct FleetBrake {
    state: Mutex<State>,
    registry: Arc<Registry>,
}

#[derive(Debug)]
struct State {
    brake: Brake,
    /// Whether it was said that the brake holds.
    told: bool,
    /// How many registrations are missing while their sessions go on.
    missing: usize,
}

/// Nothing is deleted now.
#[derive(Debug, thiserror::Error)]
#[error(
    "nothing is deleted while so many clusters of the fleet, or their registrations, were lost at once: rather than all \
     of them, the hub may have lost its network, or the home cluster its Secrets"
)]
pub struct RefuseDeletion;

impl From<RefuseDeletion> for ReconcileError {
    fn from(error: RefuseDeletion) -> Self {
        Self { category: "FleetBrake", retry: Retry::Backoff, source: Box::new(error) }
    }
}

impl FleetBrake {
    pub(crate) fn new(share: u8, registry: Arc<Registry>) -> Self {
        Self { state: Mutex::new(State { brake: Brake::new(share), told: false, missing: 0 }), registry }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A cluster that was operated does not answer any more.
    pub(crate) fn lost(&self, cluster: &ClusterId) {
        self.lock().brake.lost(cluster, Timestamp::now());
        self.holds();
    }

    /// A cluster answers again, or is no longer registered.
    pub(crate) fn back(&self, cluster: &ClusterId) {
        self.lock().brake.back(cluster);
        self.holds();
    }

    /// So many registrations are missing while their sessions go on. True when that is another number than before.
    pub(crate) fn missing(&self, count: usize) -> bool {
        std::mem::replace(&mut self.lock().missing, count) != count
    }

    /// How many registrations are missing while their sessions go on.
    pub(crate) fn count_missing(&self) -> usize {
        self.lock().missing
    }

    /// Whether nothing may be deleted now.
    pub(crate) fn holds(&self) -> bool {
        let clusters = self.registry.sessions();
        let mut state = self.lock();
        // The registrar reports this doubt itself.
        let doubted = state.missing > 0;
        let holds = state.brake.holds(clusters, Timestamp::now());
        if std::mem::replace(&mut state.told, holds) != holds {
            let lost = state.brake.count();
            if holds {
                tracing::error!(
                    lost,
                    clusters,
                    "so many clusters were lost at once that the hub itself may have lost its network: nothing is \
                     deleted until they are back"
                );
            } else {
                tracing::info!(lost, clusters, "deletions go on");
            }
        }
        holds || doubted
    }

    /// Refuses what cannot be undone while the brake holds.
    pub(crate) fn check(&self) -> Result<(), RefuseDeletion> {
        if self.holds() { Err(RefuseDeletion) } else { Ok(()) }
    }
}
