//! How fresh the watches of one cluster are. A cluster may answer every probe while nothing comes in on a watch any
//! more, as behind a proxy that buffers streams. It runs no watch, and time is an argument.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

#[cfg(test)]
mod tests;

/// The last sign of life of one watch.
#[derive(Clone, Copy, Debug)]
struct Heard {
    at: Timestamp,
    /// Whether anything has come in since it was started last.
    since_start: bool,
    /// How many of that name are open: one that nobody needs any more is not missed.
    open: u32,
}

/// How long a watch that is not open is remembered: longer than one that broke takes to be started anew.
const MEMORY: SignedDuration = SignedDuration::from_secs(600);

/// The last signs of life of all watches.
#[derive(Clone, Debug, Default)]
pub struct Freshness {
    watches: BTreeMap<String, Heard>,
}

impl Freshness {
    /// The apiserver has agreed to a watch. That is a sign of life, unless nothing came in on the one before: a stream
    /// that is always silent stays silent however often it is started.
    pub fn started(&mut self, watch: &str, now: Timestamp) {
        self.watches.retain(|_, heard| heard.open > 0 || now.duration_since(heard.at) < MEMORY);
        let first = Heard { at: now, since_start: true, open: 0 };
        let heard = self.watches.entry(watch.to_owned()).or_insert(first);
        if heard.since_start {
            (heard.at, heard.since_start) = (now, false);
        }
        heard.open += 1;
    }

    /// A watch ended, whatever the reason.
    pub fn ended(&mut self, watch: &str) {
        if let Some(heard) = self.watches.get_mut(watch) {
            heard.open = heard.open.saturating_sub(1);
        }
    }

    /// Something came in on a watch: an event or a bookmark.
    pub fn heard(&mut self, watch: &str, now: Timestamp) {
        if let Some(heard) = self.watches.get_mut(watch) {
            (heard.at, heard.since_start) = (now, true);
        }
    }

    /// The open watch that has been silent longest, and since when; none when there are none.
    pub fn oldest(&self) -> Option<(&str, Timestamp)> {
        let open = self.watches.iter().filter(|(_, heard)| heard.open > 0);
        open.map(|(watch, heard)| (watch.as_str(), heard.at)).min_by_key(|(_, at)| *at)
    }

    /// All of them begin anew, after a time in which none could bring anything.
    pub fn renew(&mut self, now: Timestamp) {
        for heard in self.watches.values_mut() {
            (heard.at, heard.since_start) = (now, false);
        }
    }

    /// Forgets all watches: others begin.
    pub fn clear(&mut self) {
        self.watches.clear();
    }
}
