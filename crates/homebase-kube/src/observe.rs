//! A tower layer that tells an observer of every request and every sign of life on a watch. It changes
//! nothing, and it sees neither bodies nor credentials.

use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::{Method, Request, Response, StatusCode};
use http_body::Body as HttpBody;
use http_body_util::BodyExt as _;
use http_body_util::combinators::MapFrame;
use tower::{Layer, Service};

/// What hears of the requests of one client.
pub trait Observer: Send + Sync + 'static {
    /// A request ended: its method, its path without the query, and the answer's status, or none when there
    /// was no answer.
    fn request(&self, method: &Method, path: &str, status: Option<StatusCode>);
    /// The apiserver agreed to a watch, which is named by its path and its selectors.
    fn watch_started(&self, watch: &str);
    /// Bytes came in on a watch: an event or a bookmark.
    fn watch_activity(&self, watch: &str);
    /// A watch that had been agreed to ended, or nobody listens to it any more.
    fn watch_ended(&self, watch: &str);
}

/// Whether a request asks for a watch.
pub(crate) fn is_watch<B>(request: &Request<B>) -> bool {
    request.uri().query().is_some_and(|query| query.split('&').any(|pair| pair == "watch=true"))
}

/// What tells two watches of one cluster apart: the path, and the part of the query that stays the same.
fn watch_name<B>(request: &Request<B>) -> String {
    let query = request.uri().query().unwrap_or_default();
    let selectors = query.split('&').filter(|pair| pair.contains("Selector="));
    selectors.fold(request.uri().path().to_owned(), |name, selector| name + "?" + selector)
}

/// A watch whose answer is being read.
struct OpenWatch {
    name: String,
    observer: Arc<dyn Observer>,
}

impl OpenWatch {
    fn begin(name: String, observer: Arc<dyn Observer>) -> Self {
        observer.watch_started(&name);
        Self { name, observer }
    }
}

impl Drop for OpenWatch {
    fn drop(&mut self) {
        self.observer.watch_ended(&self.name);
    }
}

/// The layer; one for each client.
#[derive(Clone)]
pub(crate) struct ObserveLayer(pub(crate) Arc<dyn Observer>);

impl<S> Layer<S> for ObserveLayer {
    type Service = Observe<S>;

    fn layer(&self, inner: S) -> Observe<S> {
        Observe { inner, observer: self.0.clone() }
    }
}

/// The service that the layer makes.
pub(crate) struct Observe<S> {
    inner: S,
    observer: Arc<dyn Observer>,
}

type OnFrame<B> =
    Box<dyn FnMut(http_body::Frame<<B as HttpBody>::Data>) -> http_body::Frame<<B as HttpBody>::Data> + Send>;

impl<S, A, B> Service<Request<A>> for Observe<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: 'static,
    B: HttpBody + 'static,
    B::Data: 'static,
{
    type Response = Response<MapFrame<B, OnFrame<B>>>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let observer = self.observer.clone();
        let method = request.method().clone();
        let path = request.uri().path().to_owned();
        let watch = is_watch(&request).then(|| watch_name(&request));
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await;
            observer.request(&method, &path, answer.as_ref().ok().map(Response::status));
            let response = answer?;
            let watch = watch.filter(|_| response.status().is_success());
            let watch = watch.map(|name| OpenWatch::begin(name, observer));
            Ok(response.map(|body| {
                let on_frame: OnFrame<B> = Box::new(move |frame| {
                    if let Some(OpenWatch { name, observer }) = &watch {
                        observer.watch_activity(name);
                    }
                    frame
                });
                body.map_frame(on_frame)
            }))
        })
    }
}
