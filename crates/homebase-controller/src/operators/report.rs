//! Turns a failed reconcile into what the status of the resource says of it, and sends planned events.

use homebase_iris::Failure;
use homebase_iris::PlannedEvent;
use homebase_kube::event::Severity;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::reconcile::{Engagement, ReconcileError};

/// How a failure reads in a status. The category is one of a closed list of words.
pub(super) fn failure_of(error: &ReconcileError) -> Failure {
    match error.category {
        "NameTaken" | "OtherHub" => Failure::FieldConflict,
        "Forbidden" => Failure::Forbidden,
        "Invalid"
            if error.message().contains("updates to statefulset spec")
                || error.message().contains("immutable") =>
        {
            Failure::ImmutableField
        }
        "Invalid" => Failure::ObjectRefused,
        _ => Failure::Transient,
    }
}

/// Whether a failure is worth a write. The words of a passing one may differ with every try (a port, a time):
/// to write them each time would be a write for every try, and each write another try.
pub(super) fn is_news(failure: Failure, known: &[Condition], new: &[Condition]) -> bool {
    if failure != Failure::Transient {
        return known != new;
    }
    let finding =
        |c: &Condition| (c.type_.clone(), c.status.clone(), c.reason.clone(), c.observed_generation);
    known.iter().map(finding).ne(new.iter().map(finding))
}

/// Sends events on a resource.
pub(super) async fn send(engagement: &Engagement, regarding: &ObjectReference, events: &[PlannedEvent]) {
    for event in events {
        let severity = if event.reason.is_warning() { Severity::Warning } else { Severity::Normal };
        tracing::info!(reason = event.reason.as_str(), note = event.note, "event");
        engagement.events.publish(regarding, severity, event.reason.as_str(), &event.note).await;
    }
}
