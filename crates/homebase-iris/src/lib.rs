//! What becomes of an `IrisCluster` or an `Iris`: validate → plan → status, and the CPF text. Must not do I/O, read a
//! clock, or draw a random number.

pub mod cluster;
mod draft;
mod events;
mod failure;
mod hash;
pub mod iris;
mod readiness;
mod report;

pub use events::{EventReason, PlannedEvent};
pub use failure::Failure;
pub use hash::{CONFIG_HASH, FIXED_HASH, PLAN_HASH};
pub use readiness::Readiness;
pub use report::{Invalid, InvalidKind};
