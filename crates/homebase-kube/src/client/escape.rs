//! Escapes characters in the body of an apply that the apiserver would refuse or change: it reads such a body as YAML,
//! where U+007F to U+009F are errors or line ends. JSON escapes mean the same text, so what users wrote arrives as it is,
//! and a status is never refused for a word that it quotes. It changes no value, and no other kind of body.

use std::borrow::Cow;
use std::task::{Context, Poll};

use futures::FutureExt as _;
use futures::future::{Either, Ready, ready};
use homebase_core::text::escape_json;
use http::{HeaderValue, Request, header};
use kube::client::Body;
use tower::{BoxError, Layer, Service};

#[cfg(test)]
mod tests;

/// The content type of an apply. kube sends JSON under it.
const APPLY: &str = "application/apply-patch+yaml";

/// A body that is not in memory cannot be escaped. kube makes none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the request is not sent: its body is not at hand, or not UTF-8")]
pub struct RefuseBody;

fn is_apply(request: &Request<Body>) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    kind.is_some_and(|kind| kind.starts_with(APPLY.as_bytes()))
}

fn escaped(request: Request<Body>) -> Result<Request<Body>, RefuseBody> {
    if !is_apply(&request) {
        return Ok(request);
    }
    let (parts, body) = request.into_parts();
    let bytes = body.collect_bytes().now_or_never().and_then(Result::ok).ok_or(RefuseBody)?;
    let body = match escape_json(std::str::from_utf8(&bytes).map_err(|_| RefuseBody)?) {
        Cow::Borrowed(_) => Body::from(bytes.to_vec()),
        Cow::Owned(text) => Body::from(text.into_bytes()),
    };
    Ok(Request::from_parts(parts, body))
}

/// The layer, before whatever counts requests.
#[derive(Clone, Copy, Debug)]
pub(super) struct EscapeLayer;

impl<S> Layer<S> for EscapeLayer {
    type Service = Escape<S>;

    fn layer(&self, inner: S) -> Escape<S> {
        Escape { inner }
    }
}

/// The service that the layer makes.
#[derive(Clone, Debug)]
pub(super) struct Escape<S> {
    inner: S,
}

impl<S> Service<Request<Body>> for Escape<S>
where
    S: Service<Request<Body>, Error = BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Either<Ready<Result<S::Response, BoxError>>, S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        match escaped(request) {
            Ok(request) => Either::Right(self.inner.call(request)),
            Err(refused) => Either::Left(ready(Err(refused.into()))),
        }
    }
}
