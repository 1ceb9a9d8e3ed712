//! One work cluster behind its gateway, and what it goes through. It must not know which faults there are.

use std::time::Instant;

use homebase_testkit::{Behaviour, ControlPlane, Gateway};

use super::table::{Line, Table};
use super::{Fault, HEALED};
use crate::fleet::pool::{apply_iris, wait_deployment};
use crate::support::{Fleet, Identities, SOON, condition, is, kubeconfig};

/// The namespace of a cluster's resources: another one on each.
pub(super) fn space(plane: &ControlPlane) -> String {
    format!("on-{}", plane.name())
}

/// A cluster and the way to it.
pub(super) struct Lane<'a> {
    fleet: &'a Fleet,
    plane: &'a ControlPlane,
    gateway: Gateway,
}

impl<'a> Lane<'a> {
    /// Registers a cluster by the address of its gateway.
    pub(super) async fn engage(fleet: &'a Fleet, plane: &'a ControlPlane) -> Self {
        let gateway = Gateway::start(plane).await.unwrap();
        let text = gateway.kubeconfig(plane, &kubeconfig(plane).await);
        fleet.register_as(plane.name(), text).await;
        Self { fleet, plane, gateway }
    }

    /// One fault after the other, each from a cluster that is well to one that is well again.
    pub(super) async fn suffer_all(&mut self, faults: &[Fault], table: &Table) {
        apply_iris(self.plane, &space(self.plane), "from-the-start", 1).await;
        wait_deployment(self.plane, (&space(self.plane), "from-the-start"), 1).await;
        for fault in faults {
            self.suffer(fault, table).await;
        }
    }

    async fn suffer(&mut self, fault: &Fault, table: &Table) {
        let (fleet, plane, space) = (self.fleet, self.plane, space(self.plane));
        let cluster = plane.name();
        let before = Identities::of(plane, &[&space]).await;
        let start = Instant::now();
        self.gateway.set(fault.behaviour).await.unwrap();
        let told = ("Reachable", "False", fault.reason);
        let (message, _) = fleet.wait_condition(cluster, told, fault.bound).await;
        let detected = start.elapsed();
        assert!(detected <= fault.bound, "{}: {detected:?}", fault.name);
        fleet.wait_condition(cluster, ("Ready", "False", "NotReachable"), SOON).await;
        let lost = fleet.work_cluster(cluster).await.unwrap();
        for kind in ["CredentialsValid", "IdentityVerified", "CRDsInstalled", "Synced"] {
            assert_eq!(condition(&lost, kind).unwrap().status, "Unknown", "{}: {kind}", fault.name);
        }

        // Asked for while nobody can hear of it.
        apply_iris(plane, &space, fault.name, 1).await;
        apply_iris(plane, &space, "from-the-start", 2).await;
        let start = Instant::now();
        self.gateway.set(Behaviour::Pass).await.unwrap();
        fleet.wait_condition(cluster, ("Ready", "True", "AllChecksPassed"), HEALED).await;
        let healed = start.elapsed();
        assert!(healed <= HEALED, "{}: {healed:?}", fault.name);
        wait_deployment(plane, (&space, fault.name), 1).await;
        wait_deployment(plane, (&space, "from-the-start"), 2).await;
        let worked = start.elapsed();
        apply_iris(plane, &space, "from-the-start", 1).await;
        wait_deployment(plane, (&space, "from-the-start"), 1).await;
        let found = fleet.work_cluster(cluster).await.unwrap();
        is(&condition(&found, "Reachable").unwrap(), "True", "ProbeSucceeded").unwrap();
        assert_same(plane, &before).await;
        let (fault, condition) = (fault.name, told);
        table.add(&Line { fault, condition, detected, healed, worked, message: &message });
    }
}

/// Nothing in the namespace of the cluster's resources has been made anew or has gone.
pub(super) async fn assert_same(plane: &ControlPlane, before: &Identities) {
    let after = Identities::of(plane, &[&space(plane)]).await;
    for (object, uid) in before.uids() {
        assert_eq!(after.uids().get(object), Some(&uid), "{object} on {} was made anew", plane.name());
    }
}
