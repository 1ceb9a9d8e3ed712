//! The tasks of the hub: it watches registrations, runs one supervised session for each work cluster, and
//! publishes what it knows of them.
//!
//! Decisions are made in the pure crates below; nothing here knows HTTP, and nothing outside `operators` knows
//! IRIS.

pub mod brake;
pub mod home;
pub mod hub;
pub mod lease;
pub mod metrics;
pub mod operators;
mod publisher;
pub mod queue;
pub mod reconcile;
mod registrar;
pub mod registration;
pub mod registry;
mod session;
mod signals;
pub mod store;
pub mod watching;

pub use hub::{Hub, HubSettings, RunHubError, run};
