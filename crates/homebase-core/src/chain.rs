//! Prints an error with all its causes on one line, cleaned: parts of it are the words of servers. It never prints `Debug`
//! text, which may hold secrets.

use std::error::Error;
use std::fmt;

use crate::text::{self, Limit};

#[cfg(test)]
mod tests;

/// The longest chain that is printed: an error whose source leads back to itself must not hang the hub.
const MAX_CAUSES: usize = 16;

/// The longest text: as much as an apiserver takes as the message of a condition. What a server says may be as long as it
/// likes.
const MAX_TEXT: Limit = Limit::Bytes(32 * 1024);

/// Displays an error and its causes as `what: why: why that`.
///
/// Some libraries repeat the source in their own message; a cause that the text so far ends with is not
/// printed twice.
pub struct Chain<'a>(pub &'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.0.to_string();
        let mut next = self.0.source();
        for _ in 0..MAX_CAUSES {
            let Some(cause) = next else { break };
            let words = cause.to_string();
            if !text.ends_with(&words) {
                text.push_str(": ");
                text.push_str(&words);
            }
            next = cause.source();
        }
        f.write_str(&text::line(&text, MAX_TEXT))
    }
}
