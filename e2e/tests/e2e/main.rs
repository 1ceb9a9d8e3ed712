//! The one end-to-end test binary: each module is a part of the product on real apiservers.
//! It must not use stubs.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails, in its helpers too")]

mod canary;
mod cli;
mod faults;
mod fleet;
mod permissions;
mod proof;
mod registration;
mod schema;
mod sequences;
mod soak;
mod support;
mod workloads;
