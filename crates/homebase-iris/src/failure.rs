//! Why a plan could not be applied, as far as a status tells it apart. Must not hold an error.

use homebase_api::conditions::iris::Stalled;

/// Why a plan could not be applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Another field manager owns a field that the plan sets.
    FieldConflict,
    /// A field that cannot change was changed.
    ImmutableField,
    /// The hub lacks a right.
    Forbidden,
    /// The apiserver refused an object for another reason.
    ObjectRefused,
    /// It may go through later without anybody's help.
    Transient,
}

impl Failure {
    /// Why nothing will happen without a change by somebody; `None` when it may.
    pub(crate) fn stalled(self) -> Option<Stalled> {
        match self {
            Self::FieldConflict => Some(Stalled::FieldConflict),
            Self::ImmutableField => Some(Stalled::ImmutableField),
            Self::Forbidden => Some(Stalled::Forbidden),
            Self::ObjectRefused => Some(Stalled::ObjectRefused),
            Self::Transient => None,
        }
    }
}
