//! Lists and watches one kind of object within the memory budget of its cluster. The events and the recovery are those
//! of kube's watcher: an error is yielded, and the next poll goes on where that is possible and lists again where not.

use std::fmt::Debug;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::io::AsyncBufReadExt as _;
use futures::{Stream, stream};
use kube::core::{Status, WatchEvent};
use kube::runtime::watcher::{self, Event};
use kube::{Api, Error, Resource};
use serde::de::DeserializeOwned;

use crate::budget::{Ledger, OverBudget};
use crate::items::Shape;
use crate::lister::{Body, Listed, Listing, Source, lock, read, service};

/// A watch that is silent for longer than it asked to last is over.
const IDLE_MARGIN: Duration = Duration::from_secs(5);
/// What a watch lasts that asks for nothing (the default of kube).
const DEFAULT_TIMEOUT: u32 = 290;
/// HTTP 410.
const GONE: u16 = 410;

enum State {
    Empty,
    Listing(Box<Listing>),
    Listed(String),
    Watching(String, Lines),
}

/// A stream of events, as of kube's `watcher`; the objects are charged to a ledger that outlives it.
pub(crate) fn watch_within<K>(
    api: Api<K>,
    config: watcher::Config,
    ledger: Arc<Mutex<Ledger>>,
) -> impl Stream<Item = watcher::Result<Event<K>>> + Send
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let path = api.resource_url().to_owned();
    let source = Source { client: api.into_client(), path, metadata: K::metadata_api(), config };
    let watch = Watch { source, ledger, state: State::Empty };
    stream::unfold(watch, |mut watch| async move { Some((watch.next().await, watch)) })
}

struct Watch {
    source: Source,
    ledger: Arc<Mutex<Ledger>>,
    state: State,
}

impl Watch {
    async fn next<K>(&mut self) -> watcher::Result<Event<K>>
    where
        K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
    {
        loop {
            // Where an arm sets no other state, an error leads to a new list.
            match std::mem::replace(&mut self.state, State::Empty) {
                State::Empty => {
                    lock(&self.ledger).begin();
                    self.state = State::Listing(Box::new(Listing::begin()));
                    return Ok(Event::Init);
                }
                State::Listing(mut listing) => match listing.next(&self.source, &self.ledger).await {
                    Ok(Listed::Item(item)) => {
                        self.state = State::Listing(listing);
                        return Ok(Event::InitApply(item));
                    }
                    Ok(Listed::Complete(None)) => return Err(watcher::Error::NoResourceVersion),
                    Ok(Listed::Complete(Some(version))) => {
                        lock(&self.ledger).complete();
                        self.state = State::Listed(version);
                        return Ok(Event::InitDone);
                    }
                    Err(error) => return Err(watcher::Error::InitialListFailed(self.settle(error))),
                },
                State::Listed(version) => match self.source.watch(&version).await {
                    Ok(body) => self.state = State::Watching(version, Lines { body, line: Vec::new() }),
                    Err(error) => {
                        self.state = State::Listed(version);
                        return Err(watcher::Error::WatchStartFailed(error));
                    }
                },
                State::Watching(version, lines) => {
                    if let Some(item) = self.watch(version, lines).await {
                        return item;
                    }
                }
            }
        }
    }

    /// What is known is given up with the failure that the budget is too small: a listener forgets it.
    fn settle(&self, error: Error) -> Error {
        if crate::error::categorize(&error) == crate::Category::OverBudget {
            lock(&self.ledger).clear();
        }
        error
    }

    fn timeout(&self) -> u32 {
        self.source.config.timeout.unwrap_or(DEFAULT_TIMEOUT)
    }

