//! Moves the objects of a kind out of the versions that its CRD shall lose. A try that breaks off at any point leaves what
//! the next one goes on from. It changes nothing of an object but the version in which the apiserver stores it.

use std::collections::BTreeSet;
use std::future::Future;
use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ApiResource, DynamicObject, ListParams, ObjectMeta, Patch, PatchParams};
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};

use crate::admit::admitted;
use crate::client::REQUEST_TIMEOUT;
use crate::client::paths::segment;
use crate::error::{Category, RequestError};

use super::Progress;
use super::error::MigrateObjectsError;
use super::judge::remaining_versions;

/// Objects on one page of the list, of which only the metadata is asked for. At one request a second, the least that a
/// registration can allow, a page is done well before etcd forgets (5 min) what the next one continues.
const PAGE: u32 = 100;
/// How long the replicas of an apiserver may take to hear of a CRD's new storage version: they watch it, so
/// milliseconds.
const SETTLE: Duration = Duration::from_secs(2);
/// The first pass writes, the second one finds nothing left; more are for apiservers that were slow to hear of the
/// new version.
pub(super) const MAX_PASSES: usize = 5;

/// Whether the right is there without which all the rest would be in vain. Nothing is changed.
pub(super) async fn ask_for_right(
    api: &Api<CustomResourceDefinition>,
    name: &str,
) -> Result<(), MigrateObjectsError> {
    let (params, patch) = (PatchParams::default().dry_run(), Patch::Merge(json!({})));
    within(api.patch_status(name, &params, &patch), MigrateObjectsError::AskForRight).await.map(drop)
}

/// Writes all objects as they are until the apiserver has nothing left to change: it stores what it writes in the
/// storage version of the CRD, which must be established by now.
pub(super) async fn rewrite_objects(
    client: &Client,
    crd: &CustomResourceDefinition,
    progress: &Progress,
) -> Result<(), MigrateObjectsError> {
    let resource = storage_resource(crd).ok_or(MigrateObjectsError::FindStorage)?;
    for pass in 1..=MAX_PASSES {
        // Until they have heard of it, apiservers store in the version from before.
        tokio::time::sleep(SETTLE).await;
        let changed = rewrite_once(client, &resource, progress).await?;
        tracing::info!(kind = resource.kind, pass, changed, "objects moved to another stored version");
        if changed == 0 {
            return Ok(());
        }
    }
    Err(MigrateObjectsError::Settle)
}

/// Puts on record that nothing is stored in the retired versions. Returns the CRD as it is then.
pub(super) async fn record_versions(
    api: &Api<CustomResourceDefinition>,
    found: &CustomResourceDefinition,
    retired: &[String],
) -> Result<CustomResourceDefinition, MigrateObjectsError> {
    let patch = Patch::Merge(json!({
        // Whoever has changed the CRD meanwhile may have brought a version back.
        "metadata": { "resourceVersion": found.resource_version() },
        "status": { "storedVersions": remaining_versions(found, retired) },
    }));
    let (name, params) = (found.name_any(), PatchParams::default());
    within(api.patch_status(&name, &params, &patch), MigrateObjectsError::RecordVersions).await
}

/// The kind in the version that objects are to be stored in.
fn storage_resource(crd: &CustomResourceDefinition) -> Option<ApiResource> {
    let version = crd.spec.versions.iter().find(|version| version.storage && version.served)?;
    version.subresources.as_ref()?.status.as_ref()?;
    Some(ApiResource {
        group: crd.spec.group.clone(),
        version: version.name.clone(),
        api_version: format!("{}/{}", crd.spec.group, version.name),
        kind: crd.spec.names.kind.clone(),
        plural: crd.spec.names.plural.clone(),
    })
}

