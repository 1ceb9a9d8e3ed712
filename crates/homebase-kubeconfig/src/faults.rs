//! Collects the faults of one registration. It must not let a reader give up without having said why: the
//! only way to a [`Refused`] is to add a fault.

use crate::policy::MAX_FAULTS;
use crate::rejection::{Path, Rejection, RejectionKind};

/// The proof that a fault has been recorded.
#[derive(Clone, Copy)]
pub(crate) struct Refused(());

/// The faults so far, in the order in which they were found.
pub(crate) struct Faults {
    root: Path,
    found: Vec<Rejection>,
}

impl Faults {
    /// `root` is where the document is: faults of it as a whole are reported there.
    pub(crate) fn of(root: Path) -> Self {
        Self { root, found: Vec::new() }
    }

    pub(crate) fn root(&self) -> Path {
        self.root.clone()
    }

    pub(crate) fn add(&mut self, path: Path, kind: RejectionKind) -> Refused {
        if self.found.len() < MAX_FAULTS {
            self.found.push(Rejection::new(path, kind));
        } else if self.found.len() == MAX_FAULTS {
            self.found.push(Rejection::new(self.root(), RejectionKind::TooManyFaults { limit: MAX_FAULTS }));
        }
        Refused(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    pub(crate) fn into_rejections(self) -> Vec<Rejection> {
        self.found
    }
}
