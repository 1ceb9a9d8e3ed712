//! Several HTTP stacks for one apiserver, which takes a limited number of requests at a time on one connection: the
//! watches of many namespaces would hold all of them, and nothing else would get through. It decides which request
//! goes over which connection and nothing else.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use http::{Request, Response};
use tower::Service;

#[cfg(test)]
mod tests;

/// Namespaces whose watches share a connection. kube-apiserver lets 100 requests stand open on one; a namespace has
/// some seven watches, and one for each ConfigMap that somebody names.
const NAMESPACES_ON_A_LANE: usize = 8;

/// The lanes of one client: one for all that ends soon and for the watches of the whole cluster, the others for the
/// watches of single namespaces. A lane that nobody uses has no connection.
#[derive(Clone)]
pub(super) struct Lanes<S> {
    main: S,
    others: Vec<S>,
    /// In the order in which they were first watched.
    namespaces: Arc<Mutex<BTreeMap<String, usize>>>,
}

impl<S> Lanes<S> {
    /// As many lanes for watches as `namespaces` need; further ones share them.
    pub(super) fn new(namespaces: usize, mut lane: impl FnMut() -> S) -> Self {
        let others = (0..namespaces.div_ceil(NAMESPACES_ON_A_LANE)).map(|_| lane()).collect();
        Self { main: lane(), others, namespaces: Arc::default() }
    }

    fn lane(&mut self, path: &str, query: &str) -> &mut S {
        let namespace = namespace_of(path).filter(|_| is_watch(query));
        let (Some(namespace), false) = (namespace, self.others.is_empty()) else { return &mut self.main };
        let mut namespaces = self.namespaces.lock().unwrap_or_else(PoisonError::into_inner);
        let next = namespaces.len();
        let position = *namespaces.entry(namespace.to_owned()).or_insert(next);
        drop(namespaces);
        let lanes = self.others.len();
        &mut self.others[position / NAMESPACES_ON_A_LANE % lanes]
    }
}

fn is_watch(query: &str) -> bool {
    query.split('&').any(|part| matches!(part, "watch=true" | "watch=1"))
}

/// The namespace in a path such as `/apis/apps/v1/namespaces/NAME/statefulsets`; none in that of a Namespace itself.
fn namespace_of(path: &str) -> Option<&str> {
    let (namespace, rest) = path.split_once("/namespaces/")?.1.split_once('/')?;
    (!rest.is_empty()).then_some(namespace)
}

impl<S, B, A> Service<Request<B>> for Lanes<S>
where
    S: Service<Request<B>, Response = Response<A>>,
{
    type Response = Response<A>;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        // hyper's client is always ready, whichever lane it is; it queues by itself.
        self.main.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> S::Future {
        let (path, query) =
            (request.uri().path().to_owned(), request.uri().query().unwrap_or_default().to_owned());
        self.lane(&path, &query).call(request)
    }
}
