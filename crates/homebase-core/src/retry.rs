//! What to do after an error. It says when, not how: the queue does the waiting.

/// When an operation that failed is worth another try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Retry {
    /// It may go through later without anybody's help: try again with backoff.
    Backoff,
    /// It fails until an object changes, and that change arrives as an event: wait for it.
    AfterChange,
    /// It can never go through.
    Never,
}
