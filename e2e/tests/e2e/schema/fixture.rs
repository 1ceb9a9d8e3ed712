//! One apiserver for all tests of the schema, and objects to show it. It must not hold a case.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use homebase_api::{Iris, IrisCluster};
use homebase_testkit::{ControlPlane, eventually};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, ApiResource, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::{CustomResourceExt, Status};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

pub(super) const NAMESPACE: &str = "default";
const FIELD_MANAGER: &str = "homebase-e2e";

/// An apiserver serves a new CRD within a second; a loaded machine needs more.
const ESTABLISHED: Duration = Duration::from_secs(60);

/// The apiserver, with the CRDs established. It ends with the test binary: its watchdog sees to that.
pub(crate) async fn plane() -> &'static ControlPlane {
    static PLANE: OnceCell<ControlPlane> = OnceCell::const_new();
    PLANE
        .get_or_init(|| async {
            let plane = ControlPlane::builder("schema").api_only().start().await.unwrap();
            install(&plane).await;
            plane
        })
        .await
}

async fn install(plane: &ControlPlane) {
    let client = plane.client().await.unwrap();
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let params = PatchParams::apply(FIELD_MANAGER).validation_strict();
    for crd in homebase_api::crds() {
        let name = crd.metadata.name.clone().unwrap();
        api.patch(&name, &params, &Patch::Apply(&crd)).await.unwrap();
    }
    eventually("the CRDs are established", ESTABLISHED, || async {
        for crd in api.list(&ListParams::default()).await.map_err(|error| error.to_string())? {
            let name = crd.metadata.name.unwrap_or_default();
            let conditions = crd.status.and_then(|status| status.conditions).unwrap_or_default();
            for wanted in ["Established", "NamesAccepted"] {
                let holds = conditions.iter().any(|found| found.type_ == wanted && found.status == "True");
                if !holds {
                    return Err(format!("{name} is not {wanted}"));
                }
            }
        }
        Ok(())
    })
    .await
    .unwrap();
    let namespaces: Api<Namespace> = Api::all(client.clone());
    eventually("the namespace is there", ESTABLISHED, || namespaces.get(NAMESPACE)).await.unwrap();
    // Established is not yet served: the handler follows a moment later.
    for resource in [IrisCluster::api_resource(), Iris::api_resource()] {
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), NAMESPACE, &resource);
        eventually("the kind is served", ESTABLISHED, || async { api.list(&ListParams::default()).await })
            .await
            .unwrap();
    }
}

/// Access to one kind in the form in which users write it.
#[derive(Clone)]
pub(super) struct Kind {
    pub(super) api: Api<DynamicObject>,
    resource: ApiResource,
}

impl Kind {
    pub(super) async fn of<K: CustomResourceExt>() -> Self {
        let resource = K::api_resource();
        let client = plane().await.client().await.unwrap();
        Self { api: Api::namespaced_with(client, NAMESPACE, &resource), resource }
    }

    pub(super) async fn by_name(kind: &str) -> Self {
        match kind {
            "IrisCluster" => Self::of::<IrisCluster>().await,
            "Iris" => Self::of::<Iris>().await,
            other => panic!("no spec to test in {other}"),
        }
    }

    fn object(&self, name: &str, spec: &Value) -> DynamicObject {
        let mut object = DynamicObject::new(name, &self.resource);
        object.data = json!({ "spec": spec });
        object
    }

    /// What the apiserver says to a new object, without keeping it.
    pub(super) async fn offer(&self, spec: &Value) -> Result<DynamicObject, Refusal> {
        self.offer_named(&unique_name(), spec).await
    }

    /// The same for an object of a certain name.
    pub(super) async fn offer_named(&self, name: &str, spec: &Value) -> Result<DynamicObject, Refusal> {
        let params = PostParams { dry_run: true, ..PostParams::default() };
        let object = self.object(name, spec);
        let answer = self.api.create(&params, &object).await.map_err(Refusal::of);
        super::offline::assert_agrees(&object, answer.as_ref().err());
        answer
    }

