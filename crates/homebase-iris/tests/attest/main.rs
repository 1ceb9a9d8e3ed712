//! Attestations as a whole: folders of cases, and mutations of a perfect observation. Must not test single functions:
//! their tests are beside them.

#![expect(clippy::unwrap_used, reason = "a test that panics fails, as it should")]

#[path = "../support/folders.rs"]
mod folders;

mod cases;
mod mutations;
mod perfect;
mod reading;
