//! The write gate: a hub that has not renewed its Lease in time sends no write to any cluster, as another hub may have
//! taken its place. It knows nothing of Leases, and it lets reads through.

use std::future::Future;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use http::{Method, Request};
use tokio::time::Instant;

#[cfg(test)]
mod tests;

/// What must be left of the term when a write begins: the time that it needs to arrive.
const MARGIN: Duration = Duration::from_secs(1);
/// Questions about one's own permissions are creates that keep nothing.
const QUESTIONS: &str = "/apis/authorization.k8s.io/";

/// A write was not sent, or not waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the hub has not renewed its Lease in the home cluster in time; writes are on hold until it has")]
pub struct GateShut;

/// A moment by two clocks. The monotonic one stands still while the machine is suspended, the other one may be set: the
/// time since is the longer of both. A clock that is set forward shuts the gate too early, which does no harm.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    monotonic: Instant,
    wall: SystemTime,
}

impl Moment {
    /// Now.
    pub fn now() -> Self {
        Self { monotonic: Instant::now(), wall: SystemTime::now() }
    }

    fn elapsed(self) -> Duration {
        self.monotonic.elapsed().max(self.wall.elapsed().unwrap_or_default())
    }
}

#[derive(Clone, Copy, Debug)]
enum State {
    Open,
    Until(Moment, Duration),
    Shut,
}

/// The gate of one hub, for the clients of all clusters.
#[derive(Clone, Debug)]
pub struct WriteGate {
    state: Arc<RwLock<State>>,
}

impl WriteGate {
    /// A gate that stays open, for whoever holds no Lease.
    pub fn open() -> Self {
        Self { state: Arc::new(RwLock::new(State::Open)) }
    }

    /// A gate that is shut until its first [`extend`](Self::extend).
    pub fn closed() -> Self {
        Self { state: Arc::new(RwLock::new(State::Shut)) }
    }

    /// Opens it for a term that began at a moment.
    pub fn extend(&self, began: Moment, term: Duration) {
        self.set(State::Until(began, term));
    }

    /// Shuts it.
    pub fn shut(&self) {
        self.set(State::Shut);
    }

    fn set(&self, state: State) {
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = state;
    }

    /// Lets a request through that may be sent now.
    pub(crate) fn pass<B>(&self, request: &Request<B>) -> Result<Pass, GateShut> {
        if !is_write(request) {
            return Ok(Pass { left: None });
        }
        match *self.state.read().unwrap_or_else(PoisonError::into_inner) {
            State::Open => Ok(Pass { left: None }),
            State::Until(began, term) => match term.checked_sub(began.elapsed()) {
                Some(left) if left > MARGIN => Ok(Pass { left: Some(left) }),
                _ => Err(GateShut),
            },
            State::Shut => Err(GateShut),
        }
    }
}

/// Leave to send a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pass {
    /// What is left of the term for a write.
    left: Option<Duration>,
}

impl Pass {
    /// Waits for the answer, for a write until the end of the term: then the request is cancelled.
    pub(crate) async fn until_it_ends<F: Future>(self, answer: F) -> Result<F::Output, GateShut> {
        match self.left {
            Some(left) => tokio::time::timeout(left, answer).await.map_err(|_| GateShut),
            None => Ok(answer.await),
        }
    }
}

fn is_write<B>(request: &Request<B>) -> bool {
    let is_read = [Method::GET, Method::HEAD, Method::OPTIONS].contains(request.method());
    let is_question = request.uri().path().starts_with(QUESTIONS);
    let is_dry = request.uri().query().is_some_and(|query| query.split('&').any(|pair| pair == "dryRun=All"));
    !is_read && !is_question && !is_dry
}
