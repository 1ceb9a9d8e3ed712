//! The kind `IrisCluster`: validate → plan → status. Must not do I/O: what was found is an argument, what is wanted
//! is the result.

mod adoption;
pub mod attest;
pub mod claims;
mod config_source;
pub mod cpf;
pub mod csp;
mod events;
pub mod fixed;
pub mod mirror;
pub mod names;
pub mod observed;
pub mod placement;
pub mod plan;
mod preview;
pub mod primary;
mod retention;
mod size;
mod status;
mod validate;
mod validated;
pub mod volume_policy;

pub use self::adoption::{
    ADOPTED_TEMPLATE, AdoptedPods, LEFT_OVER, adopted_event, keeps_pods, leftovers, without_marks,
};
pub use self::claims::ClaimPhase;
pub use self::config_source::{CONFIG_SOURCE_KEYS, ConfigSource, ConfigTexts};
pub use self::events::{
    PruneStep, events, growth_event, held_event, prune_event, recreation_event, refused_events,
    restart_event, unstuck_event,
};
pub use self::fixed::FixedField;
pub use self::observed::{
    ChildKind, Claims, Dereferenced, GrowthRefusal, NoPlacement, NodeZones, ObservedChild, ObservedClaim,
    ObservedPod, ObservedStatefulSet, Placement, PodState, Unread,
};
pub use self::plan::mirror_label::{MirrorLabel, mirror_labels};
pub use self::plan::recreation::{Hold as RecreationHold, Recreation};
pub use self::plan::restart::{Hold, MirrorUpdate, REVISION, Restart, RestartStep, restart_step};
pub use self::plan::storage::{ClaimGrowth, Storage};
pub use self::plan::stuck::{Replacement, StuckSet, StuckStep, never_started, replace_step, stuck_step};
pub use self::plan::{Applied, Plan, Prepared, Stage, Waiting, WaitingReason, plan};
pub use self::preview::{Preview, PreviewObject, PreviewStep, preview};
pub use self::retention::{OwnedClaim, keeps_volumes, owned_claims, retain_volumes};
pub use self::status::{failed_status, first_status, refused_status, status, unreadable};
pub use self::validate::validate;
pub use self::validated::{ValidatedCluster, places_members};
