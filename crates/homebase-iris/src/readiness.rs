//! How far a controller is with its pods, in words. Must not decide it.

use std::fmt;

/// How far a StatefulSet or a Deployment is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// As planned, updated, every pod ready.
    Ready,
    /// There is none yet.
    Absent,
    /// It is of an earlier plan.
    Unapplied,
    /// Its controller has not seen the last change.
    Unobserved,
    /// Pods are still of an earlier revision.
    Updating {
        /// Pods of the new revision.
        updated: i32,
        /// Pods wanted.
        wanted: i32,
    },
    /// Too few pods are ready.
    NotReady {
        /// Pods ready.
        ready: i32,
        /// Pods wanted.
        wanted: i32,
    },
    /// Pods that are no longer wanted are still there.
    Terminating {
        /// Pods too many.
        surplus: i32,
    },
}

impl Readiness {
    /// Whether what comes after may go on.
    pub fn is_ready(&self) -> bool {
        *self == Self::Ready
    }
}

impl fmt::Display for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready => f.write_str("all pods ready"),
            Self::Absent => f.write_str("not created yet"),
            Self::Unapplied => f.write_str("its update is not applied yet"),
            Self::Unobserved => f.write_str("its last change is not observed yet"),
            Self::Updating { updated, wanted } => write!(f, "{updated} of {wanted} pods updated"),
            Self::NotReady { ready, wanted } => write!(f, "{ready} of {wanted} pods ready"),
            Self::Terminating { surplus } => write!(f, "{surplus} surplus pods still terminating"),
        }
    }
}
