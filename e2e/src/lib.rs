//! End-to-end tests on real control planes.
