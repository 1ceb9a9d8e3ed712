//! Custom resources, labels, annotations and conditions of Homebase, and their CRDs.
//!
//! Decides how the kinds look on the wire and what an apiserver refuses by itself. It must not do I/O, read a
//! clock, or know how a resource is reconciled.

pub mod annotations;
pub mod conditions;
pub mod crd;
pub mod embedded;
pub mod iris;
pub mod iriscluster;
pub mod labels;
pub mod limits;
mod null;
pub mod rules;
mod schema;
pub mod workcluster;

pub use crd::{crds, home_crds, remote_crds};
pub use iris::{Iris, IrisSpec, IrisStatus};
pub use iriscluster::{IrisCluster, IrisClusterSpec, IrisClusterStatus};
pub use workcluster::{WorkCluster, WorkClusterSpec, WorkClusterStatus};
