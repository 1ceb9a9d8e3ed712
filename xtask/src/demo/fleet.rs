//! The clusters of the demo and what is done to them. It must use nothing that a
//! user of the hub does not have: Secrets, manifests and statuses.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use homebase_api::labels;
use homebase_api::{Iris, IrisCluster, WorkCluster};
use homebase_testkit::{ControlPlane, HubRights, eventually, start_many};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::{Api, ApiResource, DynamicObject, ListParams, Patch, PatchParams};
use serde_json::{Value, json};

/// Where the hub looks for registrations.
pub(crate) const NAMESPACE: &str = "homebase-system";
/// The zones of the rehearsed topology; every work cluster has them all, so that
/// the same samples fit on each.
const ZONES: [&str; 4] = ["boston", "chicago", "seattle", "london"];
/// The names of the work clusters, as registered.
const WORK_CLUSTERS: [&str; 2] = ["boston", "london"];
/// Longer than anybody plays with a demo.
const TOKEN_LIFETIME: Duration = Duration::from_secs(24 * 3600);
/// Who writes the demo's objects.
const FIELD_MANAGER: &str = "homebase-demo";

pub(crate) struct Fleet {
    pub(crate) home: ControlPlane,
    pub(crate) work: Vec<ControlPlane>,
    directory: PathBuf,
}

