//! Gets the home cluster ready for the hub: waits until it answers and learns who it is; once the hub holds its Lease,
//! installs the CRD of the hub's own resource. Until then the hub is alive and not ready.

use std::sync::Arc;
use std::time::Duration;

use homebase_controller::home::HomeHealth;
use homebase_controller::metrics::Metrics;
use homebase_core::{Backoff, Chain, ClusterUid};
use homebase_kube::crd::{CrdPolicy, Installation, Progress, install_crds};
use homebase_kube::identity::fetch_identity;
use homebase_kube::observe::Observer;
use http::{Method, StatusCode};
use kube::Client;

/// Waits between tries: the home cluster is what everything depends on, so they stay short.
const RETRY: Backoff = Backoff { first: Duration::from_millis(500), cap: Duration::from_secs(10) };

/// Counts the requests to the home cluster.
pub(crate) struct HomeObserver {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) host: String,
}

impl Observer for HomeObserver {
    fn request(&self, method: &Method, _: &str, status: Option<StatusCode>) {
        self.metrics.home_request(&self.host, method, status);
    }

    fn watch_started(&self, _: &str) {}

    fn watch_activity(&self, _: &str) {}

    fn watch_ended(&self, _: &str) {}
}

/// Who this hub is, from what its home cluster is.
pub(crate) struct HubIdentity {
    pub(crate) hub_id: String,
    /// A short mark of the ID: a label has 63 characters and no slash.
    pub(crate) mark: String,
    pub(crate) field_manager: Arc<str>,
}

impl HubIdentity {
    pub(crate) fn new(home: &ClusterUid, namespace: &str) -> Self {
        // Two hubs in two namespaces of one home cluster are two hubs.
        let hub_id = format!("{home}/{namespace}");
        let mark = homebase_core::Fingerprint::of_bytes(&hub_id).to_string()[..8].to_owned();
        Self { field_manager: format!("homebase-{mark}").into(), mark, hub_id }
    }
}

/// Tries until the home cluster says who it is. It writes nothing.
pub(crate) async fn identify(home: &Client, namespace: &str, health: &HomeHealth) -> HubIdentity {
    let mut failures = 0;
    loop {
        let error = match fetch_identity(home).await {
            Ok(found) => {
                health.answered();
                return HubIdentity::new(&found.uid, namespace);
            }
            Err(error) => error,
        };
        failures += 1;
        health.failed(error.category(), &Chain(&error).to_string());
        tokio::time::sleep(RETRY.delay(failures, fastrand::f64())).await;
    }
}

/// Tries until the home cluster has the CRD of the hub's own resource.
pub(crate) async fn install(home: &Client, identity: &HubIdentity) {
    let mut failures = 0;
    loop {
        let how = Installation {
            manager: &identity.field_manager,
            policy: CrdPolicy::Install,
            // The hubs of several namespaces share it.
            claim: None,
            progress: &Progress::default(),
        };
        let Err(error) = install_crds(home, &homebase_api::home_crds(), how).await else { return };
        failures += 1;
        tracing::warn!(error = %Chain(&error), "the home cluster is not ready for the hub");
        tokio::time::sleep(RETRY.delay(failures, fastrand::f64())).await;
    }
}
