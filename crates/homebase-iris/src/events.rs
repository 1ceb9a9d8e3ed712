//! The events that a plan can tell. Must not decide which ones it does.

use std::fmt;

/// Most characters of a note: an apiserver refuses an event with 1024 bytes or more.
const MAX_NOTE: usize = 1000;

/// The reason of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventReason {
    /// An object was created.
    Created,
    /// The number of pods was changed.
    Scaled,
    /// The template of the pods was changed.
    Updated,
    /// An object was deleted.
    Deleted,
    /// An object that another operator made was taken over.
    Adopted,
    /// An object was deleted to be made anew.
    Recreated,
    /// A volume was asked to grow.
    Growing,
    /// Something is held back.
    Waiting,
    /// The spec cannot be built.
    Refused,
}

impl EventReason {
    /// The word in the event.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "Created",
            Self::Scaled => "Scaled",
            Self::Updated => "Updated",
            Self::Deleted => "Deleted",
            Self::Adopted => "Adopted",
            Self::Recreated => "Recreated",
            Self::Growing => "Growing",
            Self::Waiting => "Waiting",
            Self::Refused => "Refused",
        }
    }

    /// Whether it is an event of type `Warning`; `Normal` otherwise.
    pub const fn is_warning(self) -> bool {
        matches!(self, Self::Refused)
    }
}

impl fmt::Display for EventReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An event to send on the resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedEvent {
    /// What happened, in a word.
    pub reason: EventReason,
    /// What happened, in a sentence.
    pub note: String,
}

impl PlannedEvent {
    pub(crate) fn new(reason: EventReason, note: impl Into<String>) -> Self {
        let mut note = note.into();
        if note.len() > MAX_NOTE {
            let end = (0..=MAX_NOTE).rev().find(|&end| note.is_char_boundary(end)).unwrap_or_default();
            note.truncate(end);
        }
        Self { reason, note }
    }
}
