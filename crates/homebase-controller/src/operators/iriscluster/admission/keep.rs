//! Watches the policy and its binding, each by its name, and applies what is not as it should be. What that is, is
//! decided in `judge`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use homebase_api::{annotations, labels};
use homebase_iris::cluster::{NoPlacement, Placement};
use homebase_kube::Category;
use homebase_kube::budget::Weight;
use homebase_kube::policy::{PolicyError, PolicyVersion, apply_policy};
use homebase_kube::relist::watch_objects;
use homebase_kube::watch::{Listener, run_watch, watch_config};
use kube::api::{ApiResource, DynamicObject};
use kube::runtime::watcher::Event;
use kube::{Api, ResourceExt as _};
use serde_json::Value;
use tokio::sync::Notify;

use super::judge::{Verdict, judge};
use super::{EFFECT, Keeper, Policy, RETRY};
use crate::reconcile::Engagement;
use crate::watching::{FORBIDDEN_PAUSE, pause_of, until_ready};

/// What was found under one name.
#[derive(Clone, Debug, Default)]
enum Found {
    /// Nobody has listed it yet.
    #[default]
    Unknown,
    Missing,
    Object(Box<DynamicObject>),
}

/// What the two watches have brought.
#[derive(Default)]
struct Seen {
    found: Mutex<[Found; 2]>,
    /// The last failure since something came in.
    failure: Mutex<Option<Category>>,
    forbidden: AtomicBool,
    changed: Notify,
}

impl Seen {
    fn found(&self) -> MutexGuard<'_, [Found; 2]> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failure(&self) -> MutexGuard<'_, Option<Category>> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of the two objects.
struct Wanted {
    kind: ApiResource,
    spec: Value,
    /// What the apiserver made of it.
    became: Option<Value>,
}

/// What comes after a look.
enum Next {
    /// News.
    Change,
    /// Another try.
    Retry(Duration),
    /// Nothing: the cluster does not serve the kinds any more.
    End,
}

impl Keeper {
    /// Keeps policy and binding until the cluster does not serve this version any more.
    pub(super) async fn keep(&self, version: PolicyVersion) {
        let seen = Seen::default();
        let Policy { kind, spec, binding, .. } = &self.admission.0.policy;
        let wanted = |kind, spec| Wanted { kind, spec, became: None };
        let mut all = [wanted(kind.policy(version), spec()), wanted(kind.binding(version), binding())];
        let [policy, binding] = [(0, kind.policy(version)), (1, kind.binding(version))]
            .map(|(index, kind)| self.watch(&seen, &kind, index));
        tokio::select! {
            () = policy => {}
            () = binding => {}
            () = self.hold(&seen, &mut all) => {}
        }
    }

