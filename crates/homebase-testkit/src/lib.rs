//! The hub as a process, gateways that break the way to an apiserver, and accounts for tests; with the control planes
//! of `homebase-planes`.
//!
//! A dev crate: it may start processes, write below the target directory and
//! look at clocks. It must not be a dependency of any crate that ships, and it
//! knows nothing of what the hub decides.

mod gateway;
mod hub;
mod pods;
mod promtool;
mod rights;

pub use gateway::{Behaviour, Gateway, Interceptor, OwnAnswer};
pub use homebase_planes::{
    ASSETS_VARIABLE, AuditEvent, AuditMark, Builder, Component, ControlPlane, DetachedPlane, Error,
    EtcdBackup, GROW_ANNOTATION, Result, STORAGE_CLASS, Tools, ZONE_LABEL, eventually, start_many,
    target_dir, workspace_root,
};
pub use hub::{Answer, BINARY_VARIABLE, HubBuilder, HubProcess};
pub use pods::{PodBehaviour, PodNetwork, PodRequest};
pub use promtool::promtool;
pub use rights::{HOME_ACCOUNT, HubRights};
