//! A client whose credentials can be exchanged while it is in use: requests that run go on with the old ones,
//! those that begin afterwards use the new ones. It judges neither.

use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::{Request, Response};
use kube::Client;
use kube::client::Body;
use tower::{BoxError, Service};

use crate::gate::WriteGate;

#[cfg(test)]
mod tests;

/// The place of the client that is used now.
#[derive(Clone)]
pub struct ClientSlot {
    current: Arc<RwLock<Client>>,
}

impl ClientSlot {
    /// A slot that holds this client.
    pub fn new(client: Client) -> Self {
        Self { current: Arc::new(RwLock::new(client)) }
    }

    /// A client that uses whatever the slot holds when a request begins. Watches end by themselves within
    /// minutes and then begin anew with what the slot holds by then, without losing an event.
    pub fn client(&self) -> Client {
        self.client_behind(WriteGate::open())
    }

    /// The same, for a client whose writes are refused while the gate is shut.
    pub fn client_behind(&self, gate: WriteGate) -> Client {
        let namespace = self.get().default_namespace().to_owned();
        Client::new(Rotating { slot: self.clone(), gate }, namespace)
    }

    /// Puts another client into the slot.
    pub fn replace(&self, client: Client) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = client;
    }

    fn get(&self) -> Client {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[derive(Clone)]
struct Rotating {
    slot: ClientSlot,
    gate: WriteGate,
}

impl Service<Request<Body>> for Rotating {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<Body>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let client = self.slot.get();
        let gate = self.gate.clone();
        Box::pin(async move {
            let pass = gate.pass(&request)?;
            let answer = pass.until_it_ends(client.send(request)).await?;
            answer.map_err(|error| match error {
                // The outer client wraps it again: once is enough.
                kube::Error::Service(error) => error,
                other => other.into(),
            })
        })
    }
}
