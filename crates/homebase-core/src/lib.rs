//! The vocabulary of the fleet: identifiers, fingerprints, backoff, error chains, text for people.
//!
//! Nothing here does I/O, reads a clock or the environment, or draws a random number: time and jitter
//! are arguments.

pub mod backoff;
pub mod chain;
pub mod fingerprint;
pub mod name;
pub mod namespaces;
pub mod retry;
pub mod text;

pub use backoff::Backoff;
pub use chain::Chain;
pub use fingerprint::Fingerprint;
pub use name::{ClusterId, ClusterUid, InvalidName, ObjectKey};
pub use namespaces::{NamespaceName, Namespaces};
pub use retry::Retry;
