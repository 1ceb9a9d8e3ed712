//! Credentials with exactly the rights of the shipped role, with fewer and with more: that the first are enough for
//! everything that the hub does, and that the others are told by name. It must not list the rights that the hub needs:
//! they are what the shipped file says.

mod claims;
mod comparison;
mod least;
mod role;
