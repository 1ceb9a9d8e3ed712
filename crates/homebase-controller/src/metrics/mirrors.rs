//! The figures of the mirrors of the whole fleet. Their labels are words of closed lists.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::SECONDS;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AnswerLabel {
    answer: &'static str,
}

/// What mirror members answer, and how soon labels follow.
pub(crate) struct MirrorFigures {
    answers: Family<AnswerLabel, Counter>,
    relabel: Histogram,
}

impl Default for MirrorFigures {
    fn default() -> Self {
        Self { answers: Family::default(), relabel: Histogram::new(SECONDS) }
    }
}

impl MirrorFigures {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "mirror_answers",
            "Answers of mirror members to the question whether they are primary",
            self.answers.clone(),
        );
        registry.register_with_unit(
            "mirror_relabel",
            "Time from the first answer of a new primary to its label",
            Unit::Seconds,
            self.relabel.clone(),
        );
    }

    /// Counts an answer of a member; the word is one of a closed list.
    pub(crate) fn answered(&self, answer: &'static str) {
        self.answers.get_or_create(&AnswerLabel { answer }).inc();
    }

    /// Counts a label that was given to a new primary.
    pub(crate) fn relabelled(&self, took: Duration) {
        self.relabel.observe(took.as_secs_f64());
    }
}
