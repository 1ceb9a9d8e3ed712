//! The CRDs on a real apiserver: what it refuses by itself, and with which words. It must not need a controller.

mod bounds;
mod fixture;
mod rules;
mod serving;
mod transitions;
mod wild;
