//! How fresh the watches of one cluster are. A cluster may answer every probe while nothing comes in on a watch any
//! more, as behind a proxy that buffers streams. It runs no watch, and time is an argument.

use std::collections::BTreeMap;

use jiff::Timestamp;

#[cfg(test)]
mod tests;

/// The last sign of life of one watch.
#[derive(Clone, Copy, Debug)]
struct Heard {
    at: Timestamp,
    /// Whether anything has come in since it was started last.
    since_start: bool,
}

/// The last signs of life of all watches.
#[derive(Clone, Debug, Default)]
pub struct Freshness {
    watches: BTreeMap<String, Heard>,
}

impl Freshness {
    /// The apiserver has agreed to a watch. That is a sign of life, unless nothing came in on the one before: a stream
    /// that is always silent stays silent however often it is started.
    pub fn started(&mut self, watch: &str, now: Timestamp) {
        match self.watches.get_mut(watch) {
            None => drop(self.watches.insert(watch.to_owned(), Heard { at: now, since_start: false })),
            Some(heard) if heard.since_start => *heard = Heard { at: now, since_start: false },
            Some(_) => {}
        }
    }

    /// Something came in on a watch: an event or a bookmark.
    pub fn heard(&mut self, watch: &str, now: Timestamp) {
        if let Some(heard) = self.watches.get_mut(watch) {
            *heard = Heard { at: now, since_start: true };
        }
    }

    /// The watch that has been silent longest, and since when; none when there are none.
    pub fn oldest(&self) -> Option<(&str, Timestamp)> {
        self.watches.iter().map(|(watch, heard)| (watch.as_str(), heard.at)).min_by_key(|(_, at)| *at)
    }

    /// Forgets all watches: others begin.
    pub fn clear(&mut self) {
        self.watches.clear();
    }
}
