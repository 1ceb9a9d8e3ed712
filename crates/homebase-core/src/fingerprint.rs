//! A short, stable mark of a content, to see whether two contents are the same. It is a one-way hash, so
//! that a fingerprint of something secret tells nothing of it.

use std::fmt;

use serde::Serialize;
use sha2::{Digest, Sha256};

#[cfg(test)]
mod tests;

/// 128 bits are enough that two contents of one fleet never meet by chance, and half of what SHA-256 costs
/// to keep for every object.
const BYTES: usize = 16;

/// The mark of a content: equal exactly when the contents are.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; BYTES]);

impl Fingerprint {
    /// The mark of some bytes.
    pub fn of_bytes(bytes: impl AsRef<[u8]>) -> Self {
        let digest = Sha256::digest(bytes.as_ref());
        let mut short = [0; BYTES];
        short.copy_from_slice(&digest[..BYTES]);
        Self(short)
    }

    /// The mark of a value as JSON. The value must serialize in one order (no hash maps), or equal values
    /// get unequal marks.
    pub fn of(value: &impl Serialize) -> Result<Self, serde_json::Error> {
        Ok(Self::of_bytes(serde_json::to_vec(value)?))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
