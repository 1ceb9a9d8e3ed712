//! Keeps an admission policy on one work cluster, from the moment a reconcile asks for it: installs it, and takes it back
//! when somebody edits or deletes it. It never deletes it, and where it cannot be had it says so and holds up nothing.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use homebase_core::Namespaces;
use homebase_iris::cluster::{NoPlacement, Placement, placement, volume_policy};
use homebase_kube::Category;
use homebase_kube::claim::HubClaim;
use homebase_kube::policy::{PolicyKind, find_served};
use serde_json::Value;
use tokio::sync::Notify;

use crate::reconcile::{Engagement, Watch};
use crate::watching::until_ready;

mod judge;
mod keep;

/// How long a mirror waits for its policy before it is built without: an apiserver answers within milliseconds, and has
/// the policy in force within [`EFFECT`]. So there is time for some tries: a member that comes up in a wrong zone stays
/// there.
const PATIENCE: Duration = Duration::from_secs(12);
/// How long an apiserver takes to act on a policy that was written: it reads them anew every second. Each replica of it
/// does so for itself.
const EFFECT: Duration = Duration::from_secs(3);
/// Between two tries of what failed.
const RETRY: Duration = Duration::from_secs(3);
/// Between two questions whether a cluster serves the API by now: an upgrade takes minutes.
const REDISCOVER: Duration = Duration::from_secs(300);

#[derive(Debug, PartialEq, Eq)]
enum State {
    /// Nobody has asked.
    Idle,
    /// It is being looked for or installed.
    Pending,
    /// This is how it stands.
    Settled(Placement),
}

/// A policy with its binding.
pub(super) struct Policy {
    /// The name of both.
    name: &'static str,
    kind: PolicyKind,
    spec: fn() -> Value,
    binding: fn() -> Value,
}

/// Places the members of mirrors.
pub(super) const MIRROR_ZONES: Policy = Policy {
    name: placement::POLICY,
    kind: PolicyKind::Mutating,
    spec: placement::policy_spec,
    binding: placement::binding_spec,
};

/// Rejects a retention policy that deletes volumes.
pub(super) const VOLUME_RETENTION: Policy = Policy {
    name: volume_policy::POLICY,
    kind: PolicyKind::Validating,
    spec: volume_policy::policy_spec,
    binding: volume_policy::binding_spec,
};

struct Shared {
    policy: Policy,
    state: Mutex<State>,
    asked: Notify,
}

/// A policy on one cluster.
#[derive(Clone)]
pub(super) struct Admission(Arc<Shared>);

