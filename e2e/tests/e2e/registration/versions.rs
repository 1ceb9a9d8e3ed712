//! CRDs that an earlier version of Homebase has left, in a version that the hub does not have: what is stored in it is
//! moved, or nothing is touched. It must not know how.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::{StreamExt as _, stream};
use homebase_api::{annotations, remote_crds};
use homebase_testkit::{ControlPlane, eventually};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::ResourceExt as _;
use kube::api::{Api, ApiResource, DynamicObject, ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use super::secrets::{Form, works};
use crate::fleet::pool::{fleet, lease, remove_crds};
use crate::support::{
    FIELD_MANAGER, SOON, create_namespace, events, hub_requests, kubeconfig, kubeconfig_with, set_role,
    shipped, shipped_without,
};

/// The version that the hub does not have; the other is the one that it has.
const OLD: &str = "v1alpha0";
/// See [`OLD`].
const NEW: &str = "v1alpha1";
/// One that even the old hub did not store in any more.
const OLDEST: &str = "v0";
/// More than fit on one page of the hub's list.
const OBJECTS: usize = 105;
/// Objects that the test writes at the same time.
const AT_ONCE: usize = 8;
/// Between two tries of what has to be mended, at most; and some for the try.
const MENDED: Duration = Duration::from_secs(75);

/// A CRD as an earlier version of Homebase has left it, with the old version alone.
fn older(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    crd.annotations_mut().insert(annotations::CRD_VERSION.to_owned(), "0".to_owned());
    OLD.clone_into(&mut crd.spec.versions[0].name);
    crd
}

/// The same with both versions, of which one is stored in.
fn both(crd: CustomResourceDefinition, stored: &str) -> CustomResourceDefinition {
    let mut both = crd.clone();
    both.spec.versions.extend(older(crd).spec.versions);
    for version in &mut both.spec.versions {
        version.storage = version.name == stored;
    }
    both.annotations_mut().insert(annotations::CRD_VERSION.to_owned(), "0".to_owned());
    both
}

/// A CRD as a later version of Homebase has left it.
fn newer(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    crd.annotations_mut().insert(annotations::CRD_VERSION.to_owned(), "999".to_owned());
    crd
}

async fn install(plane: &ControlPlane, crd: CustomResourceDefinition) {
    let api: &Api<CustomResourceDefinition> = &Api::all(plane.client().await.unwrap());
    let name = &crd.name_any();
    let params = PatchParams::apply(FIELD_MANAGER).force();
    api.patch(name, &params, &Patch::Apply(&crd)).await.unwrap();
    let stored = &crd.spec.versions.iter().find(|version| version.storage).unwrap().name;
    let objects: &Api<DynamicObject> =
        &Api::all_with(plane.client().await.unwrap(), &in_version(&crd, stored));
    eventually(format!("{name} is served"), SOON, || async move {
        objects.list(&ListParams::default()).await.map(drop).map_err(|error| error.to_string())
    })
    .await
    .unwrap();
}

fn in_version(crd: &CustomResourceDefinition, version: &str) -> ApiResource {
    ApiResource {
        group: crd.spec.group.clone(),
        version: version.to_owned(),
        api_version: format!("{}/{version}", crd.spec.group),
        kind: crd.spec.names.kind.clone(),
        plural: crd.spec.names.plural.clone(),
    }
}

async fn store(plane: &ControlPlane, resource: &ApiResource, namespace: &str, name: &str, spec: Value) {
    let objects: Api<DynamicObject> =
        Api::namespaced_with(plane.client().await.unwrap(), namespace, resource);
    let object = json!({
        "apiVersion": resource.api_version, "kind": resource.kind, "metadata": {"name": name}, "spec": spec,
    });
    objects.patch(name, &PatchParams::apply(FIELD_MANAGER), &Patch::Apply(object)).await.unwrap();
}

/// The UIDs of all objects of a kind, by name, in the version that the hub has.
async fn uids(plane: &ControlPlane, resource: &ApiResource) -> BTreeMap<String, String> {
    let objects: Api<DynamicObject> = Api::all_with(plane.client().await.unwrap(), resource);
    let list = objects.list(&ListParams::default()).await.unwrap();
    list.into_iter().map(|object| (object.name_any(), object.uid().unwrap())).collect()
}

/// The versions that a CRD has and whether each is served, and those that something may be stored in.
async fn versions(plane: &ControlPlane, name: &str) -> (Vec<(String, bool)>, Vec<String>) {
    let api: Api<CustomResourceDefinition> = Api::all(plane.client().await.unwrap());
    let found = api.get(name).await.unwrap();
    let served = found.spec.versions.iter().map(|version| (version.name.clone(), version.served)).collect();
    (served, found.status.unwrap().stored_versions.unwrap())
}

/// Both CRDs, `iris` objects that somebody has written in the old version, and an `IrisCluster` that somebody has
/// written in the new one. All are stored in the old one.
async fn old_objects(plane: &ControlPlane, namespace: &str, iris: usize) -> [ApiResource; 2] {
    let [clusters, singles] = <[_; 2]>::try_from(remote_crds()).unwrap();
    create_namespace(plane, namespace).await;
    install(plane, both(clusters.clone(), OLD)).await;
    install(plane, older(singles.clone())).await;
    let old = &in_version(&singles, OLD);
    stream::iter(0..iris)
        .for_each_concurrent(AT_ONCE, |index| async move {
            let name = if index == 0 { "app".to_owned() } else { format!("app-{index}") };
            let spec = json!({"deploymentName": name, "replicas": 0});
            store(plane, old, namespace, &name, spec).await;
        })
        .await;
    let spec = json!({"topology": {"data": {"image": "iris:2025.1"}}});
    store(plane, &in_version(&clusters, NEW), namespace, "cluster", spec).await;
    [in_version(&clusters, NEW), in_version(&singles, NEW)]
}

/// Waits until the hub has written the status of every object.
async fn wait_observed(plane: &ControlPlane, resource: &ApiResource) {
    let objects: &Api<DynamicObject> = &Api::all_with(plane.client().await.unwrap(), resource);
    eventually("every object has a status", MENDED, || async move {
        let list = objects.list(&ListParams::default()).await.map_err(|error| error.to_string())?;
        let has_none = |object: &DynamicObject| object.data["status"].is_null();
        let without: Vec<_> = list.into_iter().filter(has_none).map(|object| object.metadata.name).collect();
        if without.is_empty() { Ok(()) } else { Err(format!("not so: {without:?}")) }
    })
    .await
    .unwrap();
}

fn names() -> Vec<String> {
    remote_crds().iter().map(kube::ResourceExt::name_any).collect()
}

#[tokio::test]
async fn what_is_stored_in_a_retired_version_is_moved_and_lives_on() {
    let (fleet, [plane]) = (fleet().await, lease().await);
    remove_crds(&plane).await;
    let resources = old_objects(&plane, "moved", OBJECTS).await;
    // The move of one of the two was begun by a hub that died of it.
    let [clusters, singles] = <[_; 2]>::try_from(remote_crds()).unwrap();
    install(&plane, both(clusters, NEW)).await;
    let old: BTreeMap<_, _> = uids(&plane, &in_version(&singles, OLD)).await;
    let cluster = uids(&plane, &resources[0]).await;
    assert_eq!((old.len(), cluster.len()), (OBJECTS, 1));
    let recorded = async |index: usize| versions(&plane, &names()[index]).await.1;
    assert_eq!(
        (recorded(0).await, recorded(1).await),
        (vec![OLD.to_owned(), NEW.to_owned()], vec![OLD.to_owned()])
    );

    let mark = plane.audit_mark().unwrap();
    Form::native("moved", &kubeconfig(&plane).await).put(fleet).await;
    let (_, took) = fleet.wait_condition("moved", ("Ready", "True", "AllChecksPassed"), MENDED).await;
    eprintln!("figure: Secret to Ready with {OBJECTS} objects in a retired version: {took:?}");
    let only = || vec![(NEW.to_owned(), true)];
    let stored = || vec![NEW.to_owned()];
    assert_eq!(versions(&plane, &names()[0]).await, (only(), stored()));
    // An apiserver refuses to apply what was once written in a version that is not in the CRD.
    let named = [only(), vec![(OLD.to_owned(), false)]].concat();
    assert_eq!(versions(&plane, &names()[1]).await, (named, stored()));
    // An object that was not moved could not even be listed.
    assert_eq!(uids(&plane, &resources[1]).await, old);
    assert_eq!(uids(&plane, &resources[0]).await, cluster);
    let touched: Vec<_> = hub_requests(&plane, mark)
        .into_iter()
        .filter(|request| ["iris", "irisclusters"].contains(&request.resource.as_str()))
        .filter(|request| request.subresource.as_deref() != Some("status"))
        .collect();
    assert!(touched.is_empty(), "{touched:?}");
    // The hub writes to all of them, and so may users.
    wait_observed(&plane, &resources[1]).await;
    works(&plane, "moved", 1).await;
    fleet.assert_invariants().await;
}

#[tokio::test]
async fn without_the_right_to_end_it_nothing_is_begun() {
    let (fleet, [plane]) = (fleet().await, lease().await);
    remove_crds(&plane).await;
    old_objects(&plane, "unmoved", 1).await;
    let before = [versions(&plane, &names()[0]).await, versions(&plane, &names()[1]).await];
    let fewer = shipped_without("customresourcedefinitions/status");
    let text = kubeconfig_with(&plane, "unmoved", &fewer).await;
    let mark = plane.audit_mark().unwrap();
    Form::native("unmoved", &text).put(fleet).await;
    let refused = ("CRDsInstalled", "False", "Forbidden");
    let (message, _) = fleet.wait_condition("unmoved", refused, SOON).await;
    for words in [OLD, "deploy/rbac/work-cluster.yaml", "customresourcedefinitions"] {
        assert!(message.contains(words), "{message}");
    }
    fleet.wait_condition("unmoved", ("Ready", "False", "CRDsNotInstalled"), SOON).await;
    let effective: Vec<_> =
        hub_requests(&plane, mark).into_iter().filter(homebase_testkit::AuditEvent::is_effective).collect();
    assert!(effective.is_empty(), "{effective:?}");
    assert_eq!(before, [versions(&plane, &names()[0]).await, versions(&plane, &names()[1]).await]);

    set_role(&plane, "unmoved", &shipped()).await;
    let (_, took) = fleet.wait_condition("unmoved", ("Ready", "True", "AllChecksPassed"), MENDED).await;
    eprintln!("figure: the right granted to Ready: {took:?}");
    works(&plane, "unmoved", 1).await;
    fleet.assert_invariants().await;
}

#[tokio::test]
async fn objects_of_somebody_else_are_not_moved() {
    let (fleet, [plane]) = (fleet().await, lease().await);
    remove_crds(&plane).await;
    let [_, singles] = <[_; 2]>::try_from(remote_crds()).unwrap();
    // It has a field that no version of Homebase knows, and none of its marks.
    let mut foreign = older(singles.clone());
    (foreign.metadata.annotations, foreign.metadata.labels) = (None, None);
    let schema = foreign.spec.versions[0].schema.as_mut().unwrap().open_api_v3_schema.as_mut().unwrap();
    let spec = schema.properties.as_mut().unwrap().get_mut("spec").unwrap();
    spec.x_kubernetes_preserve_unknown_fields = Some(true);
    install(&plane, foreign).await;
    create_namespace(&plane, "foreign").await;
    let old = in_version(&singles, OLD);
    let spec = json!({"deploymentName": "app", "replicas": 0, "theirs": "kept"});
    store(&plane, &old, "foreign", "app", spec).await;
    let before = versions(&plane, &names()[1]).await;

    let adopt = json!({annotations::CRD_POLICY: "Adopt"});
    Form::native("foreign", &kubeconfig(&plane).await).annotated(adopt).put(fleet).await;
    let refused = format!("stored in version {OLD}");
    eventually("the hub refuses", SOON, || async {
        let (message, _) =
            fleet.wait_condition("foreign", ("CRDsInstalled", "False", "Installing"), SOON).await;
        if message.contains(&refused) { Ok(()) } else { Err(message) }
    })
    .await
    .unwrap();
    assert_eq!(versions(&plane, &names()[1]).await, before);
    let objects: Api<DynamicObject> = Api::namespaced_with(plane.client().await.unwrap(), "foreign", &old);
    assert_eq!(objects.get("app").await.unwrap().data["spec"]["theirs"], "kept");
    fleet.assert_invariants().await;
}

/// The CRD of a kind as another operator may have it: it looks into no spec.
fn careless(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    (crd.metadata.annotations, crd.metadata.labels) = (None, None);
    let schema = crd.spec.versions[0].schema.as_mut().unwrap().open_api_v3_schema.as_mut().unwrap();
    schema.x_kubernetes_validations = None;
    let any = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    schema.properties.as_mut().unwrap().insert("spec".to_owned(), serde_json::from_value(any).unwrap());
    crd
}

#[tokio::test]
async fn objects_that_the_hub_cannot_read_say_so_until_they_are_changed() {
    let (fleet, [plane]) = (fleet().await, lease().await);
    remove_crds(&plane).await;
    let [clusters, singles] = <[_; 2]>::try_from(remote_crds()).unwrap();
    install(&plane, careless(clusters.clone())).await;
    install(&plane, singles).await;
    create_namespace(&plane, "unread").await;
    let resource = in_version(&clusters, NEW);
    let spec = json!({"licenseKeySecret": "canary", "topology": {"data": {"image": "iris:2025.1"}}});
    store(&plane, &resource, "unread", "app", spec).await;

    let adopt = json!({annotations::CRD_POLICY: "Adopt"});
    Form::native("unread", &kubeconfig(&plane).await).annotated(adopt).put(fleet).await;
    let objects: &Api<DynamicObject> =
        &Api::namespaced_with(plane.client().await.unwrap(), "unread", &resource);
    let accepted = |wanted: &'static str| async move {
        let object = objects.get("app").await.map_err(|error| error.to_string())?;
        let conditions = object.data["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let found = conditions.into_iter().find(|condition| condition["type"] == "SpecAccepted");
        let found = found.ok_or("no condition SpecAccepted")?;
        if found["status"] == wanted { Ok((found, object)) } else { Err(found.to_string()) }
    };
    let (condition, before) = eventually("the spec is refused", SOON, || accepted("False")).await.unwrap();
    let message = condition["message"].as_str().unwrap();
    assert!(message.contains("homebase validate") && !message.contains("canary"), "{message}");
    let told = events(&plane, "unread", "app").await;
    assert!(told.iter().any(|event| event.reason.as_deref() == Some("Refused")), "{told:?}");

    let mended = json!({"spec": {"licenseKeySecret": {"name": "license"}}});
    objects.patch("app", &PatchParams::default(), &Patch::Merge(mended)).await.unwrap();
    let (_, after) = eventually("the spec is accepted", SOON, || accepted("True")).await.unwrap();
    assert_eq!(after.uid(), before.uid());
    fleet.assert_invariants().await;
}

#[tokio::test]
async fn objects_that_name_a_version_from_before_the_retired_one_are_applied_still() {
    let (fleet, [plane]) = (fleet().await, lease().await);
    remove_crds(&plane).await;
    create_namespace(&plane, "generations").await;
    let [_, singles] = <[_; 2]>::try_from(remote_crds()).unwrap();
    let mut first = older(singles.clone());
    OLDEST.clone_into(&mut first.spec.versions[0].name);
    install(&plane, first.clone()).await;
    let spec = json!({"deploymentName": "app", "replicas": 0});
    store(&plane, &in_version(&singles, OLDEST), "generations", "app", spec.clone()).await;
    // What the first retirement left: nothing is stored in the oldest version, and an object names it.
    let mut second = older(singles.clone());
    second.spec.versions.extend(first.spec.versions);
    (second.spec.versions[1].storage, second.spec.versions[1].served) = (false, false);
    install(&plane, second).await;
    let client = plane.client().await.unwrap();
    let objects: Api<DynamicObject> =
        Api::namespaced_with(client.clone(), "generations", &in_version(&singles, OLD));
    let labelled = Patch::Merge(json!({"metadata": {"labels": {"generation": "second"}}}));
    objects.patch("app", &PatchParams::default(), &labelled).await.unwrap();
    let recorded = Patch::Merge(json!({"status": {"storedVersions": [OLD]}}));
    let crds: Api<CustomResourceDefinition> = Api::all(client);
    crds.patch_status(&names()[1], &PatchParams::default(), &recorded).await.unwrap();

    Form::native("generations", &kubeconfig(&plane).await).put(fleet).await;
    fleet.wait_condition("generations", ("Ready", "True", "AllChecksPassed"), MENDED).await;
    let version = |name: &str, is_served| (name.to_owned(), is_served);
    let all = vec![version(NEW, true), version(OLD, false), version(OLDEST, false)];
    assert_eq!(versions(&plane, &names()[1]).await, (all, vec![NEW.to_owned()]));
    let new = in_version(&singles, NEW);
    store(&plane, &new, "generations", "app", spec).await;
    wait_observed(&plane, &new).await;
    fleet.assert_invariants().await;
}

#[tokio::test]
async fn a_hub_whose_version_is_served_no_more_says_that_it_is_too_old() {
    let (fleet, [plane]) = (fleet().await, lease().await);
    remove_crds(&plane).await;
    for mut crd in remote_crds().into_iter().map(newer) {
        "v2".clone_into(&mut crd.spec.versions[0].name);
        install(&plane, crd).await;
    }
    let mark = plane.audit_mark().unwrap();
    Form::native("rolled-back", &kubeconfig(&plane).await).put(fleet).await;
    let unserved = ("CRDsInstalled", "False", "NotEstablished");
    let (message, _) = fleet.wait_condition("rolled-back", unserved, SOON).await;
    assert!(message.contains("upgrade the hub") && message.contains(NEW), "{message}");
    fleet.wait_condition("rolled-back", ("Ready", "False", "CRDsNotInstalled"), SOON).await;
    let effective: Vec<_> =
        hub_requests(&plane, mark).into_iter().filter(homebase_testkit::AuditEvent::is_effective).collect();
    assert!(effective.is_empty(), "{effective:?}");
    // Who gets this cluster next wants CRDs that this hub may change; so below.
    remove_crds(&plane).await;
    fleet.assert_invariants().await;
}

#[tokio::test]
async fn a_newer_crd_that_may_not_be_claimed_is_newer_all_the_same() {
    let (fleet, [plane]) = (fleet().await, lease().await);
    remove_crds(&plane).await;
    for crd in remote_crds() {
        install(&plane, newer(crd)).await;
    }
    let mut readonly = shipped();
    for rule in &mut readonly {
        if rule.resources.iter().flatten().any(|resource| resource == "customresourcedefinitions") {
            rule.verbs.retain(|verb| verb == "get");
        }
    }
    let text = kubeconfig_with(&plane, "unclaimed", &readonly).await;
    Form::native("unclaimed", &text).put(fleet).await;
    let (message, _) =
        fleet.wait_condition("unclaimed", ("CRDsInstalled", "True", "RemoteNewer"), SOON).await;
    assert!(message.contains("upgrade the hub"), "{message}");
    remove_crds(&plane).await;
    fleet.assert_invariants().await;
}
