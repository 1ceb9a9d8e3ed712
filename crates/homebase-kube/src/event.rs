//! Writes Events (events.k8s.io/v1) on objects. An Event that cannot be written is logged and lost: it never
//! fails the work that it tells of.

use std::sync::{Arc, Mutex, PoisonError};

use homebase_core::{Chain, Fingerprint};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};

/// The longest note that the apiserver takes.
const MAX_NOTE_BYTES: usize = 1024;

/// Events after which those before are forgotten. kube remembers each for six minutes, so that the same one again
/// counts up, and however many there are: at 3 KiB each, clusters that come and go by the second would take tens of
/// megabytes. So many fill the table of that memory just before it doubles to 1.5 MiB.
const MAX_REMEMBERED: usize = 224;

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
    client: Client,
    reporter: Reporter,
    recent: Arc<Mutex<Recent<Recorder>>>,
}

impl Events {
    /// A writer of Events that goes through this client. `instance` tells hubs apart.
    pub fn new(client: Client, instance: &str) -> Self {
        let reporter = Reporter { controller: CONTROLLER.to_owned(), instance: Some(instance.to_owned()) };
        let recorder = Recorder::new(client.clone(), reporter.clone());
        Self { client, reporter, recent: Arc::new(Mutex::new(Recent { recorder, published: 0 })) }
    }

    fn recorder(&self) -> Recorder {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.next(|| Recorder::new(self.client.clone(), self.reporter.clone()))
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
        if let Err(error) = self.recorder().publish(&event, regarding).await {
            tracing::warn!(reason, error = %Chain(&error), "event not written");
        }
    }
}

/// A recorder and how much it remembers at most.
struct Recent<R> {
    recorder: R,
    published: usize,
}

impl<R: Clone> Recent<R> {
    /// The recorder for the next Event; a new one, that remembers nothing, when the last one has had its share.
    fn next(&mut self, new: impl FnOnce() -> R) -> R {
        if self.published == MAX_REMEMBERED {
            *self = Self { recorder: new(), published: 0 };
        }
        self.published += 1;
        self.recorder.clone()
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
    //! Notes are neither mixed up nor cut within a character, and not too many are remembered.

    use super::{MAX_NOTE_BYTES, MAX_REMEMBERED, Recent, action, truncated};

    #[test]
    fn no_recorder_remembers_more_than_its_share() {
        let mut recent = Recent { recorder: 0, published: 0 };
        let used: Vec<i32> = (0..=2 * MAX_REMEMBERED).map(|_| recent.next(|| 1)).collect();
        let first = used.iter().filter(|recorder| **recorder == 0).count();
        assert_eq!((first, used[MAX_REMEMBERED]), (MAX_REMEMBERED, 1));
        let mut made = 0;
        let mut recent = Recent { recorder: (), published: 0 };
        (0..3 * MAX_REMEMBERED).for_each(|_| recent.next(|| made += 1));
        assert_eq!(made, 2);
    }

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
