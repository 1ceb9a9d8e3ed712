//! Conditions of `IrisCluster` and `Iris`. It must not decide when one holds.

use super::{Described, described, reasons};

reasons! {
    /// Whether the resource does its work.
    Ready, "Ready" {
        /// Every node is ready, and a mirror has one primary.
        AllNodesReady,
        /// Some nodes are not ready.
        NodesNotReady,
        /// Members of a mirror answer, and none says that it is the primary; the label stays where it is.
        NoPrimary,
        /// Two or more members of a mirror say that they are the primary; the label stays where it is.
        TwoPrimaries,
        /// No member of a mirror answers, though one has before; the label stays where it is.
        MirrorSilent,
        /// The spec is refused: see `SpecAccepted`.
        SpecRefused,
        /// Seen for the first time.
        FirstSight,
    }
}

reasons! {
    /// Whether the hub is changing something. True is the abnormal state.
    Reconciling, "Reconciling" {
        /// Objects are created for the first time.
        Creating,
        /// Objects are changed.
        Updating,
        /// Pods are added or removed.
        Scaling,
        /// Something is held back until something else is ready.
        Waiting,
        /// Nothing is left to do.
        Done,
    }
}

reasons! {
    /// Whether nothing will happen without a change by somebody. True is the abnormal state.
    Stalled, "Stalled" {
        /// Work goes on or is done.
        NotStalled,
        /// The spec is refused: see `SpecAccepted`.
        SpecRefused,
        /// A field that cannot be changed was changed.
        ImmutableField,
        /// Somebody else owns a field that the hub needs: see `FieldConflict`.
        FieldConflict,
        /// The hub lacks a right.
        Forbidden,
        /// The apiserver refused an object.
        ObjectRefused,
    }
}

reasons! {
    /// Whether each node is where the topology says.
    TopologySatisfied, "TopologySatisfied" {
        /// Each node is where it belongs.
        AsPlanned,
        /// The spec names no zones.
        NoZones,
        /// Some nodes are in a wrong zone.
        Misplaced,
        /// Some nodes run nowhere yet.
        NotScheduled,
        /// The zones of some nodes cannot be read.
        ZonesUnknown,
    }
}

reasons! {
    /// Whether the volumes are there.
    StorageReady, "StorageReady" {
        /// Every claim is bound and has its size.
        AllBound,
        /// The spec asks for no volumes.
        NoVolumes,
        /// Some claims are not bound.
        NotBound,
        /// Some volumes are growing.
        Growing,
        /// A claim is larger than the spec asks for, and no volume shrinks: ask for as much as there is.
        ShrinkRefused,
        /// A volume may not grow: its storage class does not allow it, a quota or the storage provider refused it.
        GrowthRefused,
        /// The claims cannot be read.
        ClaimsUnknown,
    }
}

reasons! {
    /// Whether the spec can be built.
    SpecAccepted, "SpecAccepted" {
        /// It can.
        Accepted,
        /// It can, and parts of it have no effect.
        AcceptedWithWarnings,
        /// It cannot.
        Refused,
    }
}

reasons! {
    /// Whether somebody else owns fields that the hub needs. True is the abnormal state.
    FieldConflict, "FieldConflict" {
        /// Nobody does.
        NoConflict,
        /// Another field manager does.
        OwnedByOthers,
    }
}

/// The conditions of an `IrisCluster`; an `Iris` has those that are not about zones and volumes.
pub fn all() -> Vec<Described> {
    vec![
        described::<Ready>(),
        described::<Reconciling>(),
        described::<Stalled>(),
        described::<SpecAccepted>(),
        described::<TopologySatisfied>(),
        described::<StorageReady>(),
        described::<FieldConflict>(),
    ]
}
