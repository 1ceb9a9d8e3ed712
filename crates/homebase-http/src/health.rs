//! What a probe answers. It must not say a secret: names of checks are fixed texts, and what else it says is the hub's
//! own words, cleaned and cut by whoever makes the check.

use std::borrow::Cow;
use std::fmt::Write as _;

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The name, such as `home-watch`.
    pub name: &'static str,
    /// What is wrong; or that nothing is, and what is worth knowing all the same, if anything.
    pub outcome: Result<Option<String>, Cow<'static, str>>,
}

/// All that a probe looked at. It is good when no check fails, so without checks it is good.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health(pub Vec<Check>);

impl Health {
    /// Whether no check fails.
    pub fn is_ok(&self) -> bool {
        self.0.iter().all(|check| check.outcome.is_ok())
    }

    /// The body of the answer: `ok`, or the checks line by line in the notation of kube-apiserver.
    pub(crate) fn render(&self, verbose: bool) -> String {
        if self.is_ok() && !verbose {
            return "ok\n".to_owned();
        }
        let shown = self.0.iter().filter(|check| verbose || check.outcome.is_err());
        let mut text = shown.fold(String::new(), |mut text, check| {
            // Writing to a `String` cannot fail.
            let _ = match &check.outcome {
                Ok(None) => writeln!(text, "[+]{} ok", check.name),
                Ok(Some(note)) => writeln!(text, "[+]{} ok: {note}", check.name),
                Err(why) => writeln!(text, "[-]{} failed: {why}", check.name),
            };
            text
        });
        if verbose {
            text.push_str(if self.is_ok() { "check passed\n" } else { "check failed\n" });
        }
        text
    }
}
