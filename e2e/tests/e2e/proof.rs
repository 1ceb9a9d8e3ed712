//! The commands that prove a topology, on real control planes: `attest` as a person runs it. It must not look into the hub beyond what it shows.

mod attest;
mod xml;
