//! What the hub knows of its contact to the home cluster, and whether it is ready because of it. It asks nothing.

use std::time::{Duration, Instant};

#[cfg(test)]
mod tests;

/// How long the home cluster may refuse the hub's requests before the hub is not ready: the time in which new credentials
/// and new roles become known.
pub const REFUSED_LIMIT: Duration = Duration::from_secs(30);

/// What became of a request to the home cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It was answered as it should be.
    Ok,
    /// The hub's own access was refused: 401, 403, or its namespace does not exist. The text says which.
    Refused(String),
    /// There was no usable answer, as the text says.
    Silent(String),
}

/// A change that is worth a line in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The home cluster refuses the hub.
    Refused,
    /// The home cluster does not answer.
    Silent,
    /// It answers again, after this time.
    Recovered(Duration),
}

/// The contact as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contact {
    /// There has been no answer yet.
    Unknown,
    /// The home cluster answers.
    Up,
    /// It refuses the hub's requests for this long, with these words.
    Refused(Duration, String),
    /// It does not answer for this long, with these words.
    Silent(Duration, String),
}

impl Contact {
    /// Whether the hub is ready, as far as its home is concerned. One whose home is silent stays ready: a restart would
    /// not help, and others depend on what it serves.
    pub fn is_ready(&self) -> bool {
        !matches!(self, Self::Refused(since, _) if *since >= REFUSED_LIMIT)
    }

    /// What is to be said of it.
    pub fn words(&self) -> Option<String> {
        match self {
            Self::Unknown | Self::Up => None,
            Self::Refused(since, why) => {
                let seconds = since.as_secs();
                Some(format!("the home cluster has refused the hub's requests for {seconds}s: {why}"))
            }
            Self::Silent(since, why) => {
                Some(format!("the home cluster has not answered for {}s: {why}", since.as_secs()))
            }
        }
    }
}

/// What has been heard.
#[derive(Clone, Debug, Default)]
pub struct HomeContact {
    heard: bool,
    /// Since when, and in which words. It goes on while the home cluster is silent.
    refused: Option<(Instant, String)>,
    silent: Option<(Instant, String)>,
}

impl HomeContact {
    /// Takes note of an answer.
    pub fn note(&mut self, answer: Answer, now: Instant) -> Option<Change> {
        match answer {
            Answer::Ok => {
                self.heard = true;
                let since = [self.refused.take(), self.silent.take()].into_iter().flatten();
                let since = since.map(|(since, _)| since).min()?;
                Some(Change::Recovered(now.saturating_duration_since(since)))
            }
            Answer::Refused(why) => {
                let is_news = self.refused.is_none();
                self.silent = None;
                let since = self.refused.take().map_or(now, |(since, _)| since);
                self.refused = Some((since, why));
                is_news.then_some(Change::Refused)
            }
            Answer::Silent(why) => {
                let is_news = self.silent.is_none();
                let since = self.silent.take().map_or(now, |(since, _)| since);
                self.silent = Some((since, why));
                is_news.then_some(Change::Silent)
            }
        }
    }

    /// The contact as it is now.
    pub fn now(&self, now: Instant) -> Contact {
        let lasting = |since: Instant| now.saturating_duration_since(since);
        match (&self.silent, &self.refused) {
            (Some((since, why)), _) => Contact::Silent(lasting(*since), why.clone()),
            (None, Some((since, why))) => Contact::Refused(lasting(*since), why.clone()),
            (None, None) if self.heard => Contact::Up,
            (None, None) => Contact::Unknown,
        }
    }
}
