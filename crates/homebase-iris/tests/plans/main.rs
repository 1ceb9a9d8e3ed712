//! Plans as a whole: golden folders, coverage of the schema, properties. Must not test single functions: their tests
//! are beside them.

#![expect(clippy::unwrap_used, reason = "a test that panics fails, as it should")]

#[path = "../support/folders.rs"]
mod folders;

mod coverage;
mod found;
mod golden;
mod preview;
mod properties;
mod simulate;
