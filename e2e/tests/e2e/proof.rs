//! The commands that prove a topology, on real control planes: `attest`, `simulate` and `plan --diff` as a person runs
//! them. It must not look into the hub beyond what it shows.

mod attest;
mod diff;
mod rehearsal;
mod simulate;
mod xml;
