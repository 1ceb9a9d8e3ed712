//! The commands that prove a topology, on real control planes: `attest` and `plan --diff` as a person runs
//! them. It must not look into the hub beyond what it shows.

mod attest;
mod diff;
mod xml;
