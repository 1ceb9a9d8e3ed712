//! Reconciles the kind `Iris` on one cluster: dereference → validate → plan → apply → status. What should be is
//! decided in `homebase-iris`; here it is read and written.

use std::sync::Arc;

use futures::future::BoxFuture;
use homebase_api::Iris;
use homebase_api::conditions::find_condition;
use homebase_api::conditions::iris::Ready;
use homebase_core::ObjectKey;
use homebase_iris::Failure;
use homebase_iris::iris::{self, Observed, ObservedDeployment};
use homebase_kube::apply::{self, Dependents};
use homebase_kube::claim::HubClaim;
use homebase_kube::event::Severity;
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use kube::core::DeserializeGuard;
use kube::{Resource as _, ResourceExt as _};

use super::children::{Children, Foreign, owner_of};
use super::gate::Gate;
use super::primary::{Primary, note_answer};
use super::report::{failure_of, is_news, send};
use crate::reconcile::{Engagement, Enqueue, Outcome, ReconcileError, Reconciler, Tally, Watch};
use crate::store::{Change, Store};
use crate::watching::Subject;

/// The reconciler of one cluster.
pub(super) struct IrisReconciler {
    engagement: Engagement,
    objects: Store<Primary<Iris>>,
    deployments: Children<Deployment, ObservedDeployment>,
}

impl IrisReconciler {
    pub(super) fn new(engagement: Engagement, hub: Arc<HubClaim>) -> Self {
        Self { engagement, objects: Store::default(), deployments: Children::of::<Iris>(hub) }
    }

    fn is_synced(&self) -> bool {
        self.objects.is_synced() && self.deployments.store.is_synced()
    }

    /// Whether absence means anything in a namespace.
    fn is_synced_in(&self, namespace: &str) -> bool {
        self.objects.is_synced_in(namespace) && self.deployments.store.is_synced_in(namespace)
    }

    fn all(&self) -> Vec<ObjectKey> {
        self.objects.keys()
    }

    fn observe(&self, iris: &Iris) -> Observed {
        let uid = iris.uid().unwrap_or_default();
        let namespace = iris.namespace().unwrap_or_default();
        let owned = self.deployments.owned_by(&namespace, &uid);
        let standing = owned.into_iter().filter(|(_, child)| !child.deleting);
        Observed { deployments: standing.map(|(key, child)| (key.name, child.view)).collect() }
    }

    async fn run(&self, key: &ObjectKey) -> Result<Outcome, ReconcileError> {
        let known = self.objects.get(key).filter(Primary::is_standing);
        let Some(iris) = known.as_ref().and_then(Primary::readable) else {
            self.deployments.forget_gone(key);
            return Ok(Outcome::Done);
        };
        let found = self.observe(iris);
        let validated = match iris::validate(iris) {
            Ok(validated) => validated,
            Err(invalid) => {
                let status = iris::refused_status(iris, &invalid, Timestamp::now());
                if iris.status.as_ref() != Some(&status) {
                    let note: Vec<String> = invalid.iter().map(ToString::to_string).collect();
                    let regarding = iris.object_ref(&());
                    self.engagement
                        .events
                        .publish(&regarding, Severity::Warning, "Refused", &note.join("; "))
                        .await;
                    self.write_status(key, iris, &status).await?;
                }
                return Ok(Outcome::Done);
            }
        };
        let mut plan = iris::plan(&validated, &found);
        let answered = match self.apply(iris, &mut plan).await {
            Ok(answered) => answered,
            Err(error) => return Err(self.tell_failure(key, iris, error).await),
        };
        send(&self.engagement, &iris.object_ref(&()), &iris::events(&plan)).await;
        let planned = ObjectKey::new(&key.namespace, plan.deployment.name_any());
        let deployment = answered.or_else(|| self.deployments.store.get(&planned).map(|child| child.view));
        let status = iris::status(iris, &plan, deployment.as_ref(), Timestamp::now());
        if iris.status.as_ref() != Some(&status) {
            self.write_status(key, iris, &status).await?;
        }
        Ok(Outcome::Done)
    }

