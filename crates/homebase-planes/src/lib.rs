//! Starts real control planes on this machine, with KWOK in place of kubelets, and ends them and all that they run.
//! It knows nothing of Homebase.
//!
//! Edge: it starts processes, writes files below the directory of a plane, looks at clocks, and asks the apiservers
//! that it has started, and whether nodes are ready also those whose client it is handed. It must not touch a process
//! that it did not start, nor write to a cluster that it did not.

mod access;
mod audit;
mod backup;
mod components;
mod control_plane;
mod detached;
mod error;
mod eventually;
mod kubeconfig;
mod layout;
mod nodes;
mod pki;
mod plane;
mod ports;
mod process;
mod tools;
mod watchdog;

pub use audit::{AuditEvent, AuditMark};
pub use backup::EtcdBackup;
pub use components::{Component, node_player};
pub use control_plane::{Builder, start_many};
pub use detached::DetachedPlane;
pub use error::{Error, Result};
pub use eventually::eventually;
pub use layout::{Layout, write_private};
pub use nodes::{
    GROW_ANNOTATION, KWOK_LABEL, PODS_PER_NODE, STORAGE_CLASS, ZONE_LABEL, played_node, wait_ready,
};
pub use pki::{Authority, Identity};
pub use plane::{ControlPlane, POLL_INTERVAL};
pub use ports::free_port;
pub use process::{Process, Program, resident_kib, tail};
pub use tools::{ASSETS_VARIABLE, Tools, target_dir, workspace_root};
pub use watchdog::Watchdog;