    /// The same by server-side apply.
    pub(super) async fn offer_apply(&self, spec: &Value) -> Result<DynamicObject, Refusal> {
        let name = unique_name();
        let params = PatchParams { dry_run: true, ..PatchParams::apply(FIELD_MANAGER) }.validation_strict();
        let patch = Patch::Apply(self.object(&name, spec));
        self.api.patch(&name, &params, &patch).await.map_err(Refusal::of)
    }

    /// Keeps a new object.
    pub(super) async fn create(&self, spec: &Value) -> DynamicObject {
        let object = self.object(&unique_name(), spec);
        self.api.create(&PostParams::default(), &object).await.unwrap()
    }

    /// What the apiserver says to another spec of an object, without keeping it.
    pub(super) async fn offer_change(
        &self,
        object: &DynamicObject,
        spec: &Value,
    ) -> Result<DynamicObject, Refusal> {
        let params = PostParams { dry_run: true, ..PostParams::default() };
        let mut changed = object.clone();
        changed.data = json!({ "spec": spec });
        let name = object.metadata.name.clone().unwrap();
        self.api.replace(&name, &params, &changed).await.map_err(Refusal::of)
    }
}

pub(super) fn unique_name() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!("case-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Why the apiserver refused an object: the fields, each with its message.
#[derive(Debug)]
pub(super) struct Refusal(pub(super) Vec<(String, String)>);

impl Refusal {
    fn of(error: kube::Error) -> Self {
        let kube::Error::Api(status) = error else { panic!("no answer of an apiserver: {error}") };
        let Status { code: 422, details: Some(details), .. } = *status else {
            panic!("not refused as invalid: {status:?}")
        };
        Self(details.causes.into_iter().map(|cause| (cause.field, cause.message)).collect())
    }

    /// Whether a message about this field, or one below it, contains the text.
    pub(super) fn names(&self, field: &str, text: &str) -> bool {
        self.0.iter().any(|(found, message)| found.starts_with(field) && message.contains(text))
    }
}

/// A spec that is accepted and asks for as little as possible.
pub(super) fn minimal(kind: &str) -> Value {
    match kind {
        "IrisCluster" => json!({"topology": {"data": {"image": "iris:2025.1"}}}),
        "Iris" => json!({"deploymentName": "iris"}),
        other => panic!("no spec to test in {other}"),
    }
}

/// `base` with the fields of `change`; objects are merged, everything else is replaced.
pub(super) fn merged(base: &Value, change: &Value) -> Value {
    match (base, change) {
        (Value::Object(base), Value::Object(change)) => {
            let mut result = base.clone();
            for (key, value) in change {
                let merged = merged(base.get(key).unwrap_or(&Value::Null), value);
                result.insert(key.clone(), merged);
            }
            result.into()
        }
        _ => change.clone(),
    }
}

/// An object that holds `value` below a path of fields such as `topology.data.shards`.
pub(super) fn at(path: &str, value: Value) -> Value {
    path.rsplit('.').fold(value, |inner, field| json!({ field: inner }))
}

/// The node groups that have predefined volumes, and the names of those.
pub(super) const VOLUMES: [(&str, &[&str]); 5] = [
    ("topology.data", &["storageDB", "storageWIJ", "storageJournal1", "storageJournal2", "storage"]),
    ("topology.compute", &["storageDB", "storageWIJ", "storageJournal1", "storageJournal2", "storage"]),
    ("topology.webgateway", &["storageDB"]),
    ("topology.data.webgateway", &["storageDB"]),
    ("topology.compute.webgateway", &["storageDB"]),
];

/// An `IrisCluster` that has a certain group, and nothing more than that needs.
pub(super) fn with_group(group: &str) -> Value {
    let image = |group: &str| at(group, json!({"image": "iris:2025.1"}));
    let mut spec = merged(&minimal("IrisCluster"), &image(group));
    if let Some(node) = group.strip_suffix(".webgateway") {
        spec = merged(&spec, &at(group, json!({"type": "nginx"})));
        if node != "topology" {
            spec = merged(&spec, &image(node));
        }
    }
    spec
}
