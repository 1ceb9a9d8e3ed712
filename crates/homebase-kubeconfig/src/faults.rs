//! Collects the faults of one kubeconfig. It must not let a reader give up without having said why: the
//! only way to a [`Refused`] is to add a fault.

use crate::policy::MAX_FAULTS;
use crate::rejection::{Path, Rejection, RejectionKind};

/// The proof that a fault has been recorded.
#[derive(Clone, Copy)]
pub(crate) struct Refused(());

/// The faults so far, in the order in which they were found.
#[derive(Default)]
pub(crate) struct Faults(Vec<Rejection>);

impl Faults {
    pub(crate) fn add(&mut self, path: Path, kind: RejectionKind) -> Refused {
        if self.0.len() < MAX_FAULTS {
            self.0.push(Rejection::new(path, kind));
        } else if self.0.len() == MAX_FAULTS {
            self.0.push(Rejection::new(Path::document(), RejectionKind::TooManyFaults { limit: MAX_FAULTS }));
        }
        Refused(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn into_rejections(self) -> Vec<Rejection> {
        self.0
    }
}