    /// Waits for one event, and says in which state the watch is then.
    async fn watch<K>(&mut self, version: String, mut lines: Lines) -> Option<watcher::Result<Event<K>>>
    where
        K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
    {
        let idle = Duration::from_secs(self.timeout().into()) + IDLE_MARGIN;
        let event = match tokio::time::timeout(idle, lines.next::<K>(&self.ledger)).await {
            Err(_) | Ok(None) => {
                self.state = State::Listed(version);
                return None;
            }
            Ok(Some(event)) => event,
        };
        let (version, item) = match event {
            Ok((WatchEvent::Bookmark(mark), _)) => {
                self.state = State::Watching(mark.metadata.resource_version, lines);
                return None;
            }
            Ok((WatchEvent::Error(status), _)) => {
                if status.code != GONE {
                    self.state = State::Watching(version, lines);
                }
                return Some(Err(watcher::Error::WatchError(status)));
            }
            Ok((WatchEvent::Added(object) | WatchEvent::Modified(object), shape)) => {
                let Some(version) = version_of(&object) else {
                    return Some(Err(watcher::Error::NoResourceVersion));
                };
                if let Err(error) = self.charge(&object, shape) {
                    lock(&self.ledger).clear();
                    return Some(Err(watcher::Error::WatchFailed(service(error))));
                }
                (version, Ok(Event::Apply(object)))
            }
            Ok((WatchEvent::Deleted(object), _)) => {
                let Some(version) = version_of(&object) else {
                    return Some(Err(watcher::Error::NoResourceVersion));
                };
                let (namespace, name) = (object.meta().namespace.as_deref(), object.meta().name.as_deref());
                lock(&self.ledger).delete(namespace, name);
                (version, Ok(Event::Delete(object)))
            }
            Err(error) => {
                let error = self.settle(error);
                if crate::error::categorize(&error) == crate::Category::OverBudget {
                    return Some(Err(watcher::Error::WatchFailed(error)));
                }
                (version, Err(watcher::Error::WatchFailed(error)))
            }
        };
        self.state = State::Watching(version, lines);
        Some(item)
    }

    fn charge(&self, object: &impl Resource, shape: Shape) -> Result<(), OverBudget> {
        let meta = object.meta();
        lock(&self.ledger).apply(meta.namespace.as_deref(), meta.name.as_deref(), shape)
    }
}

fn version_of(object: &impl Resource) -> Option<String> {
    object.meta().resource_version.clone().filter(|version| !version.is_empty())
}

/// The lines of a watch: one event each.
struct Lines {
    body: Body,
    line: Vec<u8>,
}

impl Lines {
    /// The next event and how large it is; none when the watch has ended.
    async fn next<K: DeserializeOwned>(
        &mut self,
        ledger: &Mutex<Ledger>,
    ) -> Option<Result<(WatchEvent<K>, Shape), Error>> {
        loop {
            self.line.clear();
            match self.body.read_until(b'\n', &mut self.line).await {
                Ok(0) => return None,
                Ok(_) => {}
                // Connections end like this after some minutes; the watch is resumed.
                Err(error) if is_cut(&error) => return None,
                Err(error) => return Some(Err(read(error))),
            }
            if self.line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let shape = Shape::of(&self.line);
            let decoding = match lock(ledger).budget().decoding(shape) {
                Ok(decoding) => decoding,
                Err(error) => return Some(Err(service(error))),
            };
            let event = serde_json::from_slice::<WatchEvent<K>>(&self.line);
            drop(decoding);
            return match event {
                Ok(event) => Some(Ok((event, shape))),
                // The last line, cut off in the middle.
                Err(error) if error.is_eof() => continue,
                Err(error) => Some(Err(match serde_json::from_slice::<Status>(&self.line) {
                    Ok(status) => Error::Api(status.boxed()),
                    Err(_) => Error::SerdeError(error),
                })),
            };
        }
    }
}

fn is_cut(error: &io::Error) -> bool {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(cause) = next {
        let kind = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        if kind == Some(io::ErrorKind::UnexpectedEof) || kind == Some(io::ErrorKind::TimedOut) {
            return true;
        }
        if cause.to_string().contains("unexpected EOF during chunk") {
            return true;
        }
        // `io::Error::source` skips the error that it wraps.
        let wrapped = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = wrapped.map(|inner| inner as &(dyn std::error::Error + 'static)).or_else(|| cause.source());
    }
    false
}
