//! Registrations as other tools write them, what their annotations ask for, and new credentials for a cluster that is
//! engaged. It must not repeat what the tests of the fleet say about native Secrets without annotations.

mod conventions;
mod crds;
mod credentials;
mod ends;
mod insecure;
mod namespaces;
mod preferences;
mod secrets;
mod several;
mod versions;