    /// Sends a plan, and leaves of its deletions those that really deleted something. Returns the Deployment as
    /// the apiserver answered it, when it had to be sent.
    async fn apply(
        &self,
        iris: &Iris,
        plan: &mut iris::Plan,
    ) -> Result<Option<ObservedDeployment>, ReconcileError> {
        let iris::Plan { deployment, delete, change: _ } = plan;
        let answered = self.deployments.ensure(&self.engagement, deployment.clone(), Foreign::Refuse).await?;
        let namespace = iris.namespace().unwrap_or_default();
        for surplus in std::mem::take(delete) {
            let key = ObjectKey::new(&namespace, &surplus.name);
            let uid = iris.uid();
            let removed = self
                .deployments
                .remove(&self.engagement, &key, &surplus.uid, uid.as_deref(), Dependents::Delete)
                .await?;
            if removed {
                delete.push(surplus);
            }
        }
        Ok(answered.map(|answer| answer.view))
    }

    async fn tell_failure(&self, key: &ObjectKey, iris: &Iris, error: ReconcileError) -> ReconcileError {
        let failure = failure_of(&error);
        let status = iris::failed_status(iris, failure, &error.message(), Timestamp::now());
        let known = iris.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
        if is_news(failure, known, &status.conditions) {
            if failure != Failure::Transient {
                let regarding = iris.object_ref(&());
                self.engagement
                    .events
                    .publish(&regarding, Severity::Warning, error.category, &error.message())
                    .await;
            }
            // The error itself is what counts; that it could not be told is in the log of requests.
            drop(self.write_status(key, iris, &status).await);
        }
        error
    }

    async fn write_status(
        &self,
        key: &ObjectKey,
        iris: &Iris,
        status: &homebase_api::IrisStatus,
    ) -> Result<(), ReconcileError> {
        let uid = iris.uid().unwrap_or_default();
        let written: Iris =
            apply::apply_status(&self.engagement.client, key, &uid, status, &self.engagement.manager).await?;
        note_answer(&self.objects, &written, iris);
        Ok(())
    }
}

impl Reconciler for IrisReconciler {
    fn watches(self: Arc<Self>, enqueue: Enqueue) -> Vec<Watch> {
        let gate = Arc::new(Gate::new(enqueue, &self.engagement.watching.namespaces));
        let (this, objects_gate) = (self.clone(), gate.clone());
        let mut watches = self.engagement.watching.objects::<DeserializeGuard<Iris>, _>(
            &self.engagement.client,
            Subject::of("Iris").weighing(homebase_kube::budget::Weight::WHOLE),
            &self.objects,
            Primary::of,
            move |changes: Vec<Change<Primary<Iris>>>| {
                let woken = changes.into_iter().map(|change| (change.key, change.listed));
                objects_gate.pass(|namespace| this.is_synced_in(namespace), || this.all(), woken);
            },
        );
        let this = self.clone();
        watches.extend(self.deployments.watches(&self.engagement, "Deployment", move |changes| {
            gate.pass(
                |namespace| this.is_synced_in(namespace),
                || this.all(),
                changes.iter().filter_map(owner_of),
            );
        }));
        watches
    }

    fn reconcile<'a>(&'a self, key: &'a ObjectKey) -> BoxFuture<'a, Result<Outcome, ReconcileError>> {
        Box::pin(self.run(key))
    }

    fn tally(&self) -> Option<Tally> {
        self.is_synced().then(|| {
            let start = Tally { kind: "Iris", ..Tally::default() };
            self.objects.fold(start, |mut tally, (_, iris)| {
                tally.objects += 1;
                let conditions = iris
                    .readable()
                    .and_then(|iris| iris.status.as_ref())
                    .map(|status| status.conditions.as_slice())
                    .unwrap_or_default();
                tally.ready += usize::from(
                    find_condition::<Ready>(conditions).is_some_and(|ready| ready.status == "True"),
                );
                tally
            })
        })
    }
}
