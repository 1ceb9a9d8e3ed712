//! One home and one work cluster on which sequences are played, each in a namespace of its own. It must not draw changes.

use std::time::Duration;

use homebase_api::IrisCluster;
use homebase_testkit::{ControlPlane, eventually};
use kube::api::ApiResource;
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use kube::core::DynamicObject;
use serde_json::{Value, json};

use super::comparison::{difference, objects};
use super::mutation::Mutator;
use crate::support::{FIELD_MANAGER, Fleet, create_namespace};

/// The hub looks at a new spec within a second on an idle machine.
const LOOKED_AT: Duration = Duration::from_secs(60);
/// From a spec that KWOK can bring up to Ready, also where many pods restart one after the other.
const BACK: Duration = Duration::from_secs(180);
/// The name of every cluster.
const NAME: &str = "iris";

/// What can never go back: sizes only grow, and data stays where it is. The groups, and their fields.
const ONE_WAY: [(&str, &[&str]); 3] = [
    ("", &["storageClassName"]),
    (
        "/topology/data",
        &["shards", "storageDB", "storageWIJ", "storageJournal1", "storageJournal2", "storage"],
    ),
    ("/topology/compute", &["storageDB", "storageWIJ", "storageJournal1", "storageJournal2", "storage"]),
];

pub(super) struct Scene {
    pub(super) fleet: Fleet,
}

impl Scene {
    pub(super) async fn start() -> Self {
        let plane = ControlPlane::builder("sequences").zones(["boston", "chicago", "seattle", "london"]);
        let fleet = Fleet::builder("sequences").work(plane).start().await;
        fleet.register(&fleet.work[0]).await;
        fleet.wait_cluster_ready("sequences").await;
        Self { fleet }
    }

    fn plane(&self) -> &ControlPlane {
        &self.fleet.work[0]
    }

    async fn clusters(&self, namespace: &str) -> Api<DynamicObject> {
        let resource = ApiResource::erase::<IrisCluster>(&());
        Api::namespaced_with(self.plane().client().await.unwrap(), namespace, &resource)
    }

    /// Changes a cluster some times, brings it back, and compares it with a fresh one.
    pub(super) async fn play(&self, namespace: &str, first: &Value, mutator: &mut Mutator, steps: usize) {
        let mut history = Vec::new();
        create_namespace(self.plane(), namespace).await;
        self.apply(namespace, first).await.unwrap();
        self.wait_ready(namespace, &history).await;
        let mut spec = first.clone();
        for _ in 0..steps {
            let (mutation, changed) = mutator.draw(&spec);
            match self.apply(namespace, &changed).await {
                Ok(()) => {
                    history.push(mutation.to_string());
                    mutator.count(true);
                    spec = changed;
                    self.wait_looked_at(namespace, &history).await;
                }
                Err(refusal) => {
                    assert!(!refusal.trim().is_empty(), "{mutation} was refused without a word");
                    mutator.count(false);
                }
            }
        }
        let last = self.go_back(namespace, first, &spec, &history).await;
        let fresh = format!("{namespace}-fresh");
        create_namespace(self.plane(), &fresh).await;
        self.apply(&fresh, &last).await.unwrap();
        self.wait_ready(namespace, &history).await;
        self.wait_ready(&fresh, &history).await;
        self.assert_same(namespace, &fresh, &history).await;
        self.end(&[namespace, &fresh]).await;
    }

    async fn apply(&self, namespace: &str, spec: &Value) -> Result<(), String> {
        let object = json!({
            "apiVersion": "intersystems.com/v1alpha1", "kind": "IrisCluster",
            "metadata": {"name": NAME, "namespace": namespace}, "spec": spec,
        });
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let clusters = self.clusters(namespace).await;
        match clusters.patch(NAME, &params, &Patch::Apply(&object)).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if is_refusal(&status) => Err(status.message.clone()),
            Err(error) => panic!("{error}"),
        }
    }

    /// Applies the first spec again, with what can never go back as it is now where that is in the way. Returns what was
    /// applied.
    async fn go_back(&self, namespace: &str, first: &Value, now: &Value, history: &[String]) -> Value {
        let Err(refusal) = self.apply(namespace, first).await else { return first.clone() };
        let mut last = first.clone();
        for (group, fields) in ONE_WAY {
            let (Some(now), Some(last)) = (now.pointer(group), last.pointer_mut(group)) else { continue };
            for field in fields {
                if let Some(value) = now.get(field) {
                    last[field] = value.clone();
                    // A class of attributes goes back, and claims of one that is not there are never bound.
                    if let Some(volume) = last[field].as_object_mut() {
                        volume.remove("volumeAttributesClassName");
                    }
                }
            }
        }
        if let Err(again) = self.apply(namespace, &last).await {
            panic!("no way back: {refusal}; with what cannot go back: {again}; after {history:#?}");
        }
        last
    }

    async fn wait_looked_at(&self, namespace: &str, history: &[String]) {
        self.wait(namespace, LOOKED_AT, history, |object| {
            let generation = object.metadata.generation;
            object.data["status"]["observedGeneration"].as_i64() == generation
        })
        .await;
    }

    async fn wait_ready(&self, namespace: &str, history: &[String]) {
        self.wait(namespace, BACK, history, |object| {
            let conditions = object.data.pointer("/status/conditions").and_then(Value::as_array);
            let mut of_now = conditions
                .into_iter()
                .flatten()
                .filter(|condition| condition["observedGeneration"].as_i64() == object.metadata.generation);
            let is_ready =
                of_now.any(|condition| condition["type"] == "Ready" && condition["status"] == "True");
            is_ready && object.data["status"]["phase"] == "Running"
        })
        .await;
    }

    async fn wait(
        &self,
        namespace: &str,
        bound: Duration,
        history: &[String],
        check: impl Fn(&DynamicObject) -> bool,
    ) {
        let clusters = self.clusters(namespace).await;
        let found = eventually(format!("IrisCluster {namespace}/{NAME}"), bound, || async {
            let object = clusters.get(NAME).await.map_err(|error| error.to_string())?;
            if check(&object) { Ok(()) } else { Err(object.data["status"].to_string()) }
        });
        if let Err(error) = found.await {
            panic!("{error} after {history:#?}");
        }
    }

    async fn assert_same(&self, namespace: &str, fresh: &str, history: &[String]) {
        let compared = eventually("the two deployments to be the same".to_owned(), BACK, || async {
            let (one, other) = (objects(self.plane(), namespace).await, objects(self.plane(), fresh).await);
            difference(&one, &other).map_or(Ok(()), Err)
        });
        if let Err(error) = compared.await {
            panic!("{error} after {history:#?}");
        }
    }

    /// Deletes the clusters, so that the next sequence has the machine for itself.
    async fn end(&self, namespaces: &[&str]) {
        for namespace in namespaces {
            let clusters = self.clusters(namespace).await;
            clusters.delete(NAME, &DeleteParams::background()).await.unwrap();
        }
    }
}

/// Whether an apiserver has judged an object and not just failed. Of a field that an apply cannot place in the schema it
/// says so with the code of a failure.
fn is_refusal(status: &kube::core::Status) -> bool {
    const UNTYPED: &str = "failed to create typed patch object";
    matches!(status.code, 400 | 422) || (status.code == 500 && status.message.contains(UNTYPED))
}
