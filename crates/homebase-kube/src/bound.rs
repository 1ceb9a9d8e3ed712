//! A tower layer that bounds what an apiserver may answer: how much, and how long it may be silent in the middle.
//! All clusters share the hub's memory, so none may fill it. It looks at lengths and line ends only.

use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
use http::{Request, Response};
use http_body::{Body as HttpBody, Frame};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Bytes;
use tower::{BoxError, Layer, Service};

use crate::observe::is_watch;
use crate::watch::WATCH_TIMEOUT_SECONDS;

#[cfg(test)]
mod tests;

/// The largest answer: a page of 500 objects of 64 KiB. An object has 1.5 MiB at most, and hardly one has 64 KiB.
const MAX_ANSWER: usize = 32 * 1024 * 1024;
/// The longest line of a watch: one event, so one object, and an object has 1.5 MiB at most (etcd's limit).
const MAX_EVENT: usize = 4 * 1024 * 1024;
/// How long an answer may pause: an apiserver that works sends a page in one go.
const MAX_PAUSE: Duration = Duration::from_secs(15);
/// How long a watch may be silent: it ends by itself before, so this one hangs.
const MAX_SILENCE: Duration = Duration::from_secs(WATCH_TIMEOUT_SECONDS as u64 + 10);

/// An answer went beyond what is taken from a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BoundExceeded {
    /// It is too large.
    #[error("the answer has more than {MAX_ANSWER} bytes")]
    Answer,
    /// One event of a watch is too large.
    #[error("an event of the watch has more than {MAX_EVENT} bytes")]
    Event,
    /// It stopped in the middle.
    #[error("the answer stopped for more than {} s", MAX_PAUSE.as_secs())]
    Pause,
    /// The watch neither brought anything nor ended.
    #[error("the watch did not end by itself within {} s", MAX_SILENCE.as_secs())]
    Silence,
    /// A list went on, but for too long.
    #[error("the list is not complete after {} s", crate::lister::MAX_LIST.as_secs())]
    List,
}

/// The bounds of one answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bounds {
    is_watch: bool,
    /// Bytes since the answer began, or since the last line end of a watch.
    seen: usize,
}

impl Bounds {
    fn pause(self) -> (Duration, BoundExceeded) {
        if self.is_watch { (MAX_SILENCE, BoundExceeded::Silence) } else { (MAX_PAUSE, BoundExceeded::Pause) }
    }

    fn take(&mut self, data: &[u8]) -> Result<(), BoundExceeded> {
        if !self.is_watch {
            self.seen += data.len();
            return if self.seen > MAX_ANSWER { Err(BoundExceeded::Answer) } else { Ok(()) };
        }
        for (n, line) in data.split(|byte| *byte == b'\n').enumerate() {
            self.seen = if n == 0 { self.seen + line.len() } else { line.len() };
            if self.seen > MAX_EVENT {
                return Err(BoundExceeded::Event);
            }
        }
        Ok(())
    }
}

/// The layer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BoundLayer;

impl<S> Layer<S> for BoundLayer {
    type Service = Bound<S>;

    fn layer(&self, inner: S) -> Bound<S> {
        Bound { inner }
    }
}

/// The service that the layer makes.
#[derive(Clone, Debug)]
pub(crate) struct Bound<S> {
    inner: S,
}

type BoundedBody = StreamBody<BoxStream<'static, Result<Frame<Bytes>, BoxError>>>;

impl<S, A, B> Service<Request<A>> for Bound<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: 'static,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError> + Send,
{
    type Response = Response<BoundedBody>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let bounds = Bounds { is_watch: is_watch(&request), seen: 0 };
        let answer = self.inner.call(request);
        Box::pin(async move { Ok(answer.await?.map(|body| bounded(body, bounds))) })
    }
}

fn bounded<B>(body: B, bounds: Bounds) -> BoundedBody
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError> + Send,
{
    let data = Box::pin(body.into_data_stream().map_err(Into::into));
    let frames = stream::unfold((data, bounds, false), |(mut data, mut bounds, failed)| async move {
        if failed {
            return None;
        }
        let (pause, silence) = bounds.pause();
        let item: Result<Bytes, BoxError> = match tokio::time::timeout(pause, data.next()).await {
            Ok(None) => return None,
            Ok(Some(Ok(bytes))) => bounds.take(&bytes).map(|()| bytes).map_err(Into::into),
            Ok(Some(Err(error))) => Err(error),
            Err(_) => Err(silence.into()),
        };
        let failed = item.is_err();
        Some((item.map(Frame::data), (data, bounds, failed)))
    });
    StreamBody::new(frames.boxed())
}
