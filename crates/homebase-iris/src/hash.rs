//! Marks of contents, written as annotations. Must not mark what somebody else decides, such as replicas.

use homebase_core::Fingerprint;

/// Annotation on a pod template: fingerprint of the CPF, so that a changed CPF rolls the pods.
pub const CONFIG_HASH: &str = "homebase.dev/config-hash";
/// Annotation on a StatefulSet or a Deployment: fingerprint of the plan that it was applied from, without the replicas.
///
/// It tells "ready" from "ready as it was before the change", which no field of the status can.
pub const PLAN_HASH: &str = "homebase.dev/plan-hash";

/// Annotation on a StatefulSet: fingerprint of the fields that it cannot change, as they were asked for when it was
/// applied.
pub const FIXED_HASH: &str = "homebase.dev/fixed-hash";

/// The fingerprint of something that serializes to JSON without exception.
pub(crate) fn fingerprint(value: &impl serde::Serialize) -> String {
    // Core types and maps of texts always serialize; a constant would only make every plan look unchanged.
    Fingerprint::of(value).map(|fingerprint| fingerprint.to_string()).unwrap_or_default()
}
