//! State machines of the fleet: what one session does next, what is known of its cluster, and when the whole fleet
//! looks wrong.
//!
//! Nothing here does I/O, reads a clock or draws a random number, and nothing here knows of IRIS.

pub mod brake;
pub mod departures;
pub mod findings;
pub mod freshness;
pub mod home;
pub mod lease;
pub mod session;
