//! Lists the objects of a watch page by page, item by item: a page is never in memory as a whole, and each item is
//! charged to the budget of its cluster before it is decoded. It starts no watch.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::io::{AsyncBufRead, AsyncBufReadExt as _};
use http::HeaderValue;
use http::header::ACCEPT_ENCODING;
use kube::api::{ListParams, WatchParams};
use kube::core::{ListMeta, Request};
use kube::runtime::watcher;
use kube::{Client, Error, Resource};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use crate::bound::BoundExceeded;
use crate::budget::Ledger;
use crate::items::{MalformedList, Splitter};

#[cfg(test)]
mod tests;

/// How long a whole list may take, all its pages together: the largest takes seconds, and a continue token is valid for
/// about five minutes.
pub(crate) const MAX_LIST: Duration = Duration::from_secs(300);

pub(crate) type Body = Pin<Box<dyn AsyncBufRead + Send>>;

/// Where and what to list and to watch.
#[derive(Clone)]
pub(crate) struct Source {
    pub(crate) client: Client,
    pub(crate) path: String,
    /// Only metadata is asked for.
    pub(crate) metadata: bool,
    pub(crate) config: watcher::Config,
}

impl Source {
    /// Sends a request for a body that is read as it comes.
    pub(crate) async fn send(&self, request: http::Request<Vec<u8>>) -> Result<Body, Error> {
        let mut request = request;
        request.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let body = self.client.request_stream(request).await?;
        Ok(Box::pin(body))
    }

    /// Begins to watch from a version.
    pub(crate) async fn watch(&self, version: &str) -> Result<Body, Error> {
        let config = &self.config;
        let params = WatchParams {
            label_selector: config.label_selector.clone(),
            field_selector: config.field_selector.clone(),
            timeout: config.timeout,
            bookmarks: config.bookmarks,
            send_initial_events: false,
        };
        let request = Request::new(&self.path);
        let request = if self.metadata {
            request.watch_metadata(&params, version)
        } else {
            request.watch(&params, version)
        };
        self.send(request.map_err(Error::BuildRequest)?).await
    }

    async fn page(&self, token: Option<String>) -> Result<Body, Error> {
        let params = ListParams {
            label_selector: self.config.label_selector.clone(),
            field_selector: self.config.field_selector.clone(),
            limit: self.config.page_size,
            continue_token: token,
            ..ListParams::default()
        };
        let request = Request::new(&self.path);
        let request = if self.metadata { request.list_metadata(&params) } else { request.list(&params) };
        self.send(request.map_err(Error::BuildRequest)?).await
    }
}

/// What comes next of a list.
pub(crate) enum Listed<K> {
    Item(K),
    /// All of it came; the version to watch from.
    Complete(Option<String>),
}

/// One list that is being read.
pub(crate) struct Listing {
    deadline: Instant,
    page: Option<(Body, Splitter)>,
    token: Option<String>,
    /// Hashes of the tokens of earlier pages.
    tokens: HashSet<u64>,
    hasher: RandomState,
}

impl Listing {
    pub(crate) fn begin() -> Self {
        let (tokens, hasher) = (HashSet::new(), RandomState::new());
        Self { deadline: Instant::now() + MAX_LIST, page: None, token: None, tokens, hasher }
    }

    /// The next of the list. After an error the list is over.
    pub(crate) async fn next<K>(
        &mut self,
        source: &Source,
        ledger: &Mutex<Ledger>,
    ) -> Result<Listed<K>, Error>
    where
        K: Resource + DeserializeOwned,
    {
        let deadline = self.deadline;
        let next = tokio::time::timeout_at(deadline, self.step(source, ledger)).await;
        next.unwrap_or_else(|_| Err(service(BoundExceeded::List)))
    }

    async fn step<K>(&mut self, source: &Source, ledger: &Mutex<Ledger>) -> Result<Listed<K>, Error>
    where
        K: Resource + DeserializeOwned,
    {
        loop {
            let Some((body, splitter)) = &mut self.page else {
                lock(ledger).page().map_err(service)?;
                self.page = Some((source.page(self.token.clone()).await?, Splitter::new()));
                continue;
            };
            // An apiserver that sends without a pause must not keep a deadline from being noticed.
            tokio::task::coop::consume_budget().await;
            if Instant::now() >= self.deadline {
                return Err(service(BoundExceeded::List));
            }
            let bytes = body.fill_buf().await.map_err(read)?;
            if bytes.is_empty() {
                let Some((_, splitter)) = self.page.take() else { continue };
                let meta = splitter.end().map_err(service)?;
                match self.turn(meta)? {
                    ControlFlow::Break(version) => return Ok(Listed::Complete(version)),
                    ControlFlow::Continue(()) => continue,
                }
            }
            let (taken, complete) = splitter.feed(bytes).map_err(service)?;
            body.as_mut().consume(taken);
            if complete {
                return decode(splitter, ledger).map(Listed::Item);
            }
        }
    }

    /// Turns to the next page; after the last one it says from which version to watch.
    fn turn(&mut self, meta: ListMeta) -> Result<ControlFlow<Option<String>>, Error> {
        let Some(token) = meta.continue_.filter(|token| !token.is_empty()) else {
            return Ok(ControlFlow::Break(meta.resource_version.filter(|version| !version.is_empty())));
        };
        if !self.tokens.insert(self.hasher.hash_one(&token)) {
            return Err(service(MalformedList::Token));
        }
        self.token = Some(token);
        Ok(ControlFlow::Continue(()))
    }
}

fn decode<K: Resource + DeserializeOwned>(splitter: &Splitter, ledger: &Mutex<Ledger>) -> Result<K, Error> {
    let (json, shape) = splitter.item();
    let mut ledger = lock(ledger);
    let _decoding = ledger.budget().decoding(shape).map_err(service)?;
    let item: K = serde_json::from_slice(json).map_err(Error::SerdeError)?;
    let (namespace, name) = (item.meta().namespace.as_deref(), item.meta().name.as_deref());
    ledger.list(namespace, name, shape).map_err(service)?;
    Ok(item)
}

pub(crate) fn service(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Service(Box::new(error))
}

/// What ended a body, without the wrapping that reading it took.
pub(crate) fn read(error: io::Error) -> Error {
    if error.get_ref().is_none() {
        return Error::ReadEvents(error);
    }
    let kind = error.kind();
    error.into_inner().map_or_else(|| Error::ReadEvents(kind.into()), Error::Service)
}

pub(crate) fn lock(ledger: &Mutex<Ledger>) -> MutexGuard<'_, Ledger> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}
