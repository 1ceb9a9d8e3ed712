//! The commands `pause` and `resume`: they set and remove one annotation of a registration. What the hub makes of it
//! is the hub's to show.

use anyhow::{Context as _, bail};
use homebase_api::{annotations, labels};
use homebase_kube::apply::patch_exact;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;
use serde_json::json;

use super::Exit;
use super::fleet::Home;
use super::output::tell;
use super::wait::{Goal, wait};
use crate::arguments::PauseArguments;

/// What is to become of the work on a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Paused,
    Running,
}

pub(crate) async fn run(arguments: &PauseArguments, wanted: Wanted) -> anyhow::Result<Exit> {
    let id = &arguments.name;
    let home = Home::connect(&arguments.home).await?;
    let shown = home.work_cluster(id).await?;
    let secret = home.require_registration(id, shown.as_ref()).await?;
    let current = secret.annotations().get(annotations::PAUSED).map(String::as_str);
    let (value, goal, done, already) = match wanted {
        Wanted::Paused => (Some(labels::TRUE), Goal::Paused, "is to pause", "is to pause already"),
        Wanted::Running => (None, Goal::Ready, "is to go on", "is not to pause"),
    };
    if current == value {
        tell(&format!("cluster {id} {already}"));
        // What was asked for is an outcome, whoever has written it before.
        let version =
            secret.resource_version().context("the home cluster's answer has no resourceVersion")?;
        return wait(&home, id, &version, goal, arguments.wait).await;
    }
    let (Some(uid), Some(version)) = (secret.uid(), secret.resource_version()) else {
        bail!("the home cluster's answer has no UID");
    };
    let patch = json!({"metadata": {"annotations": {annotations::PAUSED: value}}});
    let key = home.key(&secret.name_any());
    let written: Secret =
        patch_exact(&home.client, &key, &uid, &version, patch).await.context("write to the home cluster")?;
    tell(&format!("home cluster: Secret {} written: cluster {id} {done}", secret.name_any()));
    let version = written.resource_version().context("the home cluster's answer has no resourceVersion")?;
    wait(&home, id, &version, goal, arguments.wait).await
}
