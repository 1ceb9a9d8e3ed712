//! Condition types with their closed lists of reasons, and how a condition is set. It must not read a clock or
//! decide what a condition should be.

pub mod iris;
pub mod work_cluster;

use std::fmt;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use crate::limits;

/// A reason out of the closed list of one condition type, so that no reason can end up under a wrong type.
pub trait Reason: Copy + fmt::Debug + Send + Sync + 'static {
    /// The condition type that the reason belongs to.
    const TYPE: &'static str;
    /// Every reason of the type.
    const ALL: &'static [Self];
    /// What the condition type tells, line by line.
    const ABOUT: &'static [&'static str];
    /// The reason in the condition.
    fn as_str(self) -> &'static str;
    /// What the reason means, line by line.
    fn meaning(self) -> &'static [&'static str];
}

/// A condition type for people to read about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// The type.
    pub type_: &'static str,
    /// What it tells.
    pub about: String,
    /// Each reason and what it means.
    pub reasons: Vec<(&'static str, String)>,
}

fn described<R: Reason>() -> Described {
    let reasons = R::ALL.iter().map(|reason| (reason.as_str(), paragraph(reason.meaning())));
    Described { type_: R::TYPE, about: paragraph(R::ABOUT), reasons: reasons.collect() }
}

fn paragraph(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

/// Declares the closed list of reasons of one condition type.
macro_rules! reasons {
    ($(#[doc = $doc:literal])* $name:ident, $type_:literal { $($(#[doc = $meaning:literal])* $variant:ident),+ $(,)? }) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[doc = $meaning])* $variant),+
        }

        impl $crate::conditions::Reason for $name {
            const TYPE: &'static str = $type_;
            const ALL: &'static [Self] = &[$(Self::$variant),+];
            const ABOUT: &'static [&'static str] = &[$($doc),*];

            fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($variant)),+
                }
            }

            fn meaning(self) -> &'static [&'static str] {
                match self {
                    $(Self::$variant => &[$($meaning),*]),+
                }
            }
        }
    };
}
pub(crate) use reasons;

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// Nobody can tell.
    Unknown,
}

impl ConditionStatus {
    /// The word in the condition.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

impl From<bool> for ConditionStatus {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

/// What was found out about one condition type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCondition {
    type_: &'static str,
    status: ConditionStatus,
    reason: &'static str,
    message: String,
    generation: i64,
}

impl NewCondition {
    /// The condition that `reason` belongs to, found for `generation` of the object.
    ///
    /// A message is cut to the length that an apiserver takes: it would refuse the whole status otherwise.
    pub fn new<R: Reason>(
        status: ConditionStatus,
        reason: R,
        message: impl Into<String>,
        generation: i64,
    ) -> Self {
        let mut message = message.into();
        if let Some((end, _)) = message.char_indices().nth(limits::CONDITION_MESSAGE_LENGTH) {
            message.truncate(end);
        }
        Self { type_: R::TYPE, status, reason: reason.as_str(), message, generation }
    }

    /// The condition type that it is about.
    pub fn type_(&self) -> &'static str {
        self.type_
    }
}

/// Puts a condition into the list; true when that changed the list.
///
/// `lastTransitionTime` becomes `now` only when the status flips. A finding for an older generation than the one
/// on record is dropped whole: it would describe a spec that no longer exists.
pub fn set_condition(conditions: &mut Vec<Condition>, new: NewCondition, now: Timestamp) -> bool {
    let NewCondition { type_, status, reason, message, generation } = new;
    let mut next = Condition {
        last_transition_time: Time(now),
        message,
        observed_generation: Some(generation),
        reason: reason.to_owned(),
        status: status.as_str().to_owned(),
        type_: type_.to_owned(),
    };
    let Some(current) = conditions.iter_mut().find(|condition| condition.type_ == type_) else {
        conditions.push(next);
        return true;
    };
    if current.observed_generation.is_some_and(|observed| observed > generation) {
        return false;
    }
    if current.status == next.status {
        next.last_transition_time = current.last_transition_time.clone();
    }
    let changed = *current != next;
    *current = next;
    changed
}

/// The condition of that type, if there is one.
pub fn find_condition<R: Reason>(conditions: &[Condition]) -> Option<&Condition> {
    conditions.iter().find(|condition| condition.type_ == R::TYPE)
}

#[cfg(test)]
mod tests;
