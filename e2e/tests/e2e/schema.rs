//! The CRDs on a real apiserver: what it refuses by itself, and with which words. It must not need a controller.

mod bounds;
pub(crate) mod fixture;
mod offline;
mod rules;
mod serving;
mod transitions;
mod wild;
