//! Carries out what happens to one cluster, one event after the other, without waiting for what the hub makes of it.
//! It must not look at the hub.

use homebase_api::{annotations, labels};
use homebase_testkit::{Component, ControlPlane, eventually};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};

use super::model::{Cluster, Credentials, Event, Fault, Form, Secret, Which};
use super::resources::{self, namespace};
use crate::support::{FIELD_MANAGER, SOON};

/// Requests per second of a registration with limits: less than the hub's own, and enough to converge in time.
const LIMITED_QPS: &str = "50";

/// What can be written into the Secrets of a cluster.
pub(super) struct Keys {
    /// Kubeconfigs with tokens that are accepted.
    pub(super) valid: Vec<String>,
    pub(super) expired: String,
    pub(super) refused: String,
    pub(super) garbage: String,
    /// The UID of the cluster, when its registrations name it.
    pub(super) expected_uid: Option<String>,
}

/// One cluster of the fleet.
pub(super) struct Lane<'a> {
    pub(super) index: usize,
    pub(super) plane: &'a mut ControlPlane,
    pub(super) secrets: &'a Api<v1::Secret>,
    pub(super) model: &'a mut Cluster,
    pub(super) keys: &'a [Keys],
}

/// The name of a registration, which is that of its Secret in every form.
pub(super) fn name(index: usize, which: Which) -> String {
    match which {
        Which::First => format!("soak-{index}"),
        Which::Twin => format!("soak-{index}-twin"),
    }
}

impl Lane<'_> {
    /// Makes an event happen.
    pub(super) async fn play(&mut self, event: &Event) {
        match *event {
            Event::Break(fault) => self.break_apiserver(fault),
            Event::Heal => self.heal(),
            _ => {}
        }
        self.model.apply(event);
        let namespace = namespace(self.plane);
        match *event {
            Event::Register(which)
            | Event::Rotate(which, _)
            | Event::Relabel(which, _)
            | Event::Pause(which, _)
            | Event::Limit(which, _) => self.put_secret(which).await,
            Event::Deregister(which) => self.delete_secret(which).await,
            Event::Replace(which) => {
                self.delete_secret(which).await;
                self.put_secret(which).await;
            }
            Event::PutIris(number, spec) => self.put(&resources::iris(&namespace, number, spec)).await,
            Event::PutCluster(number, spec) => self.put(&resources::cluster(&namespace, number, spec)).await,
            Event::DeleteIris(number) => self.delete("Iris", &resources::iris_name(number)).await,
            Event::DeleteCluster(number) => {
                self.delete("IrisCluster", &resources::cluster_name(number)).await;
            }
            Event::Break(_) | Event::Heal => {}
        }
    }

    /// Writes a Secret as it is desired now.
    pub(super) async fn put_secret(&self, which: Which) {
        let name = name(self.index, which);
        let object = manifest(&name, &self.model.secrets[&which], self.index, self.keys);
        let params = PatchParams::apply(FIELD_MANAGER).force();
        self.secrets.patch(&name, &params, &Patch::Apply(object)).await.unwrap();
    }

    async fn delete_secret(&self, which: Which) {
        self.secrets.delete(&name(self.index, which), &DeleteParams::default()).await.unwrap();
    }

    async fn api(&mut self, kind: &str) -> Api<DynamicObject> {
        // It may have been healed only just now.
        self.plane.wait_apiserver().await.unwrap();
        let client = self.plane.client().await.unwrap();
        Api::namespaced_with(client, &namespace(self.plane), &resources::kind(kind))
    }

    async fn put(&mut self, object: &Value) {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap().to_owned();
        let (kind, name) = (text("/kind"), text("/metadata/name"));
        let api = self.api(&kind).await;
        let (params, patch) = (&PatchParams::apply(FIELD_MANAGER).force(), &Patch::Apply(object));
        // An apiserver that has just come up may not know its own kinds yet.
        eventually(format!("{kind} {name} is written"), SOON, || api.patch(&name, params, patch))
            .await
            .unwrap();
    }

    /// Its dependents follow in the background, as they do when a person deletes something.
    async fn delete(&mut self, kind: &str, name: &str) {
        let api = self.api(kind).await;
        let params = &DeleteParams::background();
        eventually(format!("{kind} {name} is deleted"), SOON, || api.delete(name, params)).await.unwrap();
    }

    fn break_apiserver(&mut self, fault: Fault) {
        match fault {
            Fault::Hangs => self.plane.pause_apiserver().unwrap(),
            Fault::Ended => self.plane.kill(Component::Apiserver).unwrap(),
        }
    }

    /// That the apiserver comes up is not waited for here: what needs it does.
    fn heal(&mut self) {
        match self.model.fault {
            Some(Fault::Hangs) => self.plane.resume_apiserver().unwrap(),
            Some(Fault::Ended) => self.plane.start_component(Component::Apiserver).unwrap(),
            None => {}
        }
    }
}

fn manifest(name: &str, secret: &Secret, index: usize, keys: &[Keys]) -> Value {
    let mut object = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": {"name": name},
        "data": {"kubeconfig": ByteString(kubeconfig(secret, index, keys).as_bytes().to_vec())},
    });
    let metadata = &mut object["metadata"];
    metadata["labels"] = match secret.form {
        Form::Unlabelled => json!({}),
        Form::Native => json!({labels::CLUSTER: labels::TRUE}),
        Form::MulticlusterRuntime => json!({"sigs.k8s.io/multicluster-runtime-kubeconfig": "true"}),
    };
    if secret.paused {
        metadata["annotations"][annotations::PAUSED] = "true".into();
    }
    if secret.limited {
        metadata["annotations"][annotations::QPS] = LIMITED_QPS.into();
    }
    if let Some(uid) = &keys[index].expected_uid {
        metadata["annotations"][annotations::EXPECTED_CLUSTER_UID] = uid.as_str().into();
    }
    object
}

fn kubeconfig<'a>(secret: &Secret, index: usize, keys: &'a [Keys]) -> &'a str {
    let own = &keys[index];
    match secret.credentials {
        Credentials::Valid(token) => &own.valid[token % own.valid.len()],
        Credentials::Garbage => &own.garbage,
        Credentials::Expired => &own.expired,
        Credentials::Refused => &own.refused,
        Credentials::OfCluster(other) => &keys[other].valid[0],
    }
}
