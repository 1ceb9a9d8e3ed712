//! A launcher for real control planes and for the hub, and helpers for tests
//! against them.
//!
//! A dev crate: it may start processes, write below the target directory and
//! look at clocks. It must not be a dependency of any crate that ships, and it
//! knows nothing of what the hub decides.

mod access;
mod audit;
mod backup;
mod components;
mod control_plane;
mod detached;
mod error;
mod eventually;
mod gateway;
mod hub;
mod kubeconfig;
mod layout;
mod nodes;
mod pki;
mod plane;
mod ports;
mod process;
mod rights;
mod tools;
mod watchdog;

pub use audit::{AuditEvent, AuditMark};
pub use backup::EtcdBackup;
pub use components::Component;
pub use control_plane::{Builder, start_many};
pub use detached::DetachedPlane;
pub use error::{Error, Result};
pub use eventually::eventually;
pub use gateway::{Behaviour, Gateway};
pub use hub::{Answer, BINARY_VARIABLE, HubBuilder, HubProcess};
pub use nodes::{STORAGE_CLASS, ZONE_LABEL};
pub use plane::ControlPlane;
pub use rights::HOME_ACCOUNT;
pub use tools::{ASSETS_VARIABLE, Tools, promtool, target_dir, workspace_root};
