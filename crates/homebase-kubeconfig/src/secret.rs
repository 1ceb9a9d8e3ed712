//! Secrets that cannot be printed by accident. The types have no `Debug`, `Display`, `Serialize` or
//! `Clone`, so that a struct which holds one cannot derive them either, and they wipe their memory when
//! dropped. They must not gain any of these.

use zeroize::{ZeroizeOnDrop, Zeroizing};

#[cfg(test)]
mod tests;

/// A secret text, such as a bearer token.
pub struct SecretString(Zeroizing<String>);

impl SecretString {
    pub(crate) fn new(text: Zeroizing<String>) -> Self {
        Self(text)
    }

    /// The secret itself: for the request that it authenticates and for nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// Secret bytes, such as a private key.
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    pub(crate) fn new(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }

    /// The secret itself: for the TLS client that needs it and for nothing else.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl ZeroizeOnDrop for SecretString {}
impl ZeroizeOnDrop for SecretBytes {}
