//! The kind `IrisCluster`: validate → plan → status. Must not do I/O: what was found is an argument, what is wanted
//! is the result.

mod adoption;
pub mod attest;
pub mod cpf;
pub mod csp;
mod events;
pub mod mirror;
pub mod names;
pub mod observed;
pub mod plan;
mod preview;
mod status;
mod validate;
mod validated;

pub use self::adoption::{ADOPTED_TEMPLATE, AdoptedPods, adopted_event, keeps_pods, without_marks};
pub use self::events::{PruneStep, events, prune_event, refused_events};
pub use self::observed::{
    ChildKind, ConfigSource, Dereferenced, ObservedChild, ObservedPod, ObservedStatefulSet,
};
pub use self::plan::mirror_label::MirrorLabel;
pub use self::plan::{Applied, Plan, Prepared, Stage, Waiting, WaitingReason, plan};
pub use self::preview::{Preview, PreviewObject, PreviewStep, preview};
pub use self::status::{failed_status, first_status, refused_status, status};
pub use self::validate::validate;
pub use self::validated::ValidatedCluster;