    fn watch<'a>(
        &self,
        seen: &'a Seen,
        kind: &ApiResource,
        index: usize,
    ) -> impl Future<Output = ()> + Send + use<'a> {
        let api: Api<DynamicObject> = Api::all_with(self.engagement.client.clone(), kind);
        let stream = watch_objects(
            api,
            watch_config().fields(&format!("metadata.name={}", self.admission.0.policy.name)),
            &self.engagement.watching.budget,
            Weight::VIEW,
        );
        let reachable = self.engagement.watching.reachable.clone();
        let pause = move |delay: Duration| {
            let forbidden = seen.forbidden.load(Ordering::Relaxed);
            until_ready(pause_of(delay, forbidden), reachable.clone())
        };
        run_watch(stream, Feed { seen, index, listed: Found::Missing }, fastrand::f64, pause)
    }

    async fn hold(&self, seen: &Seen, wanted: &mut [Wanted; 2]) {
        loop {
            match self.look(seen, wanted).await {
                Next::Change => seen.changed.notified().await,
                Next::Retry(delay) => tokio::select! {
                    () = seen.changed.notified() => {}
                    () = self.pause(delay) => {}
                },
                Next::End => return,
            }
        }
    }

    /// Looks at both, and applies what is not as it should be.
    async fn look(&self, seen: &Seen, wanted: &mut [Wanted; 2]) -> Next {
        let failure = *seen.failure();
        if failure == Some(Category::NotFound) {
            return Next::End;
        }
        let found = seen.found().clone();
        if found.iter().any(|found| matches!(found, Found::Unknown)) {
            if let Some(category) = failure {
                self.failed(category);
            }
            return Next::Change;
        }
        let mut applied = false;
        for (wanted, found) in wanted.iter_mut().zip(&found) {
            let found = match found {
                Found::Object(object) => Some(object.as_ref()),
                Found::Missing | Found::Unknown => None,
            };
            match judge(&wanted.spec, found, wanted.became.as_ref(), &self.hub) {
                Verdict::Keep => {}
                Verdict::Foreign => {
                    self.settle(Placement::Missing(NoPlacement::Foreign));
                    return Next::Change;
                }
                Verdict::OtherHub(hub) => {
                    self.settle(Placement::Missing(NoPlacement::OtherHub(hub)));
                    return Next::Change;
                }
                Verdict::Apply => match self.apply(wanted, found).await {
                    Ok(()) => applied = true,
                    Err(error) => return self.not_applied(&error),
                },
            }
        }
        if applied {
            // What is created before the apiserver acts on the policy would not be placed.
            tokio::time::sleep(EFFECT).await;
        }
        self.settle(Placement::InPlace);
        Next::Change
    }

    fn not_applied(&self, error: &PolicyError) -> Next {
        let category = error.category();
        tracing::warn!(category = category.as_str(), error = %homebase_core::Chain(error), "admission policy not applied");
        match category {
            // Somebody else was faster: news of it is on its way.
            Category::Conflict => return Next::Retry(RETRY),
            Category::NotFound => return Next::End,
            _ => self.failed(category),
        }
        Next::Retry(if category == Category::Forbidden { FORBIDDEN_PAUSE } else { RETRY })
    }

    async fn apply(&self, wanted: &mut Wanted, found: Option<&DynamicObject>) -> Result<(), PolicyError> {
        let mut object = DynamicObject::new(self.admission.0.policy.name, &wanted.kind);
        object.labels_mut().insert(labels::MANAGED_BY.to_owned(), labels::MANAGED_BY_HOMEBASE.to_owned());
        object.annotations_mut().insert(annotations::HUB_ID.to_owned(), self.hub.id.clone());
        object.metadata.resource_version = found.and_then(kube::ResourceExt::resource_version);
        object.data = serde_json::json!({ "spec": wanted.spec });
        let Engagement { client, manager, .. } = &self.engagement;
        let applied = apply_policy(client, &wanted.kind, &object, manager).await?;
        wanted.became = applied.data.get("spec").cloned();
        Ok(())
    }
}

struct Feed<'a> {
    seen: &'a Seen,
    index: usize,
    /// What the listing that runs has brought.
    listed: Found,
}

impl Feed<'_> {
    fn take(&self, found: Found) {
        *self.seen.failure() = None;
        self.seen.forbidden.store(false, Ordering::Relaxed);
        self.seen.found()[self.index] = found;
        self.seen.changed.notify_one();
    }
}

impl Listener<DynamicObject> for Feed<'_> {
    fn event(&mut self, event: Event<DynamicObject>) {
        match event {
            Event::Init => self.listed = Found::Missing,
            Event::InitApply(object) => self.listed = kept(object),
            Event::InitDone => {
                let listed = std::mem::replace(&mut self.listed, Found::Missing);
                self.take(listed);
            }
            Event::Apply(object) => self.take(kept(object)),
            Event::Delete(_) => self.take(Found::Missing),
        }
    }

    fn failure(&mut self, category: Category, message: &str) {
        tracing::debug!(category = category.as_str(), error = message, "admission policy not watched");
        *self.seen.failure() = Some(category);
        self.seen.forbidden.store(category == Category::Forbidden, Ordering::Relaxed);
        self.seen.changed.notify_one();
    }
}

fn kept(mut object: DynamicObject) -> Found {
    object.managed_fields_mut().clear();
    Found::Object(Box::new(object))
}
