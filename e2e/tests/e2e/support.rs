//! What the end-to-end modules share: a fleet of real control planes with the hub, registrations, waiting, reading,
//! and the invariants that every test ends with. It must hold no case and decide no verdict of its own beyond them.

mod fleet;
mod invariants;
mod look;
mod metrics;
mod registration;
mod rights;

pub(crate) use fleet::{Fleet, FleetBuilder, create_namespace};
pub(crate) use invariants::hub_requests;
pub(crate) use look::{Identities, apply, condition, events, is, object, wait_object, wait_ready};
pub(crate) use metrics::Metrics;
pub(crate) use registration::{Registration, account, kubeconfig};
pub(crate) use rights::{kubeconfig_with, set_role, shipped, shipped_without};

use std::time::Duration;

/// Where the hub looks for registrations.
pub(crate) const NAMESPACE: &str = "homebase-system";
/// The first part of every field manager and file that a test writes as.
pub(crate) const FIELD_MANAGER: &str = "homebase-e2e";
/// From a Secret to a `WorkCluster` that is Ready: seconds, and many times that beside a compiler.
pub(crate) const CLUSTER_READY: Duration = Duration::from_secs(90);
/// From a manifest to an object that is Ready with its pods.
pub(crate) const OBJECT_READY: Duration = Duration::from_secs(120);
/// Anything that the hub does within a second when the machine is idle.
pub(crate) const SOON: Duration = Duration::from_secs(30);
