//! Several HTTP stacks for one apiserver, which takes a limited number of requests at a time on one connection: many
//! watches would hold all of them, and nothing else would get through. It decides which request goes over which
//! connection and nothing else.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::{Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tower::Service;

use crate::observe::is_watch;

#[cfg(test)]
mod tests;

/// Watches that stand open on one connection. kube-apiserver lets 100 requests do so, and further ones wait in hyper
/// until others end; the rest is for watches that have ended here and not there yet.
const WATCHES_ON_A_LANE: usize = 64;

/// The lanes of one client: one for all that ends soon, probes above all, and others for watches. A lane is made when
/// the first watch needs it. One that no watch uses any more is kept for the next and has no connection, so that there
/// are as many as the most watches at a time needed.
pub(super) struct Lanes<S> {
    main: S,
    make: Arc<dyn Fn() -> S + Send + Sync>,
    watches: Arc<Mutex<Vec<Lane<S>>>>,
}

struct Lane<S> {
    stack: S,
    /// Each watch that is open holds one more of it.
    place: Place,
}

/// The place of one watch on its lane, from the request to the end of its answer.
type Place = Arc<()>;

impl<S: Clone> Lanes<S> {
    pub(super) fn new(make: impl Fn() -> S + Send + Sync + 'static) -> Self {
        Self { main: make(), make: Arc::new(make), watches: Arc::default() }
    }

    /// A place on the first lane that has one. A watch that comes back finds the place that it has left, or one that
    /// is further in front; either way on a connection that stands already.
    fn board(&self) -> (S, Place) {
        let mut lanes = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        let free = lanes.iter().position(|lane| Arc::strong_count(&lane.place) <= WATCHES_ON_A_LANE);
        let number = free.unwrap_or_else(|| {
            lanes.push(Lane { stack: (self.make)(), place: Place::default() });
            lanes.len() - 1
        });
        (lanes[number].stack.clone(), lanes[number].place.clone())
    }
}

impl<S: Clone> Clone for Lanes<S> {
    fn clone(&self) -> Self {
        Self { main: self.main.clone(), make: self.make.clone(), watches: self.watches.clone() }
    }
}

impl<S, A, B> Service<Request<A>> for Lanes<S>
where
    S: Service<Request<A>, Response = Response<B>> + Clone,
    S::Future: Send + 'static,
    S::Error: 'static,
    B: 'static,
{
    type Response = Response<Held<B>>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        // hyper's client is always ready, whichever lane it is; it queues by itself.
        self.main.poll_ready(context)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let (answer, place) = if is_watch(&request) {
            let (mut stack, place) = self.board();
            (stack.call(request), Some(place))
        } else {
            (self.main.call(request), None)
        };
        Box::pin(async move {
            let answer = answer.await;
            Ok(answer?.map(|body| Held { body, _place: place }))
        })
    }
}

/// The body of an answer, which holds the place of its watch until nobody reads it any more.
pub(super) struct Held<B> {
    body: B,
    /// After the body, so that the place is free only when the stream is.
    _place: Option<Place>,
}

impl<B: HttpBody + Unpin> HttpBody for Held<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
