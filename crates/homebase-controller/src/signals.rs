//! What the requests to one cluster tell its session: that credentials are refused, that nothing but probes is
//! answered, that watches are silent. It decides nothing and sends nothing.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use homebase_fleet::freshness::Freshness;
use http::StatusCode;
use tokio::sync::Notify;

#[cfg(test)]
mod tests;

/// Requests of the work in a row without an answer that make one doubt that the next will have one: several for each
/// worker, so that one object, whose writes run into a webhook that hangs, is not enough.
const STREAK: u32 = 12;

/// Requests that are answered by clusters that can do nothing else: the probe, and what Kubernetes grants everybody.
const NOT_WORK: [&str; 3] =
    ["/api/v1/namespaces/kube-system", "/version", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"];

/// The signals of one cluster.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    /// Requests of the work in a row without an answer.
    streak: AtomicU32,
    /// Whether the next answer, or its absence, decides about a trial.
    trial: AtomicBool,
    freshness: Mutex<Freshness>,
    /// Notified when a request was answered with 401.
    pub(crate) refused: Notify,
    /// Notified when the requests of the work are not answered.
    pub(crate) failing: Notify,
    /// Notified when a trial was answered.
    pub(crate) answered: Notify,
}

impl Signals {
    /// Takes note of a request that ended.
    pub(crate) fn request(&self, path: &str, status: Option<StatusCode>) {
        if status == Some(StatusCode::UNAUTHORIZED) {
            self.refused.notify_one();
        }
        if NOT_WORK.contains(&path) {
            return;
        }
        let failed = is_unanswered(status);
        let streak = if failed {
            self.streak.fetch_add(1, Ordering::Relaxed).saturating_add(1)
        } else {
            self.streak.store(0, Ordering::Relaxed);
            0
        };
        let decides = self.trial.swap(false, Ordering::Relaxed);
        if failed && (decides || streak >= STREAK) {
            self.failing.notify_one();
        } else if decides {
            self.answered.notify_one();
        }
    }

    /// From now on the first request that ends decides.
    pub(crate) fn begin_trial(&self) {
        self.streak.store(0, Ordering::Relaxed);
        self.trial.store(true, Ordering::Relaxed);
    }

    /// A trial was decided otherwise.
    pub(crate) fn end_trial(&self) {
        self.trial.store(false, Ordering::Relaxed);
    }

    /// The last signs of life of the watches.
    pub(crate) fn freshness(&self) -> MutexGuard<'_, Freshness> {
        self.freshness.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether nobody answered who knows: an error of a single request, such as 500 from an admission webhook, is an
/// answer.
fn is_unanswered(status: Option<StatusCode>) -> bool {
    matches!(
        status,
        None | Some(StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT)
    )
}