impl Admission {
    /// A policy that nobody has asked for yet. It would be in no namespace, so a registration for some does without.
    pub(super) fn new(policy: Policy, namespaces: &Namespaces) -> Self {
        let state = match namespaces {
            Namespaces::All => State::Idle,
            Namespaces::Only(_) => State::Settled(Placement::Missing(NoPlacement::Restricted)),
        };
        Self(Arc::new(Shared { policy, state: Mutex::new(state), asked: Notify::new() }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How it stands; none while that is being found out, which wakes the one who asked.
    pub(super) fn get(&self) -> Option<Placement> {
        let mut state = self.state();
        match &*state {
            State::Idle => {
                *state = State::Pending;
                self.0.asked.notify_one();
                None
            }
            State::Pending => None,
            State::Settled(placement) => Some(placement.clone()),
        }
    }

    /// Takes note of how it stands; true when that is news. Another word for a failure that goes on is none.
    fn settle(&self, placement: Placement) -> bool {
        let fails = |placement: &Placement| matches!(placement, Placement::Missing(NoPlacement::Failed(_)));
        let mut state = self.state();
        if let State::Settled(before) = &*state
            && (*before == placement || (fails(before) && fails(&placement)))
        {
            return false;
        }
        tracing::info!(standing = ?placement, policy = self.0.policy.name, "admission policy");
        *state = State::Settled(placement);
        true
    }

    /// The task that keeps it once somebody asks; `wake` is called when it stands otherwise than before.
    pub(super) fn watch(
        &self,
        engagement: &Engagement,
        hub: Arc<HubClaim>,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Watch {
        let (admission, engagement) = (self.clone(), engagement.clone());
        let run = async move {
            admission.0.asked.notified().await;
            let keeper = Keeper { admission, engagement, hub, wake: Box::new(wake) };
            // In a box: most clusters never come here, and a future is as large as its largest state.
            let keep = Box::pin(keeper.run());
            tokio::join!(keep, keeper.end_patience());
        };
        Watch { kind: "admission policy", run: Box::pin(run) }
    }
}

struct Keeper {
    admission: Admission,
    engagement: Engagement,
    hub: Arc<HubClaim>,
    wake: Box<dyn Fn() + Send + Sync>,
}

impl Keeper {
    async fn run(&self) {
        loop {
            let pause = match find_served(&self.engagement.client, self.admission.0.policy.kind).await {
                Ok(Some(version)) => {
                    // Until the cluster serves that version no more.
                    self.keep(version).await;
                    RETRY
                }
                Ok(None) => {
                    self.settle(Placement::Missing(NoPlacement::Unserved));
                    REDISCOVER
                }
                Err(error) => {
                    self.failed(error.category());
                    RETRY
                }
            };
            self.pause(pause).await;
        }
    }

    async fn pause(&self, delay: Duration) {
        until_ready(delay, self.engagement.watching.reachable.clone()).await;
    }

    async fn end_patience(&self) {
        tokio::time::sleep(PATIENCE).await;
        if *self.admission.state() == State::Pending {
            self.settle(Placement::Missing(NoPlacement::Failed(Category::ResponseTimeout.as_str())));
        }
    }

    /// Takes note of a try that failed. Only a refusal ends the patience of who waits: the next try may do.
    fn failed(&self, category: Category) {
        if category == Category::Forbidden {
            self.settle(Placement::Missing(NoPlacement::Forbidden));
        } else if *self.admission.state() != State::Pending {
            self.settle(Placement::Missing(NoPlacement::Failed(category.as_str())));
        }
    }

    fn settle(&self, placement: Placement) {
        if self.admission.settle(placement) {
            (self.wake)();
        }
    }
}

#[cfg(test)]
mod tests {
    //! The table of rights names what is kept here, and what is news of it.

    use homebase_core::Namespaces;
    use homebase_iris::cluster::{NoPlacement, Placement};
    use homebase_kube::permissions::{NEEDS, Target};
    use homebase_kube::policy::PolicyVersion;

    use super::{Admission, MIRROR_ZONES, VOLUME_RETENTION};

    #[test]
    fn who_asks_waits_until_it_stands_and_hears_of_changes_only() {
        let placer = Admission::new(MIRROR_ZONES, &Namespaces::All);
        assert_eq!((placer.get(), placer.get()), (None, None));
        let failed = |word| Placement::Missing(NoPlacement::Failed(word));
        for (placement, is_news) in [
            (Placement::InPlace, true),
            (Placement::InPlace, false),
            (failed("ServerError"), true),
            (failed("ConnectionLost"), false),
            (Placement::Missing(NoPlacement::Forbidden), true),
            (Placement::InPlace, true),
        ] {
            assert_eq!(placer.settle(placement.clone()), is_news, "{placement:?}");
        }
        assert_eq!(placer.get(), Some(Placement::InPlace));
        let restricted = Admission::new(VOLUME_RETENTION, &Namespaces::Only(["a".parse().unwrap()].into()));
        assert_eq!(restricted.get(), Some(Placement::Missing(NoPlacement::Restricted)));
    }

    #[test]
    fn the_table_of_rights_names_the_policies_and_no_others() {
        let kinds = [MIRROR_ZONES, VOLUME_RETENTION].map(|policy| {
            let kinds = [policy.kind.policy(PolicyVersion::V1), policy.kind.binding(PolicyVersion::V1)];
            kinds.map(|kind| (kind, policy.name))
        });
        for (kind, name) in kinds.into_iter().flatten() {
            let named = NEEDS.iter().filter_map(|need| match need.target {
                Target::Resource { group, resource, names, .. } => {
                    (group == kind.group && resource == kind.plural).then_some(names)
                }
                Target::Url(_) => None,
            });
            assert_eq!(named.collect::<Vec<_>>(), [[name]]);
        }
    }
}
