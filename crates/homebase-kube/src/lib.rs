//! The only crate that talks to an apiserver: clients, server-side apply, prune, CRD installation,
//! identity, events, watches, permissions.
//!
//! It knows nothing of IRIS, but for the names in the one table of rights, and decides nothing: callers say what to
//! send.

pub mod admit;
pub mod apply;
pub mod bound;
pub mod budget;
pub mod claim;
pub mod client;
pub mod crd;
pub mod destination;
pub mod error;
pub mod event;
pub mod gate;
pub mod home;
pub mod identity;
mod items;
pub mod lease;
mod lister;
pub mod observe;
pub mod permissions;
pub mod pod_proxy;
pub mod policy;
pub mod relist;
pub mod resolver;
pub mod rotating;
pub mod watch;
mod watcher;

pub use error::{Category, categorize};