impl Fleet {
    pub(crate) async fn start(directory: &Path) -> Result<Self> {
        let at = |name: &str| ControlPlane::builder(name).dir(directory.join("planes").join(name));
        let mut builders = vec![at("home").scheduler(false).kwok(false)];
        builders.extend(WORK_CLUSTERS.map(|name| at(name).zones(ZONES)));
        let mut planes = start_many(builders).await?.into_iter();
        let home = planes.next().context("no home cluster was started")?;
        let fleet = Self { home, work: planes.collect(), directory: directory.to_owned() };
        for plane in fleet.planes() {
            let path = fleet.kubeconfig(plane);
            fs::write(&path, plane.admin_kubeconfig())
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(fleet)
    }

    pub(crate) fn planes(&self) -> impl Iterator<Item = &ControlPlane> {
        std::iter::once(&self.home).chain(&self.work)
    }

    /// The kubeconfig for the person at the terminal.
    pub(crate) fn kubeconfig(&self, plane: &ControlPlane) -> PathBuf {
        self.directory.join(format!("{}.kubeconfig", plane.name()))
    }

    pub(crate) async fn create_namespace(&self) -> Result<()> {
        let namespaces: Api<Namespace> = Api::all(self.home.client().await?);
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
        namespaces
            .patch(NAMESPACE, &PatchParams::apply(FIELD_MANAGER), &Patch::Apply(object))
            .await
            .with_context(|| format!("cannot create the namespace {NAMESPACE}"))?;
        Ok(())
    }

    /// A kubeconfig of the hub's own account at home, with exactly the rights that
    /// are shipped.
    pub(crate) async fn hub_kubeconfig(&self) -> Result<String> {
        Ok(self.home.kubeconfig_for_home(TOKEN_LIFETIME).await?)
    }

    /// Registers every work cluster by a Secret with the kubeconfig of a service
    /// account of its own, which has exactly the rights that are shipped.
    pub(crate) async fn register(&self) -> Result<()> {
        let secrets: Api<Secret> = Api::namespaced(self.home.client().await?, NAMESPACE);
        for plane in &self.work {
            let kubeconfig = plane.kubeconfig_for_work(NAMESPACE, "homebase", TOKEN_LIFETIME).await?;
            let name = format!("{}-kubeconfig", plane.name());
            let object = json!({
                "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
                "metadata": {"name": name, "labels": {labels::CLUSTER: labels::TRUE}},
                "stringData": {"kubeconfig": kubeconfig},
            });
            secrets
                .patch(&name, &PatchParams::apply(FIELD_MANAGER), &Patch::Apply(object))
                .await
                .with_context(|| format!("cannot create the Secret {name}"))?;
        }
        Ok(())
    }

    pub(crate) async fn wait_clusters(&self, bound: Duration) -> Result<()> {
        let clusters = ApiResource::erase::<WorkCluster>(&());
        wait_ready(&self.home, &clusters, Some(self.work.len()), bound).await
    }

    pub(crate) async fn apply(&self, samples: &[PathBuf]) -> Result<()> {
        for (plane, sample) in
            self.work.iter().flat_map(|plane| samples.iter().map(move |file| (plane, file)))
        {
            plane
                .kubectl_ok(&["apply", "--server-side", "-f", &sample.to_string_lossy()])
                .await
                .with_context(|| format!("cannot apply {} to {}", sample.display(), plane.name()))?;
        }
        Ok(())
    }

    pub(crate) async fn wait_resources(&self, bound: Duration) -> Result<()> {
        for plane in &self.work {
            for kind in [ApiResource::erase::<Iris>(&()), ApiResource::erase::<IrisCluster>(&())] {
                wait_ready(plane, &kind, None, bound).await?;
            }
        }
        self.wait_counted(bound).await
    }

    /// Waits until the fleet's own table says so too: its figures follow within a second or two.
    async fn wait_counted(&self, bound: Duration) -> Result<()> {
        let clusters: Api<WorkCluster> = Api::all(self.home.client().await?);
        eventually("every WorkCluster counts its ready resources", bound, || async {
            let list = clusters.list(&ListParams::default()).await.map_err(|error| error.to_string())?;
            let behind = list.items.iter().find(|cluster| {
                let resources = cluster.status.as_ref().and_then(|status| status.resources.as_ref());
                resources.is_none_or(|found| {
                    found.iris_clusters == 0 || found.ready_iris_clusters < found.iris_clusters
                })
            });
            behind.map_or(Ok(()), |cluster| Err(format!("{:?} is behind", cluster.metadata.name)))
        })
        .await?;
        Ok(())
    }
}

/// Waits until every object of a kind is Ready: `expected` of them, or those
/// that are there.
async fn wait_ready(
    plane: &ControlPlane,
    kind: &ApiResource,
    expected: Option<usize>,
    bound: Duration,
) -> Result<()> {
    let objects: Api<DynamicObject> = Api::all_with(plane.client().await?, kind);
    let what = format!("every {} of {} is Ready", kind.kind, plane.name());
    eventually(what, bound, || async {
        let list = objects.list(&ListParams::default()).await.map_err(|error| error.to_string())?;
        if let Some(expected) = expected
            && list.items.len() != expected
        {
            return Err(format!("{} of {expected} exist", list.items.len()));
        }
        let waiting: Vec<String> = list.items.iter().filter_map(not_ready).collect();
        if waiting.is_empty() { Ok(()) } else { Err(waiting.join("; ")) }
    })
    .await?;
    Ok(())
}

/// Why an object is not Ready, in the words of its own condition.
fn not_ready(object: &DynamicObject) -> Option<String> {
    let name = object.metadata.name.as_deref().unwrap_or_default();
    let conditions = object.data.pointer("/status/conditions").and_then(Value::as_array);
    let ready = conditions.and_then(|all| all.iter().find(|condition| condition["type"] == "Ready"));
    let Some(ready) = ready else { return Some(format!("{name} has no condition Ready")) };
    let text = |key: &str| ready[key].as_str().unwrap_or_default().to_owned();
    let generation = object.metadata.generation.unwrap_or_default();
    let observed = ready["observedGeneration"].as_i64().unwrap_or(generation);
    if observed < generation {
        return Some(format!("{name} is Ready={} for an older spec", text("status")));
    }
    (text("status") != "True").then(|| format!("{name}: {} {}", text("reason"), text("message")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(status: &Value) -> DynamicObject {
        serde_json::from_value(json!({"metadata": {"name": "a", "generation": 2}, "status": status})).unwrap()
    }

    #[test]
    fn only_a_true_condition_of_this_generation_is_ready() {
        let ready = |status: &str, observed: i64| {
            let condition = json!({"type": "Ready", "status": status, "reason": "R", "message": "m",
                "observedGeneration": observed});
            not_ready(&object(&json!({"conditions": [condition]})))
        };
        assert_eq!(ready("True", 2), None);
        assert_eq!(ready("False", 2).as_deref(), Some("a: R m"));
        assert_eq!(ready("True", 1).as_deref(), Some("a is Ready=True for an older spec"));
        assert_eq!(not_ready(&object(&Value::Null)).as_deref(), Some("a has no condition Ready"));
    }
}
