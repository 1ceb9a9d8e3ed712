//! Decides what a `mirrorMap` means: which member has which role at first. Must not decide who is primary now.

use std::fmt;

use homebase_api::iriscluster::MirrorRole;
use homebase_api::limits::MIRROR_MEMBERS;
use thiserror::Error;

/// What a mirrored cluster gets when `mirrorMap` is absent.
pub const DEFAULT_MIRROR_MAP: &str = "primary,backup";

/// The roles of the members of one mirror: the position is the ordinal of the pod. Never empty, first is primary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MirrorMap(Vec<MirrorRole>);

/// Why a `mirrorMap` cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ParseMirrorMapError {
    /// A token that is no role.
    #[error("\"{0}\" is no role: use primary, backup, drasync, rorasync or rwrasync")]
    ReadRole(String),
    /// The first member must be the primary.
    #[error("the first member must be primary")]
    StartWithPrimary,
    /// A second primary.
    #[error("only one member can be primary")]
    AddPrimary,
    /// A second backup.
    #[error("at most one member can be backup")]
    AddBackup,
    /// More members than IRIS allows.
    #[error("{0} members are more than the {MIRROR_MEMBERS} that a mirror can have")]
    CountMembers(usize),
}

impl MirrorMap {
    /// Reads a comma list; spaces around a token are forgiven.
    pub fn parse(text: &str) -> Result<Self, ParseMirrorMapError> {
        let mut roles = Vec::new();
        for token in text.split(',').map(str::trim) {
            let role = token.parse().map_err(|_| ParseMirrorMapError::ReadRole(printable(token)))?;
            roles.push(role);
        }
        let count = |wanted| roles.iter().filter(|&&role| role == wanted).count();
        if roles.first() != Some(&MirrorRole::Primary) {
            return Err(ParseMirrorMapError::StartWithPrimary);
        }
        if count(MirrorRole::Primary) > 1 {
            return Err(ParseMirrorMapError::AddPrimary);
        }
        if count(MirrorRole::Backup) > 1 {
            return Err(ParseMirrorMapError::AddBackup);
        }
        if roles.len() > MIRROR_MEMBERS {
            return Err(ParseMirrorMapError::CountMembers(roles.len()));
        }
        Ok(Self(roles))
    }

    /// The roles by ordinal.
    pub fn roles(&self) -> &[MirrorRole] {
        &self.0
    }

    /// The role that member `ordinal` starts with.
    pub fn role(&self, ordinal: usize) -> Option<MirrorRole> {
        self.0.get(ordinal).copied()
    }
}

impl fmt::Display for MirrorMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, role) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{role}")?;
        }
        Ok(())
    }
}

/// Longest piece of a user's text that is repeated in a message.
const MAX_QUOTED: usize = 40;

/// A user's text shortened and without control characters, for a message on one line.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_QUOTED).collect()
}

#[cfg(test)]
mod tests;
