//! When credentials say that they can be used, and what that means at a given time. Nothing here verifies a
//! signature or fails: credentials that do not say, or say nothing that could be true, have no dates.

use jiff::{SignedDuration, Timestamp};

mod certificate;
mod token;

#[cfg(test)]
mod tests;

/// How long before their end credentials are said to expire soon: 7 days, so that whoever rotates them by hand
/// sees it on a working day whatever the weekend or holiday, as alerts for client certificates commonly do.
pub(crate) const SOON: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Credentials that live shorter than three weeks are renewed by a program, commonly after two thirds of their
/// life. With [`SOON`] alone a token of a day would expire soon from the moment it was made.
const SOON_SHARE_OF_LIFE: i32 = 3;

/// The span in which credentials claim to be usable: `notBefore` and `notAfter` of a client certificate (of the
/// first one, which is the client's own; the rest is its chain), or the claims `nbf` and `exp` of a JSON Web
/// Token. Either end may be missing: an opaque token has none, and a date is left out when it is malformed,
/// before 1970 or after the year 9999 (RFC 5280's form of "never").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Validity {
    not_before: Option<Timestamp>,
    not_after: Option<Timestamp>,
}

/// What an expiry means at a given time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExpiryState {
    /// More time is left than a rotation takes, or the credentials do not say when they expire.
    Valid,
    /// At most 7 days are left; or at most a third of the credentials' life, if that is less.
    ExpiringSoon,
    /// No time is left.
    Expired,
}

impl ExpiryState {
    /// The state as it stands in a condition reason and in a metric label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "Valid",
            Self::ExpiringSoon => "ExpiringSoon",
            Self::Expired => "Expired",
        }
    }
}

impl Validity {
    /// When the credentials start to be usable. An apiserver refuses them before, as it does for wrong ones, so
    /// this is worth a word in the message about a refusal.
    pub fn not_before(&self) -> Option<Timestamp> {
        self.not_before
    }

    /// When the credentials expire.
    pub fn not_after(&self) -> Option<Timestamp> {
        self.not_after
    }

    /// What the end means at `now`. The start plays no part but for the length of the life.
    pub fn expiry_state(&self, now: Timestamp) -> ExpiryState {
        let Some(end) = self.not_after else { return ExpiryState::Valid };
        let left = end.duration_since(now);
        if left <= SignedDuration::ZERO {
            ExpiryState::Expired
        } else if left <= self.soon(end) {
            ExpiryState::ExpiringSoon
        } else {
            ExpiryState::Valid
        }
    }

    fn soon(&self, end: Timestamp) -> SignedDuration {
        let life = self.not_before.map(|start| end.duration_since(start));
        // A life of nothing or less is a contradiction: it says nothing about how the credentials are renewed.
        match life.filter(SignedDuration::is_positive) {
            Some(life) => SOON.min(life / SOON_SHARE_OF_LIFE),
            None => SOON,
        }
    }
}
