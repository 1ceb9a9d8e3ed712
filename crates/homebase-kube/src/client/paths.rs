//! The last check of a request's path before it is sent: it must have the form of a path of the Kubernetes API. Names in
//! it may come from a cluster, and behind a gateway that serves several clusters a path with `..` in it leads to
//! another one. It looks at no body, and it encodes nothing.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::task::{Context, Poll};

use futures::future::{Either, Ready, ready};
use http::{Request, Uri};
use tower::{BoxError, Layer, Service};

#[cfg(test)]
mod tests;

/// The longest path with its query. Selectors of the hub are short; what is long in a query is a continue token, which
/// comes from the cluster and has some hundred bytes.
const MAX_TARGET: usize = 8 * 1024;
/// The longest segment: a name of 253 characters, and the port of a pod.
const MAX_SEGMENT: usize = 253 + ":65535".len();
/// `/apis/GROUP/VERSION/namespaces/NAMESPACE/PLURAL/NAME/SUBRESOURCE`.
const MAX_SEGMENTS: usize = 8;
/// What is asked of a pod through the apiserver may have as many segments more.
const MAX_PROXIED_SEGMENTS: usize = 8;
/// What can be asked of an apiserver.
const ROOTS: [&str; 7] = ["api", "apis", "healthz", "livez", "openapi", "readyz", "version"];

/// The path of a request is none of the Kubernetes API. No part of it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the request is not sent: {0}; a name from the cluster that becomes part of the path is not a valid name"
)]
pub struct RefusePath(&'static str);

/// Checks what a request asks for, before the base path of a server is put before it.
pub(super) fn check(target: &Uri) -> Result<(), RefusePath> {
    let path = target.path();
    if path.len() + target.query().map_or(0, str::len) > MAX_TARGET {
        return Err(RefusePath("its path and query are longer than 8 KiB"));
    }
    let Some(relative) = path.strip_prefix('/') else {
        return Err(RefusePath("its path does not begin with a slash"));
    };
    let segments: Vec<&str> = relative.split('/').collect();
    if !segments.first().is_some_and(|root| ROOTS.contains(root)) {
        return Err(RefusePath("its path has no root of the Kubernetes API"));
    }
    let is_proxied = crate::pod_proxy::is_pod_proxy(path);
    let most = if is_proxied { MAX_SEGMENTS + MAX_PROXIED_SEGMENTS } else { MAX_SEGMENTS };
    if segments.len() > most {
        return Err(RefusePath("its path has more segments than one of the Kubernetes API"));
    }
    segments.into_iter().try_for_each(check_segment)
}

fn check_segment(segment: &str) -> Result<(), RefusePath> {
    // A percent sign too: what a gateway decodes is not what was checked here.
    let is_plain = |byte: u8| is_unreserved(byte) || byte == b':';
    match segment {
        "" => Err(RefusePath("its path has an empty segment")),
        "." | ".." => Err(RefusePath("its path has a segment `.` or `..`")),
        long if long.len() > MAX_SEGMENT => Err(RefusePath("its path has a segment that is too long")),
        other if !other.bytes().all(is_plain) => {
            Err(RefusePath("its path has a character other than letters, digits, `-`, `.`, `_`, `~` and `:`"))
        }
        _ => Ok(()),
    }
}

/// RFC 3986, section 2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// One segment of a path for a name, which kube puts into paths as it is: whatever is in it, it stays one segment and
/// never becomes a query.
pub(crate) fn segment(name: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| is_unreserved(byte) || byte == b':';
    if name.bytes().all(is_plain) {
        return Cow::Borrowed(name);
    }
    let mut encoded = String::with_capacity(name.len() * 3);
    for byte in name.bytes() {
        if is_plain(byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing into a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    Cow::Owned(encoded)
}

/// The layer, before all that counts requests: one that is not sent says nothing of the cluster's health.
#[derive(Clone, Copy, Debug)]
pub(super) struct PathLayer;

impl<S> Layer<S> for PathLayer {
    type Service = Paths<S>;

    fn layer(&self, inner: S) -> Paths<S> {
        Paths { inner }
    }
}

/// The service that the layer makes.
#[derive(Clone, Debug)]
pub(super) struct Paths<S> {
    inner: S,
}

impl<S, A> Service<Request<A>> for Paths<S>
where
    S: Service<Request<A>, Error = BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Either<Ready<Result<S::Response, BoxError>>, S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        match check(request.uri()) {
            Ok(()) => Either::Right(self.inner.call(request)),
            Err(refused) => Either::Left(ready(Err(refused.into()))),
        }
    }
}
