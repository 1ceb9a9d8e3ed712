//! Writes Events (events.k8s.io/v1) on objects. An Event that cannot be written is logged and lost: it never
//! fails the work that it tells of.

use homebase_core::{Chain, Fingerprint};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};

/// The longest note that the apiserver takes.
const MAX_NOTE_BYTES: usize = 1024;

/// The name under which the hub reports.
const CONTROLLER: &str = "homebase";

/// How grave an Event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Something happened as it should.
    Normal,
    /// Somebody should look.
    Warning,
}

/// Writes the Events of one cluster.
#[derive(Clone)]
pub struct Events {
    recorder: Recorder,
}

impl Events {
    /// A writer of Events that goes through this client. `instance` tells hubs apart.
    pub fn new(client: Client, instance: &str) -> Self {
        let reporter = Reporter { controller: CONTROLLER.to_owned(), instance: Some(instance.to_owned()) };
        Self { recorder: Recorder::new(client, reporter) }
    }

    /// Writes an Event on `regarding`; the same one again within minutes counts up instead.
    pub async fn publish(&self, regarding: &ObjectReference, severity: Severity, reason: &str, note: &str) {
        let event = Event {
            type_: match severity {
                Severity::Normal => EventType::Normal,
                Severity::Warning => EventType::Warning,
            },
            reason: reason.to_owned(),
            note: Some(truncated(note).to_owned()),
            action: action(reason, note),
            secondary: None,
        };
        if let Err(error) = self.recorder.publish(&event, regarding).await {
            tracing::warn!(reason, error = %Chain(&error), "event not written");
        }
    }
}

/// kube counts an Event up when all but its note is the same as that of an earlier one, and keeps the earlier
/// note: "Created a" would swallow "Created b". A mark of the note in the action keeps them apart.
fn action(reason: &str, note: &str) -> String {
    let mark = Fingerprint::of_bytes(note).to_string();
    format!("{reason}-{}", &mark[..8])
}

fn truncated(note: &str) -> &str {
    let mut end = note.len().min(MAX_NOTE_BYTES);
    while !note.is_char_boundary(end) {
        end -= 1;
    }
    &note[..end]
}

#[cfg(test)]
mod tests {
    //! Notes are neither mixed up nor cut within a character.

    use super::{MAX_NOTE_BYTES, action, truncated};

    #[test]
    fn other_words_are_another_event() {
        assert_ne!(action("Created", "Created a"), action("Created", "Created b"));
        assert_eq!(action("Created", "Created a"), action("Created", "Created a"));
    }

    #[test]
    fn a_long_note_is_cut_between_characters() {
        let long = "ä".repeat(MAX_NOTE_BYTES);
        assert_eq!(truncated(&long).len(), MAX_NOTE_BYTES);
        let odd = format!("a{long}");
        assert_eq!(truncated(&odd).len(), MAX_NOTE_BYTES - 1);
        assert_eq!(truncated("short"), "short");
    }
}