/// Those of some versions in which the metadata of an object still says who owns its fields. The apiserver reads all of
/// it for every apply, and refuses the apply when the CRD does not have such a version at all. The versions must not be
/// served by now.
pub(super) async fn find_named(
    client: &Client,
    crd: &CustomResourceDefinition,
    versions: &[String],
    progress: &Progress,
) -> Result<Vec<String>, MigrateObjectsError> {
    let resource = storage_resource(crd).ok_or(MigrateObjectsError::FindStorage)?;
    let group_version = |version: &String| format!("{}/{version}", crd.spec.group);
    let mut named = BTreeSet::new();
    // Until they have heard of it, apiservers serve them still.
    tokio::time::sleep(SETTLE).await;
    let mut pages = Pages::of(client, &resource);
    while let Some(page) = pages.next().await? {
        let entries = page.into_iter().flat_map(|object| object.managed_fields.unwrap_or_default());
        named.extend(entries.filter_map(|entry| entry.api_version));
        progress.step();
    }
    Ok(versions.iter().filter(|version| named.contains(&group_version(version))).cloned().collect())
}

/// One pass over all objects; how many were changed by it.
async fn rewrite_once(
    client: &Client,
    resource: &ApiResource,
    progress: &Progress,
) -> Result<usize, MigrateObjectsError> {
    let mut changed = 0;
    let mut pages = Pages::of(client, resource);
    while let Some(page) = pages.next().await? {
        for object in page {
            changed += usize::from(rewrite(client, resource, &object).await?);
            progress.step();
        }
    }
    Ok(changed)
}

/// The metadata of all objects of a kind, page by page.
struct Pages {
    all: Api<DynamicObject>,
    /// None after the last page.
    params: Option<ListParams>,
}

impl Pages {
    fn of(client: &Client, resource: &ApiResource) -> Self {
        let all = Api::all_with(client.clone(), resource);
        Self { all, params: Some(ListParams::default().limit(PAGE)) }
    }

    async fn next(&mut self) -> Result<Option<Vec<ObjectMeta>>, MigrateObjectsError> {
        let Some(params) = self.params.take() else { return Ok(None) };
        let request = async {
            let page = self.all.list_metadata(&params).await?;
            let items = page.items.into_iter().map(admitted).collect::<Result<Vec<_>, _>>()?;
            Ok((page.metadata.continue_, items))
        };
        let (token, items) = within(request, MigrateObjectsError::ListObjects).await?;
        let more = token.filter(|token| !token.is_empty());
        self.params = more.map(|token| params.continue_token(&token));
        Ok(Some(items.into_iter().map(|object| object.metadata).collect()))
    }
}

/// Writes an object as it is. True when that has changed it, or another look will tell.
async fn rewrite(
    client: &Client,
    resource: &ApiResource,
    listed: &ObjectMeta,
) -> Result<bool, MigrateObjectsError> {
    let namespace = listed.namespace.clone().unwrap_or_default();
    let name = listed.name.as_deref().unwrap_or_default();
    let objects: Api<DynamicObject> = Api::namespaced_with(client.clone(), &segment(&namespace), resource);
    // By the status, which the hub may write anyway: the apiserver encodes the whole object all the same.
    let (params, patch): (_, Patch<Value>) = (PatchParams::default(), Patch::Merge(json!({})));
    let segment = segment(name);
    let request = objects.patch_status(&segment, &params, &patch);
    let wrap = |source| MigrateObjectsError::RewriteObject {
        namespace: namespace.clone(),
        name: name.to_owned(),
        source,
    };
    match within(request, wrap).await {
        Ok(written) => Ok(written.resource_version() != listed.resource_version),
        // It was changed meanwhile, or is gone, or this apiserver does not serve the version yet.
        Err(error) if matches!(error.category(), Some(Category::Conflict | Category::NotFound)) => Ok(true),
        Err(error) => Err(error),
    }
}

async fn within<T>(
    request: impl Future<Output = Result<T, kube::Error>>,
    wrap: impl FnOnce(RequestError) -> MigrateObjectsError,
) -> Result<T, MigrateObjectsError> {
    match tokio::time::timeout(REQUEST_TIMEOUT, request).await {
        Ok(answer) => answer.map_err(|error| wrap(error.into())),
        Err(_) => Err(MigrateObjectsError::AwaitAnswer),
    }
}
