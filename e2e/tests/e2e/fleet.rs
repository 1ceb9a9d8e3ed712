//! Registration in all its forms on real clusters: hot, rotated, wrong, hostile, gone; and the hub's own pages. It
//! must not test what the hub does on a cluster beyond that it works there.

mod alone;
mod deregistration;
mod hostile;
mod identity;
mod names;
mod pages;
pub(crate) mod pool;
mod rights;
mod rotation;
mod story;
mod two_hubs;
