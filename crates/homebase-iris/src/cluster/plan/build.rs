//! Builds single objects of a plan. Must not decide which ones are needed or when.

pub(crate) mod config_map;
pub(crate) mod iam;
pub(crate) mod meta;
pub(crate) mod pod;
pub(crate) mod service;
pub(crate) mod stateful_set;
pub(crate) mod tls;
pub(crate) mod webgateway;
pub(crate) mod zones;
