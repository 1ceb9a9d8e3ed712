//! What Homebase operates: the kinds `IrisCluster` and `Iris`. They plug into sessions through
//! `reconcile::Workload` and know of one cluster at a time.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use homebase_kube::claim::HubClaim;
use homebase_kube::permissions::{NEEDS, Need};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

use crate::reconcile::{Engagement, Reconciler, Workload};

mod children;
mod gate;
mod iris;
mod iriscluster;
mod primary;
mod report;
mod sources;

/// The IRIS workload.
pub struct IrisWorkload {
    /// Who this hub is: written on every object that it makes, and on the CRDs.
    pub hub: Arc<HubClaim>,
    /// How often the members of mirrors are asked who is primary; never without it.
    pub mirror_interval: Option<Duration>,
}

impl Workload for IrisWorkload {
    fn crds(&self) -> &'static [CustomResourceDefinition] {
        // Made from schemas, which takes milliseconds, and the same for every cluster.
        static CRDS: LazyLock<Vec<CustomResourceDefinition>> = LazyLock::new(homebase_api::remote_crds);
        &CRDS
    }

    fn claim(&self) -> Option<&HubClaim> {
        Some(&self.hub)
    }

    fn needs(&self) -> &'static [Need] {
        NEEDS
    }

    fn controllers(&self) -> &'static [&'static str] {
        &["iriscluster", "iris"]
    }

    fn engage(&self, cluster: &Engagement) -> Vec<Arc<dyn Reconciler>> {
        vec![
            Arc::new(iriscluster::IrisClusterReconciler::new(
                cluster.clone(),
                self.hub.clone(),
                self.mirror_interval,
            )),
            Arc::new(iris::IrisReconciler::new(cluster.clone(), self.hub.clone())),
        ]
    }
}
