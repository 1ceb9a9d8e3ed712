//! State machines of the fleet: what one session does next, and what is known of its cluster.
//!
//! Nothing here does I/O, reads a clock or draws a random number, and nothing here knows of IRIS.

pub mod findings;
pub mod session;
