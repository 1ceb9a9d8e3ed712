//! Writes conditions that begin where the last status ended. Must not let a status go back to an older generation.

use homebase_api::conditions::{ConditionStatus, NewCondition, Reason, set_condition};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

/// Most characters of a message, enough for some fifty faults: an apiserver takes 32768, and the cache of a fleet
/// holds all of them.
const MAX_MESSAGE: usize = 8000;

/// The conditions of a status in the making.
pub(crate) struct Draft {
    pub(crate) conditions: Vec<Condition>,
    pub(crate) generation: i64,
    now: Timestamp,
}

impl Draft {
    /// Begins with the last conditions; `None` when those are of a newer generation: this look was at an old spec.
    pub(crate) fn new(
        conditions: &[Condition],
        observed_generation: Option<i64>,
        generation: Option<i64>,
        now: Timestamp,
    ) -> Option<Self> {
        let generation = generation.unwrap_or_default();
        (observed_generation.unwrap_or_default() <= generation).then(|| Self {
            conditions: conditions.to_vec(),
            generation,
            now,
        })
    }

    pub(crate) fn set<R: Reason>(
        &mut self,
        status: impl Into<ConditionStatus>,
        reason: R,
        message: impl AsRef<str>,
    ) {
        let message = shorten(message.as_ref());
        let new = NewCondition::new(status.into(), reason, message, self.generation);
        set_condition(&mut self.conditions, new, self.now);
    }
}

/// A text of bounded length.
pub(crate) fn shorten(text: &str) -> String {
    if text.chars().count() <= MAX_MESSAGE {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(MAX_MESSAGE).collect();
    short.push('…');
    short
}
