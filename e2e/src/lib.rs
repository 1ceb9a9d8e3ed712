//! End-to-end tests on real control planes, and what benchmarks share with them.

pub mod engage;
pub mod figures;
pub mod provision;
mod setup;
